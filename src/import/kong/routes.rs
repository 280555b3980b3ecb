use serde_json::Value;

use crate::catalog::Api;
use crate::import::kong::access::{Access, Acl, Keys};
use crate::import::kong::consumers::Consumer;
use crate::import::kong::plugins::{Plugin, Plugins};
use crate::import::kong::{free_id, id_of, is_named, reference};
use crate::import::source::{list, text};
use crate::import::{LeftOut, report};
use crate::key::{KeyHeader, KeyQuery};

/// An API, and who may call it.
pub(super) struct RouteApi {
    pub(super) api: Api,
    pub(super) access: Access,
}

/// The conditions of Kong's routes, in addition to the path.
const CONDITIONS: [&str; 7] = [
    "expression",
    "hosts",
    "methods",
    "headers",
    "snis",
    "sources",
    "destinations",
];

/// A route, as far as it matters here.
pub(super) struct Route<'c> {
    pub(super) name: String,
    pub(super) display_name: Option<&'c str>,
    pub(super) paths: Vec<&'c str>,
    pub(super) conditions: Vec<&'static str>,
    pub(super) access: Access,
    pub(super) key_name: String,
}

/// One API for each plain path.
pub(super) fn apis(routes: &[Route<'_>], left_out: &mut Vec<LeftOut>) -> Vec<RouteApi> {
    let mut apis: Vec<RouteApi> = Vec::new();
    for route in routes {
        for path in plain_paths(route) {
            let path = path.trim_end_matches('/');
            let mut access = route.access.clone();
            if !route.conditions.is_empty() {
                access.anonymous = false;
            }
            if let Some(known) = apis.iter_mut().find(|known| known.api.path() == path) {
                known.access = known.access.narrowed(&access);
                let required = !known.access.anonymous;
                known.api = known.api.clone().with_subscription_required(required);
                let reason =
                    "another route has this path, too: the API is for those that both let in";
                report(left_out, "routes", &route.name, reason);
                continue;
            }
            let id = free_id(&route.name, |id| {
                apis.iter().any(|known| known.api.id() == id)
            });
            apis.push(RouteApi {
                api: api(route, &id, path),
                access,
            });
        }
    }
    apis
}

pub(super) fn api(route: &Route<'_>, id: &str, path: &str) -> Api {
    let mut api = Api::new(id, path);
    if let Some(name) = route.display_name.filter(|name| *name != id) {
        api = api.with_display_name(name);
    }
    // A name that no key can travel under stays the default.
    if let Ok(header) = KeyHeader::new(&route.key_name) {
        api = api.with_key_header(header);
    }
    if let Ok(query) = KeyQuery::new(&route.key_name) {
        api = api.with_key_query(query);
    }
    api
}

pub(super) fn plain_paths<'r>(route: &'r Route<'_>) -> impl Iterator<Item = &'r str> {
    route.paths.iter().copied().filter(|path| is_plain(path))
}

pub(super) fn is_plain(path: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%@!$',;=".contains(&byte);
    path.starts_with('/') && path.bytes().all(is_part)
}

/// Reads the routes.
pub(super) fn read<'c>(
    config: &'c Value,
    plugins: &Plugins<'_>,
    consumers: &[Consumer<'_>],
    left_out: &mut Vec<LeftOut>,
) -> Vec<Route<'c>> {
    let mut routes: Vec<Route<'c>> = Vec::new();
    let mut add = |service: &'c Value, route: &'c Value| {
        let given = text(route, "name").or(text(route, "id"));
        let service_name = text(service, "name")
            .or(text(service, "id"))
            .unwrap_or("route");
        let name = given.map_or_else(|| format!("{service_name}-route"), str::to_owned);
        let name = free_id(&id_of(&name), |id| {
            routes.iter().any(|known| known.name == id)
        });
        let mut leave_out = |reason: String| report(left_out, "routes", &name, reason);
        if service.get("enabled") == Some(&Value::Bool(false)) {
            return leave_out("its service is not enabled".to_owned());
        }
        let protocols = list(route, "protocols").iter().filter_map(Value::as_str);
        let protocols: Vec<&str> = protocols.collect();
        if !protocols.is_empty()
            && !protocols
                .iter()
                .any(|protocol| matches!(*protocol, "http" | "https" | "grpc" | "grpcs"))
        {
            return leave_out("it takes no HTTP requests".to_owned());
        }
        if protocols == ["https"] || protocols == ["grpcs"] {
            leave_out("it takes TLS only, and a catalog does not look at that".to_owned());
        }
        let conditions = CONDITIONS
            .into_iter()
            .filter(|condition| match route.get(condition) {
                Some(Value::Array(values)) => !values.is_empty(),
                Some(Value::Object(values)) => !values.is_empty(),
                Some(Value::String(text)) => !text.is_empty(),
                _ => false,
            });
        let conditions: Vec<&str> = conditions.collect();
        let paths: Vec<&str> = list(route, "paths")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if !conditions.is_empty() {
            let by = conditions.join(", ");
            leave_out(format!(
                "it also depends on {by}, and a catalog on the path only: it is not open here"
            ));
        } else if paths.is_empty() {
            leave_out("it has no path".to_owned());
        }
        for path in paths.iter().filter(|path| !is_plain(path)) {
            leave_out(format!(
                "the path {path:?} is an expression, and a catalog has prefixes only"
            ));
        }
        let (access, key_name) = access(plugins, consumers, service, route, &mut leave_out);
        routes.push(Route {
            display_name: text(route, "name"),
            name,
            paths,
            conditions,
            access,
            key_name,
        });
    };
    for service in list(config, "services") {
        for route in list(service, "routes") {
            add(service, route);
        }
    }
    for route in list(config, "routes") {
        let name = reference(route.get("service")).unwrap_or_default();
        let mut services = list(config, "services").iter();
        add(
            services
                .find(|service| is_named(service, name))
                .unwrap_or(&Value::Null),
            route,
        );
    }
    routes
}

