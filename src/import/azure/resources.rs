use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::catalog::{Api, KeySlot, Product, Scope, State, Subscription};
use crate::import::azure::resource::{Resource, below_service, without_revision};
use crate::import::placeholder::{self, Written};
use crate::import::{Found, FoundSubscription, count, report};
use crate::key::{KeyHeader, KeyQuery};

/// Sorts resources into what a catalog has a place for, and the rest.
pub(super) fn collect(resources: Vec<Resource>, found: &mut Found) {
    let mut collector = Collector {
        found,
        members: Vec::new(),
        seen: HashSet::new(),
        version_sets: HashMap::new(),
    };
    for resource in &resources {
        if resource.kind.eq_ignore_ascii_case("apiVersionSets")
            || resource.kind.eq_ignore_ascii_case("api-version-sets")
        {
            let scheme = resource.text("versioningScheme").unwrap_or("Segment");
            collector
                .version_sets
                .insert(resource.id(), scheme.to_owned());
        }
    }
    let (apis, others): (Vec<_>, Vec<_>) = resources
        .into_iter()
        .partition(|resource| resource.kind.eq_ignore_ascii_case("apis"));
    collector.apis(apis);
    for resource in others {
        collector.other(&resource);
    }
    collector.add_members();
    collector.join_versions();
}

struct Collector<'f> {
    found: &'f mut Found,
    members: Vec<(String, String)>,
    seen: HashSet<(&'static str, String)>,
    version_sets: HashMap<String, String>,
}

