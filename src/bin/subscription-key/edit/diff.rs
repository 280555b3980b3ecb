use std::collections::HashMap;

use tower_subscription_key::catalog::{
    Api, Catalog, KeySlot, Metadata, Product, State, Subscription, SubscriptionKey,
};
use tower_subscription_key::document;
use tower_subscription_key::key::KeyDigest;

use super::{EntryChange, FieldChange, Kind, Literal};

/// Where a key of a file comes from, if it is not in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyForm {
    Env(String),
    File(String),
}

/// The keys that are not in the file, by their digest.
pub(crate) type KeyForms = HashMap<KeyDigest, KeyForm>;

type Fields = Vec<(&'static str, Literal)>;

/// The changes that turn a file with the catalog `old` into one with `new`.
pub(crate) fn diff(old: &Catalog, new: &Catalog, forms: &KeyForms) -> Vec<EntryChange> {
    let mut changes = Vec::new();
    compare(
        Kind::Api,
        old.apis()
            .map(|api| (api.id().to_owned(), api_fields(api)))
            .collect(),
        new.apis()
            .map(|api| (api.id().to_owned(), api_fields(api)))
            .collect(),
        &mut changes,
    );
    compare(
        Kind::Product,
        old.products()
            .map(|p| (p.id().to_owned(), product_fields(p)))
            .collect(),
        new.products()
            .map(|p| (p.id().to_owned(), product_fields(p)))
            .collect(),
        &mut changes,
    );
    let of = |s: Subscription| (s.id().to_owned(), subscription_fields(&s, forms));
    compare(
        Kind::Subscription,
        old.subscriptions().map(of).collect(),
        new.subscriptions().map(of).collect(),
        &mut changes,
    );
    changes
}

fn compare(
    kind: Kind,
    old: Vec<(String, Fields)>,
    new: Vec<(String, Fields)>,
    changes: &mut Vec<EntryChange>,
) {
    let mut left: HashMap<String, Fields> = new.iter().cloned().collect();
    let mut known = std::collections::HashSet::new();
    for (id, before) in old {
        known.insert(id.clone());
        match left.remove(&id) {
            None => changes.push(EntryChange::Remove(kind, id)),
            Some(after) if after == before => {}
            Some(after) => {
                let fields = changed_fields(&before, &after);
                changes.push(EntryChange::Set(kind, id, fields));
            }
        }
    }
    let added = new.into_iter().filter(|(id, _)| !known.contains(id));
    changes.extend(added.map(|(_, fields)| EntryChange::Add(kind, fields)));
}

fn changed_fields(before: &Fields, after: &Fields) -> Vec<FieldChange> {
    let value = |fields: &Fields, name: &str| {
        let field = fields.iter().find(|(field, _)| *field == name);
        field.map(|(_, value)| value.clone())
    };
    let mut changes = Vec::new();
    for (name, new) in after {
        if value(before, name).as_ref() != Some(new) {
            let value = Some(new.clone());
            changes.push(FieldChange { name, value });
        }
    }
    for (name, _) in before {
        if value(after, name).is_none() {
            changes.push(FieldChange { name, value: None });
        }
    }
    changes
}

pub(crate) fn api_fields(api: &Api) -> Fields {
    let mut fields = named(api.id(), api.display_name());
    fields.push(("path", Literal::text(api.path())));
    if !api.subscription_required() {
        fields.push(("subscription_required", Literal::Flag(false)));
    }
    let header = api.key_header().map(|header| ("header", header.spelling()));
    let query = api.key_query().map(|query| ("query", query.name()));
    let names: Vec<_> = header
        .into_iter()
        .chain(query)
        .map(|(name, value)| (name.to_owned(), Literal::text(value)))
        .collect();
    if !names.is_empty() {
        fields.push(("key_names", Literal::Table(names)));
    }
    metadata(&mut fields, api.metadata());
    fields
}

pub(crate) fn product_fields(product: &Product) -> Fields {
    let mut fields = named(product.id(), product.display_name());
    fields.push(("apis", Literal::texts(product.apis())));
    if product.is_open() {
        fields.push(("subscription_required", Literal::Flag(false)));
    }
    if !product.is_published() {
        fields.push(("published", Literal::Flag(false)));
    }
    metadata(&mut fields, product.metadata());
    fields
}

pub(crate) fn subscription_fields(subscription: &Subscription, forms: &KeyForms) -> Fields {
    let mut fields = named(subscription.id(), subscription.display_name());
    let scopes = subscription.scopes().iter().map(ToString::to_string);
    fields.push(("scopes", Literal::texts(scopes)));
    if let Some(owner) = subscription.owner() {
        fields.push(("owner", Literal::text(owner)));
    }
    if subscription.state() != State::Active {
        fields.push(("state", Literal::text(subscription.state().as_str())));
    }
    for (slot, key) in subscription.keys() {
        let name = match slot {
            KeySlot::Primary => "primary_key",
            KeySlot::Secondary => "secondary_key",
        };
        fields.push((name, Literal::Table(key_table(key, forms))));
    }
    let retired = subscription.retired_keys().map(|(slot, key)| {
        let slot = ("slot".to_owned(), Literal::text(slot.as_str()));
        let mut table = vec![slot];
        table.extend(key_table(key, forms));
        Literal::Table(table)
    });
    let retired: Vec<_> = retired.collect();
    if !retired.is_empty() {
        fields.push(("retired_keys", Literal::List(retired)));
    }
    let times = [
        ("not_before", subscription.not_before()),
        ("expires_at", subscription.expires_at()),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            fields.push((name, Literal::text(document::format_time(time))));
        }
    }
    metadata(&mut fields, subscription.metadata());
    fields
}

fn key_table(key: &SubscriptionKey, forms: &KeyForms) -> Vec<(String, Literal)> {
    let (name, value) = match forms.get(key.digest()) {
        Some(KeyForm::Env(name)) => ("env", name.clone()),
        Some(KeyForm::File(path)) => ("file", path.clone()),
        None => ("sha256", key.digest().to_hex()),
    };
    let mut table = vec![(name.to_owned(), Literal::Text(value))];
    if let Some(end) = key.expires_at() {
        let end = document::format_time(end);
        table.push(("expires_at".to_owned(), Literal::Text(end)));
    }
    table
}

fn named(id: &str, display_name: &str) -> Fields {
    let mut fields = vec![("id", Literal::text(id))];
    if display_name != id {
        fields.push(("display_name", Literal::text(display_name)));
    }
    fields
}

fn metadata(fields: &mut Fields, metadata: &Metadata) {
    if !metadata.is_empty() {
        let values = metadata
            .iter()
            .map(|(name, value)| (name.to_owned(), value.clone()));
        let values = serde_json::Value::Object(values.collect());
        fields.push(("metadata", Literal::Json(values)));
    }
}