/// Who may call a route, and the name that carries the key.
fn access(
    plugins: &Plugins<'_>,
    consumers: &[Consumer<'_>],
    service: &Value,
    route: &Value,
    leave_out: &mut dyn FnMut(String),
) -> (Access, String) {
    let default = || "apikey".to_owned();
    let guards = plugins.guards(service, route);
    let key_auth = plugins.acting("key-auth", service, route);
    let names = key_auth.map_or(&[][..], |plugin| list(plugin.config, "key_names"));
    let mut names = names.iter().filter_map(Value::as_str);
    let key_name = names.next().map_or_else(default, str::to_owned);
    let more = names.count();
    if more > 0 {
        leave_out(format!(
            "its keys have {more} more names: only {key_name:?} is read here"
        ));
    }
    let is = |place: &str, value: bool| {
        key_auth.is_some_and(|plugin| plugin.config.get(place) == Some(&Value::Bool(value)))
    };
    for place in ["header", "query"] {
        if is(&format!("key_in_{place}"), false) {
            leave_out(format!(
                "its keys are not read from the {place}: here they are"
            ));
        }
    }
    if is("key_in_body", true) {
        leave_out("its keys are read from the body, too: here they are not".to_owned());
    }
    if !guards.is_empty() {
        leave_out(format!(
            "it is guarded by {}: no key opens it here",
            guards.join(", ")
        ));
        return (Access::CLOSED, key_name);
    }
    let acl = plugins.acting("acl", service, route);
    let takes_groups = |plugin: &&Plugin<'_>| {
        plugin.config.get("include_consumer_groups") == Some(&Value::Bool(true))
    };
    if acl.filter(takes_groups).is_some() {
        leave_out("groups of consumers decide who gets in: no key opens it here".to_owned());
        return (Access::CLOSED, key_name);
    }
    let acl = acl.map(|plugin| {
        let groups = |new: &str, old: &str| {
            let groups = list(plugin.config, new)
                .iter()
                .chain(list(plugin.config, old));
            let mut groups: Vec<String> = groups
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            groups.sort();
            groups
        };
        Acl {
            allow: groups("allow", "whitelist"),
            deny: groups("deny", "blacklist"),
        }
    });
    let Some(key_auth) = key_auth else {
        // Without credentials no caller is in a group.
        return match acl {
            None => (Access::OPEN, key_name),
            Some(_) => {
                leave_out(
                    "it has groups, and no key-auth that identifies callers: no key opens it here"
                        .to_owned(),
                );
                (Access::CLOSED, key_name)
            }
        };
    };
    let keys = acl.clone().map_or(Keys::Any, Keys::Acl);
    let anonymous = reference(key_auth.config.get("anonymous"));
    let anonymous = anonymous
        .filter(|name| !name.is_empty())
        .is_some_and(|name| {
            let consumer = consumers
                .iter()
                .find(|consumer| is_named(consumer.value, name));
            consumer.is_some_and(|consumer| {
                !plugins.guards_consumer(consumer.value) && keys.admits(&consumer.groups)
            })
        });
    (Access { anonymous, keys }, key_name)
}
