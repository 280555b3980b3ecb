use serde_json::Value;

use crate::import::kong::{is_named, reference};
use crate::import::source::{list, text};
use crate::import::{LeftOut, report};

/// Plugins that let everything through that a caller may call.
const HARMLESS: [&str; 32] = [
    "correlation-id",
    "cors",
    "datadog",
    "file-log",
    "grpc-gateway",
    "grpc-web",
    "http-log",
    "kafka-log",
    "loggly",
    "opentelemetry",
    "prometheus",
    "proxy-cache",
    "proxy-cache-advanced",
    "rate-limiting",
    "rate-limiting-advanced",
    "request-size-limiting",
    "request-transformer",
    "request-transformer-advanced",
    "response-ratelimiting",
    "response-transformer",
    "response-transformer-advanced",
    "route-transformer-advanced",
    "statsd",
    "statsd-advanced",
    "syslog",
    "tcp-log",
    "udp-log",
    "zipkin",
    "canary",
    "forward-proxy",
    "aws-lambda",
    "azure-functions",
];

/// All plugins, with what they are attached to.
pub(super) struct Plugins<'c> {
    all: Vec<Plugin<'c>>,
}

pub(super) struct Plugin<'c> {
    pub(super) name: &'c str,
    pub(super) config: &'c Value,
    service: Option<&'c str>,
    route: Option<&'c str>,
    consumer: Option<&'c str>,
    group: bool,
}

impl<'c> Plugins<'c> {
    /// Collects plugins from all places; reports those that are not carried over.
    pub(super) fn of(config: &'c Value, left_out: &mut Vec<LeftOut>) -> Self {
        let mut all = Vec::new();
        let mut add = |from: &'c Value, service, route, consumer, group| {
            for plugin in list(from, "plugins") {
                let name = text(plugin, "name").unwrap_or_default();
                let is_off = plugin.get("enabled") == Some(&Value::Bool(false));
                if is_off {
                    report(left_out, "plugins", name, "it is not enabled");
                    continue;
                }
                if !matches!(name, "key-auth" | "acl") {
                    let reason = match HARMLESS.contains(&name) {
                        true => "a catalog has no place for it",
                        false => "it decides who gets in: what it guards is not open here",
                    };
                    report(left_out, "plugins", name, reason);
                }
                all.push(Plugin {
                    name,
                    config: plugin.get("config").unwrap_or(&Value::Null),
                    service: reference(plugin.get("service")).or(service),
                    route: reference(plugin.get("route")).or(route),
                    consumer: reference(plugin.get("consumer")).or(consumer),
                    group: group
                        || plugin
                            .get("consumer_group")
                            .is_some_and(|group| !group.is_null()),
                });
            }
        };
        add(config, None, None, None, false);
        for service in list(config, "services") {
            add(service, label(service), None, None, false);
            for route in list(service, "routes") {
                add(route, label(service), label(route), None, false);
            }
        }
        for route in list(config, "routes") {
            add(route, None, label(route), None, false);
        }
        for consumer in list(config, "consumers") {
            add(consumer, None, None, consumer_label(consumer), false);
        }
        for group in list(config, "consumer_groups") {
            add(group, None, None, None, true);
        }
        Self { all }
    }

    /// The plugin of that name that acts on a route: the most specific one.
    pub(super) fn acting<'p>(
        &'p self,
        name: &'p str,
        service: &'p Value,
        route: &'p Value,
    ) -> Option<&'p Plugin<'c>> {
        let rank = |plugin: &&Plugin<'c>| (plugin.route.is_some(), plugin.service.is_some());
        let on = self.on(service, route).filter(|plugin| plugin.name == name);
        on.filter(|plugin| plugin.consumer.is_none() && !plugin.group)
            .max_by_key(rank)
    }

    /// The names of other plugins that decide who may call a route.
    pub(super) fn guards(&self, service: &Value, route: &Value) -> Vec<&'c str> {
        let on = self
            .on(service, route)
            .filter(|plugin| plugin.consumer.is_none() && !plugin.group);
        let mut names: Vec<&str> = on
            .map(|plugin| plugin.name)
            .filter(|name| is_guard(name))
            .collect();
        names.dedup();
        names
    }

    fn on<'p>(
        &'p self,
        service: &'p Value,
        route: &'p Value,
    ) -> impl Iterator<Item = &'p Plugin<'c>> {
        self.all.iter().filter(move |plugin| {
            plugin.service.is_none_or(|name| is_named(service, name))
                && plugin.route.is_none_or(|name| is_named(route, name))
        })
    }

    /// Whether some plugin decides whether this consumer gets in.
    pub(super) fn guards_consumer(&self, consumer: &Value) -> bool {
        self.all.iter().any(|plugin| {
            is_guard(plugin.name) && plugin.consumer.is_some_and(|name| is_named(consumer, name))
        })
    }

    /// Whether some plugin decides whether a group of consumers gets in.
    pub(super) fn guards_groups(&self) -> bool {
        self.all
            .iter()
            .any(|plugin| is_guard(plugin.name) && plugin.group)
    }
}

fn is_guard(name: &str) -> bool {
    !matches!(name, "key-auth" | "acl") && !HARMLESS.contains(&name)
}

fn label(value: &Value) -> Option<&str> {
    text(value, "id").or(text(value, "name")).or(Some(""))
}

fn consumer_label(value: &Value) -> Option<&str> {
    text(value, "id")
        .or(text(value, "username"))
        .or(text(value, "custom_id"))
        .or(Some(""))
}