impl Collector<'_> {
    fn leave_out(&mut self, kind: &str, id: impl AsRef<str>, reason: impl Into<String>) {
        report(&mut self.found.left_out, kind, id, reason);
    }

    /// Of the revisions of an API, the current one counts.
    fn apis(&mut self, resources: Vec<Resource>) {
        let mut by_id: Vec<(String, Vec<Resource>)> = Vec::new();
        for resource in resources {
            let id = resource.id();
            match by_id.iter_mut().find(|(known, _)| *known == id) {
                Some((_, revisions)) => revisions.push(resource),
                None => by_id.push((id, vec![resource])),
            }
        }
        for (id, mut revisions) in by_id {
            revisions.sort_by_key(|revision| {
                let is_current = revision.flag("isCurrent") == Some(true);
                let is_base = revision.names.last().is_some_and(|name| *name == id);
                (!is_current, !is_base)
            });
            let mut revisions = revisions.into_iter();
            if let Some(api) = revisions.next() {
                self.api(&id, &api);
            }
            for revision in revisions {
                let name = revision.names.last().cloned().unwrap_or_default();
                let reason = if name == id {
                    "it is listed twice"
                } else {
                    "this revision is not the current one"
                };
                self.leave_out("apis", &name, reason);
            }
        }
    }

    fn api(&mut self, id: &str, resource: &Resource) {
        let mut path = match (resource.text("path"), resource.unresolved("path")) {
            (Some(path), _) => format!("/{}", path.trim_matches('/')),
            (None, Some(reason)) => {
                let reason = format!("its path has no value: {reason}");
                return self.leave_out("apis", id, reason);
            }
            (None, None) if resource.properties.contains_key("displayName") => "/".to_owned(),
            (None, None) => {
                return self.leave_out("apis", id, "it has no path");
            }
        };
        if let Some(version) = resource
            .text("apiVersion")
            .filter(|version| !version.is_empty())
            && self.versions_by_segment(resource)
            && !path.ends_with(&format!("/{version}"))
        {
            path = format!("{}/{version}", path.trim_end_matches('/'));
        }
        if path == "/" {
            path.clear();
        }
        for field in ["subscriptionRequired", "subscriptionKeyParameterNames"] {
            if let Some(reason) = resource.unresolved(field) {
                let reason = format!("its {field} has no value: {reason}");
                return self.leave_out("apis", id, reason);
            }
        }
        let mut api = Api::new(id, path)
            .with_subscription_required(resource.flag("subscriptionRequired") != Some(false));
        if let Some(name) = resource.text("displayName") {
            api = api.with_display_name(name);
        }
        let names = resource.properties.get("subscriptionKeyParameterNames");
        let name = |field: &str| names?.get(field)?.as_str().filter(|name| !name.is_empty());
        match name("header").map(KeyHeader::new) {
            Some(Ok(header)) => api = api.with_key_header(header),
            Some(Err(error)) => self.leave_out("apis", id, error.to_string()),
            None => {}
        }
        match name("query").map(KeyQuery::new) {
            Some(Ok(query)) => api = api.with_key_query(query),
            Some(Err(error)) => self.leave_out("apis", id, error.to_string()),
            None => {}
        }
        self.found.apis.push(api);
    }

    /// Whether the version is a part of the path. If its set is not in the files, it is
    /// taken for one.
    fn versions_by_segment(&self, resource: &Resource) -> bool {
        let set = resource
            .text("apiVersionSetId")
            .and_then(|id| id.rsplit('/').next());
        let inline = resource.properties.get("apiVersionSet");
        let inline = inline
            .and_then(|set| set.get("versioningScheme"))
            .and_then(Value::as_str);
        let scheme = set
            .and_then(|set| self.version_sets.get(set))
            .map(String::as_str)
            .or(inline);
        scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case("segment"))
    }

    fn other(&mut self, resource: &Resource) {
        let kind = resource.kind.to_ascii_lowercase();
        match &*kind {
            "products" => self.product(resource),
            "products/apis" | "products/apilinks" => self.member(resource),
            "subscriptions" => self.subscription(resource),
            _ => {
                let reason = match &*kind {
                    "apiversionsets" | "api-version-sets" => {
                        "its scheme is used for the paths of its APIs"
                    }
                    kind if kind.ends_with("policies") => {
                        "policies are not carried over: what they refuse is not refused here"
                    }
                    _ => "a catalog has no place for it",
                };
                count(&mut self.found.left_out, &resource.kind, reason);
            }
        }
    }

    fn product(&mut self, resource: &Resource) {
        let id = resource.id();
        if !self.seen.insert(("products", id.clone())) {
            return self.leave_out("products", &id, "it is listed twice");
        }
        if let Some(reason) = resource.unresolved("subscriptionRequired") {
            let reason = format!("its subscriptionRequired has no value: {reason}");
            return self.leave_out("products", &id, reason);
        }
        let state = resource.text("state").unwrap_or("notPublished");
        let mut product = Product::new(&*id)
            .with_subscription_required(resource.flag("subscriptionRequired") != Some(false))
            .with_published(state.eq_ignore_ascii_case("published"));
        if let Some(name) = resource.text("displayName") {
            product = product.with_display_name(name);
        }
        self.found.products.push(product);
    }

    fn member(&mut self, resource: &Resource) {
        let [product, .., name] = resource.names.as_slice() else {
            return count(
                &mut self.found.left_out,
                &resource.kind,
                "its name has too few parts",
            );
        };
        let linked = resource.text("apiId").and_then(|id| id.rsplit('/').next());
        let api = without_revision(linked.unwrap_or(name)).to_owned();
        let member = format!("{product}/{api}");
        if self.members.contains(&(product.clone(), api.clone())) {
            return self.leave_out("products/apis", &member, "it is listed twice");
        }
        // Lists of a product's members have the whole APIs.
        let is_whole = resource.properties.contains_key("path");
        if is_whole && !self.found.apis.iter().any(|known| known.id() == api) {
            self.api(&api, resource);
        }
        self.members.push((product.clone(), api));
    }

    /// Members go into their products, or are kept for products that exist.
    fn add_members(&mut self) {
        for (product, api) in std::mem::take(&mut self.members) {
            match self
                .found
                .products
                .iter_mut()
                .find(|known| known.id() == product)
            {
                Some(known) => *known = known.clone().with_apis([api]),
                None => self.found.memberships.push((product, api)),
            }
        }
    }

    fn subscription(&mut self, resource: &Resource) {
        let id = resource.id();
        if !self.seen.insert(("subscriptions", id.clone())) {
            return self.leave_out("subscriptions", &id, "it is listed twice");
        }
        let scope = resource.text("scope").or(resource.text("productId"));
        let unresolved = resource
            .unresolved("scope")
            .or(resource.unresolved("productId"));
        let scope = match (scope, unresolved) {
            (Some(scope), _) => scope,
            (None, Some(reason)) => {
                let reason = format!("its scope has no value: {reason}");
                return self.leave_out("subscriptions", &id, reason);
            }
            (None, None) => {
                return self.leave_out("subscriptions", &id, "it has no scope");
            }
        };
        let Some(scope) = parse_scope(scope) else {
            return self.leave_out("subscriptions", &id, "its scope cannot be read");
        };
        let keys = self.keys(resource, &id);
        if id == "master" && keys.is_empty() {
            let reason = "every database has an all-access subscription of its own";
            return self.leave_out("subscriptions", &id, reason);
        }
        let state = resource
            .text("state")
            .unwrap_or("submitted")
            .to_ascii_lowercase();
        let Ok(state) = state.parse::<State>() else {
            return self.leave_out("subscriptions", &id, "its state cannot be read");
        };
        let mut subscription = Subscription::new(&*id).with_scope(scope).with_state(state);
        if let Some(name) = resource.text("displayName") {
            subscription = subscription.with_display_name(name);
        }
        let owner = resource.text("ownerId").or(resource.text("userId"));
        if let Some(owner) = owner
            .and_then(|owner| owner.rsplit('/').next())
            .filter(|owner| !owner.is_empty())
        {
            subscription = subscription.with_owner(owner);
        }
        self.found
            .subscriptions
            .push(FoundSubscription { subscription, keys });
    }

    /// In Azure, a header or query parameter can choose among several APIs with one path.
    /// A catalog has one API for the path. If they do not let in the same callers, none of
    /// them is carried over.
    fn join_versions(&mut self) {
        let callers = |found: &Found, api: &Api| {
            let of_api = |(_, member): &&(String, String)| member == api.id();
            let products = found.products.iter();
            let products =
                products.filter(|product| product.apis().iter().any(|id| id == api.id()));
            let products = products.map(|product| product.id().to_owned());
            let others = found.memberships.iter().filter(of_api);
            let products = products.chain(others.map(|(product, _)| product.clone()));
            let scope = Scope::Api(api.id().to_owned());
            let subscriptions = found.subscriptions.iter().map(|found| &found.subscription);
            let subscriptions = subscriptions.filter(|known| known.scopes().contains(&scope));
            let subscriptions = subscriptions.map(|known| known.id().to_owned());
            let required = api.subscription_required();
            (
                required,
                products.collect::<HashSet<_>>(),
                subscriptions.collect::<HashSet<_>>(),
            )
        };
        let apis = std::mem::take(&mut self.found.apis);
        for (at, api) in apis.iter().enumerate() {
            let same = |other: &&Api| other.path() == api.path();
            let own = callers(self.found, api);
            let reason = if apis
                .iter()
                .filter(same)
                .any(|other| callers(self.found, other) != own)
            {
                "another API has its path and lets in other callers"
            } else if apis[..at].iter().any(|other| same(&other)) {
                "another API with its path takes its requests, too"
            } else {
                self.found.apis.push(api.clone());
                continue;
            };
            self.leave_out("apis", api.id(), reason);
        }
    }

    fn keys(&mut self, resource: &Resource, id: &str) -> Vec<(KeySlot, crate::import::Key)> {
        let mut keys = Vec::new();
        for (slot, field) in [
            (KeySlot::Primary, "primaryKey"),
            (KeySlot::Secondary, "secondaryKey"),
        ] {
            if let Some(reason) = resource.unresolved(field) {
                let reason = format!("its {field} has no value: {reason}");
                self.leave_out("keys", id, reason);
            }
            let Some(text) = resource.text(field).filter(|text| !text.is_empty()) else {
                continue;
            };
            match placeholder::key(text) {
                Written::Key(key) => keys.push((slot, key)),
                Written::Unresolved => {
                    let reason = format!("its {field} is a reference that cannot be followed");
                    self.leave_out("keys", id, reason);
                }
            }
        }
        keys
    }
}

