use serde_json::Value;

use crate::catalog::{KeySlot, Scope, Subscription};
use crate::import::kong::plugins::Plugins;
use crate::import::kong::{Products, free_id, id_of, is_named, reference};
use crate::import::placeholder::{self, Written};
use crate::import::source::{list, text};
use crate::import::{Found, FoundSubscription, Key, LeftOut, count, report};

/// A consumer, with what other parts of the file say about it.
pub(super) struct Consumer<'c> {
    pub(super) value: &'c Value,
    pub(super) groups: Vec<String>,
    credentials: Vec<&'c Value>,
    is_in_consumer_group: bool,
}

impl Consumer<'_> {
    fn name(&self) -> &str {
        let value = self.value;
        text(value, "username")
            .or(text(value, "custom_id"))
            .or(text(value, "id"))
            .unwrap_or_default()
    }
}

/// Lists of a consumer that are no credentials.
const NO_CREDENTIALS: [&str; 5] = ["acls", "groups", "keyauth_credentials", "plugins", "tags"];

/// Reads consumers with their keys and groups, nested and at the top.
pub(super) fn read<'c>(config: &'c Value, left_out: &mut Vec<LeftOut>) -> Vec<Consumer<'c>> {
    let mut consumers = Vec::new();
    for value in list(config, "consumers") {
        let nested = list(value, "acls").iter();
        let top = list(config, "acls").iter().filter(|acl| is_of(acl, value));
        let groups = nested.chain(top).filter_map(|acl| text(acl, "group"));
        let own = list(value, "keyauth_credentials").iter();
        let top = list(config, "keyauth_credentials")
            .iter()
            .filter(|key| is_of(key, value));
        let in_groups = list(config, "consumer_groups").iter().any(|group| {
            list(group, "consumers")
                .iter()
                .any(|member| reference(Some(member)).is_some_and(|name| is_named(value, name)))
        });
        for (name, value) in value.as_object().into_iter().flatten() {
            let is_other = !NO_CREDENTIALS.contains(&&**name);
            for _ in value.as_array().filter(|_| is_other).into_iter().flatten() {
                count(left_out, name, "only keys of key-auth are carried over");
            }
        }
        consumers.push(Consumer {
            value,
            groups: groups.map(str::to_owned).collect(),
            credentials: own.chain(top).collect(),
            is_in_consumer_group: in_groups || !list(value, "groups").is_empty(),
        });
    }
    let known = |credential: &&Value| {
        consumers
            .iter()
            .any(|consumer| is_of(credential, consumer.value))
    };
    for _ in list(config, "keyauth_credentials")
        .iter()
        .filter(|key| !known(key))
    {
        let reason = "its consumer is not in the files";
        count(left_out, "keyauth_credentials", reason);
    }
    consumers
}

fn is_of(credential: &Value, consumer: &Value) -> bool {
    reference(credential.get("consumer")).is_some_and(|name| is_named(consumer, name))
}

/// A subscription for each two keys of a consumer.
pub(super) fn subscriptions(
    consumers: &[Consumer<'_>],
    plugins: &Plugins<'_>,
    products: &Products,
    found: &mut Found,
) {
    for consumer in consumers {
        let name = consumer.name();
        let mut leave_out = |reason: &str| {
            report(&mut found.left_out, "consumers", name, reason);
        };
        if consumer.credentials.is_empty() {
            leave_out("it has no key of key-auth");
            continue;
        }
        if plugins.guards_consumer(consumer.value)
            || (consumer.is_in_consumer_group && plugins.guards_groups())
        {
            leave_out("a plugin of its own decides whether it gets in");
            continue;
        }
        let admitting = products.keys.iter().zip(&products.products);
        let admitting = admitting.filter(|(keys, _)| keys.admits(&consumer.groups));
        let scopes = admitting.map(|(_, product)| Scope::Product(product.id().to_owned()));
        let scopes: Vec<Scope> = scopes.collect();
        if scopes.is_empty() {
            leave_out("its keys open nothing: no route with key-auth lets it in");
            continue;
        }
        let keys = keys(consumer, &mut found.left_out);
        // Without any key that can be used it gets new ones, or is left out.
        let pairs = if keys.is_empty() {
            vec![&keys[..]]
        } else {
            keys.chunks(2).collect()
        };
        for two in pairs {
            let taken = |id: &str| {
                found
                    .subscriptions
                    .iter()
                    .any(|known| known.subscription.id() == id)
            };
            let id = free_id(&id_of(name), taken);
            let mut subscription = Subscription::new(&*id);
            if id != name {
                subscription = subscription.with_display_name(name);
            }
            if !name.contains('/') {
                subscription = subscription.with_owner(name);
            }
            for scope in &scopes {
                subscription = subscription.with_scope(scope.clone());
            }
            let slots = [KeySlot::Primary, KeySlot::Secondary];
            let keys = slots.into_iter().zip(two.iter().cloned()).collect();
            found
                .subscriptions
                .push(FoundSubscription { subscription, keys });
        }
    }
}

fn keys(consumer: &Consumer<'_>, left_out: &mut Vec<LeftOut>) -> Vec<Key> {
    let mut keys = Vec::new();
    for credential in &consumer.credentials {
        let mut leave_out = |reason: &str| {
            report(left_out, "keyauth_credentials", consumer.name(), reason);
        };
        if credential.get("ttl").is_some_and(|ttl| !ttl.is_null()) {
            leave_out("it ends, and when is not in the files");
            continue;
        }
        let Some(key) = text(credential, "key").filter(|key| !key.is_empty()) else {
            leave_out("it has no key: Kong would generate one");
            continue;
        };
        match placeholder::key(key) {
            Written::Key(key) if keys.contains(&key) => leave_out("it is listed twice"),
            Written::Key(key) => keys.push(key),
            Written::Unresolved => leave_out("its key is a reference that cannot be followed"),
        }
    }
    keys
}
