//! APIs, products and subscriptions as the tool shows them: without keys and
//! digests.

use std::time::SystemTime;

use serde_json::{Value, json};
use tower_subscription_key::catalog::{
    Api, KeySlot, Product, State, Subscription, SubscriptionKey,
};
use tower_subscription_key::document::format_time;
use tower_subscription_key::manage::{ApiRecord, ProductRecord, SubscriptionRecord};

use crate::output;

pub(crate) fn api(api: &Api) -> Value {
    json!({
        "id": api.id(),
        "display_name": api.display_name(),
        "path": api.path(),
        "subscription_required": api.subscription_required(),
        "key_names": {
            "header": api.key_header().map(|header| header.spelling()),
            "query": api.key_query().map(|query| query.name()),
        },
        "metadata": metadata(api.metadata().iter()),
    })
}

pub(crate) fn product(product: &Product) -> Value {
    json!({
        "id": product.id(),
        "display_name": product.display_name(),
        "apis": product.apis(),
        "subscription_required": !product.is_open(),
        "published": product.is_published(),
        "metadata": metadata(product.metadata().iter()),
    })
}

pub(crate) fn subscription(subscription: &Subscription) -> Value {
    let scopes: Vec<String> = subscription
        .scopes()
        .iter()
        .map(ToString::to_string)
        .collect();
    let key = |retired: bool| {
        move |(slot, key): (KeySlot, &SubscriptionKey)| {
            let expires_at = key.expires_at().map(format_time);
            json!({ "slot": slot.as_str(), "retired": retired, "expires_at": expires_at })
        }
    };
    let keys = subscription.keys().map(key(false));
    let keys: Vec<Value> = keys
        .chain(subscription.retired_keys().map(key(true)))
        .collect();
    json!({
        "id": subscription.id(),
        "display_name": subscription.display_name(),
        "scope": scopes.first(),
        "scopes": scopes,
        "owner": subscription.owner(),
        "state": state(subscription).as_str(),
        "not_before": subscription.not_before().map(format_time),
        "expires_at": subscription.expires_at().map(format_time),
        "keys": keys,
        "metadata": metadata(subscription.metadata().iter()),
    })
}

/// The state now: an active subscription that has ended is expired.
pub(crate) fn state(subscription: &Subscription) -> State {
    let has_ended = subscription
        .expires_at()
        .is_some_and(|end| end <= SystemTime::now());
    match subscription.state() {
        State::Active if has_ended => State::Expired,
        state => state,
    }
}

/// An API of a database, with what only a database keeps.
pub(crate) fn api_record(record: &ApiRecord) -> Value {
    let own = json!({
        "description": record.description,
        "created_at": format_time(record.created_at),
        "updated_at": format_time(record.updated_at),
        "version": record.version,
    });
    merged(api(&record.to_catalog()), own)
}

/// A product of a database.
pub(crate) fn product_record(record: &ProductRecord) -> Value {
    let own = json!({
        "description": record.description,
        "terms": record.terms,
        "approval_required": record.approval_required,
        "subscriptions_limit": record.subscriptions_limit,
        "created_at": format_time(record.created_at),
        "updated_at": format_time(record.updated_at),
        "version": record.version,
    });
    merged(product(&record.to_catalog()), own)
}

/// A subscription of a database, with the last use of its keys.
pub(crate) fn subscription_record(record: &SubscriptionRecord) -> Value {
    let used = |slot: KeySlot| {
        let used = record.key(slot).and_then(|key| key.last_used_at);
        used.map(format_time)
    };
    let own = json!({
        "description": record.description,
        "state_comment": record.state_comment,
        "created_at": format_time(record.created_at),
        "updated_at": format_time(record.updated_at),
        "started_at": record.started_at.map(format_time),
        "ended_at": record.ended_at.map(format_time),
        "primary_key_last_used": used(KeySlot::Primary),
        "secondary_key_last_used": used(KeySlot::Secondary),
        "version": record.version,
    });
    merged(subscription(&record.to_catalog()), own)
}

pub(crate) fn requirement(is_required: bool) -> &'static str {
    match is_required {
        true => "required",
        false => "not required",
    }
}

fn merged(mut value: Value, own: Value) -> Value {
    if let (Value::Object(value), Value::Object(own)) = (&mut value, own) {
        value.extend(own);
    }
    value
}

fn metadata<'m>(values: impl Iterator<Item = (&'m str, &'m Value)>) -> Value {
    values
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// One record for people: a field in each line.
pub(crate) fn record(fields: &Value) -> String {
    let Value::Object(object) = fields else {
        return String::new();
    };
    // The id first, then as catalogs have them.
    const ORDER: [&str; 14] = [
        "id",
        "display_name",
        "path",
        "apis",
        "scopes",
        "owner",
        "state",
        "subscription_required",
        "published",
        "key_names",
        "keys",
        "not_before",
        "expires_at",
        "metadata",
    ];
    let rest = object
        .keys()
        .map(String::as_str)
        .filter(|name| !ORDER.contains(name) && *name != "scope");
    let rows = ORDER.into_iter().chain(rest).filter_map(|name| {
        let value = object.get(name)?;
        let text = if name == "keys" {
            keys(value)
        } else {
            text(value)
        };
        (!text.is_empty()).then(|| [name.to_owned(), text])
    });
    output::table(["", ""], rows)
}

/// `primary, replaced primary until 2027-01-01T00:00:00Z`
fn keys(keys: &Value) -> String {
    let key = |key: &Value| {
        let slot = text(&key["slot"]);
        let retired = if key["retired"] == true {
            "replaced "
        } else {
            ""
        };
        let end = key["expires_at"].as_str();
        let end = end.map_or(String::new(), |end| format!(" until {end}"));
        format!("{retired}{slot}{end}")
    };
    let keys = keys.as_array().into_iter().flatten().map(key);
    keys.collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<String> = fields
                .map(|(name, value)| format!("{name}={}", text(value)))
                .collect();
            fields.join(" ")
        }
        other => other.to_string(),
    }
}