/// A scope in its short form, or as a full id.
fn parse_scope(text: &str) -> Option<Scope> {
    let below = below_service(text)?.trim_end_matches('/');
    let mut segments = below.split('/').skip(1);
    let kind = segments.next().map(str::to_ascii_lowercase);
    let id = segments.next().map(without_revision);
    if segments.next().is_some() {
        return None;
    }
    match (kind.as_deref(), id) {
        (None | Some(""), None) => Some(Scope::Service),
        (Some("apis"), None) => Some(Scope::AllApis),
        (Some("apis"), Some(id)) => Some(Scope::Api(id.to_owned())),
        (Some("products"), Some(id)) => Some(Scope::Product(id.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_is_read_in_short_and_full_form() {
        let service =
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/svc";
        for (text, expected) in [
            ("/", Some(Scope::Service)),
            (service, Some(Scope::Service)),
            (&format!("{service}/"), Some(Scope::Service)),
            ("/apis", Some(Scope::AllApis)),
            (&format!("{service}/apis"), Some(Scope::AllApis)),
            ("/apis/echo;rev=2", Some(Scope::Api("echo".into()))),
            (
                &format!("{service}/Products/starter"),
                Some(Scope::Product("starter".into())),
            ),
            ("/products", None),
            ("/users/x", None),
            ("products/starter", None),
        ] {
            assert_eq!(parse_scope(text), expected, "{text}");
        }
    }
}
