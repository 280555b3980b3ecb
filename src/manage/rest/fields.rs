//! The fields of a request as `manage` takes them, and the JSON names of those
//! that it refuses.

use crate::catalog::{Metadata, Scope, State};
use crate::manage::rest::body::{Draft, flag, text, texts, time};
use crate::manage::rest::resource;
use crate::manage::{ApiFields, KeyInput, ProductFields, Set, SubscriptionFields};
use serde_json::Value;

const SCOPES: &str =
    "Subscription scope should be one of '/apis', '/apis/{apiId}', '/products/{productId}'";

/// The longest display name of a subscription that a request sets, in characters.
const LONGEST_NAME: usize = 100;

pub(super) fn subscription(body: &Value) -> SubscriptionFields {
    let mut draft = Draft::of_properties(body);
    SubscriptionFields {
        display_name: draft.set("displayName", short_name),
        scope: draft.option("scope", scope),
        scopes: draft.option("scopes", scopes),
        owner: draft.set("ownerId", owner),
        state: draft.option("state", state),
        initial_state: Some(State::Submitted),
        state_comment: draft.set("stateComment", text),
        primary_key: key(&mut draft, "primaryKey", "primaryKeySha256"),
        secondary_key: key(&mut draft, "secondaryKey", "secondaryKeySha256"),
        key_prefix: draft.option("keyPrefix", text),
        leave_keys_out: false,
        not_before: draft.set("notBefore", time),
        expires_at: draft.set("expirationDate", time),
        metadata: draft.set("metadata", metadata),
        description: draft.set("description", text),
        terms_accepted: draft.option("termsAccepted", flag),
        allow_tracing: draft.set("allowTracing", flag),
        issues: draft.issues,
    }
}

pub(super) fn product(body: &Value) -> ProductFields {
    let mut draft = Draft::of_properties(body);
    ProductFields {
        display_name: draft.set("displayName", text),
        apis: None,
        subscription_required: draft.option("subscriptionRequired", flag),
        published: draft.option("state", published),
        initially_published: Some(false),
        metadata: draft.set("metadata", metadata),
        description: draft.set("description", text),
        terms: draft.set("terms", text),
        approval_required: draft.option("approvalRequired", flag),
        subscriptions_limit: draft.set("subscriptionsLimit", limit),
        issues: draft.issues,
    }
}

pub(super) fn api(body: &Value) -> ApiFields {
    let mut draft = Draft::of_properties(body);
    let (key_header, key_query) = key_names(&mut draft);
    ApiFields {
        path: draft.option("path", path),
        display_name: draft.set("displayName", text),
        subscription_required: draft.option("subscriptionRequired", flag),
        key_header,
        key_query,
        metadata: draft.set("metadata", metadata),
        description: draft.set("description", text),
        service_url: draft.set("serviceUrl", text),
        protocols: draft.set("protocols", texts),
        api_type: draft.set("type", text),
        api_version: draft.set("apiVersion", text),
        api_revision: draft.set("apiRevision", text),
        issues: draft.issues,
    }
}

/// The JSON name of a field of `manage`. Ids of records stay as they are.
pub(super) fn json_name(field: &str) -> String {
    let name = match field {
        "id" => "name",
        "display_name" => "displayName",
        "owner" => "ownerId",
        "published" => "state",
        "state_comment" => "stateComment",
        "primary_key" => "primaryKey",
        "secondary_key" => "secondaryKey",
        "key_prefix" => "keyPrefix",
        "not_before" => "notBefore",
        "expires_at" => "expirationDate",
        "terms_accepted" => "termsAccepted",
        "terms_accepted_at" => "termsAcceptedDate",
        "allow_tracing" => "allowTracing",
        "subscription_required" => "subscriptionRequired",
        "approval_required" => "approvalRequired",
        "subscriptions_limit" => "subscriptionsLimit",
        "key_names" => "subscriptionKeyParameterNames",
        "key_names.header" | "key_header" => "subscriptionKeyParameterNames.header",
        "key_names.query" | "key_query" => "subscriptionKeyParameterNames.query",
        "service_url" => "serviceUrl",
        "api_type" => "type",
        "api_version" => "apiVersion",
        "api_revision" => "apiRevision",
        "started_at" => "startDate",
        "ended_at" => "endDate",
        "created_at" => "createdDate",
        "updated_at" => "updatedDate",
        "grace" => "graceSeconds",
        other => other,
    };
    name.to_owned()
}

/// Renames fields as the given request named them.
pub(super) fn json_name_in(body: &Value) -> impl Fn(&str) -> String + '_ {
    let draft = Draft::of_properties(body);
    let names = move |name: &str| matches!(draft.get(name), Set::To(_));
    move |field| match field {
        "scope" | "scopes" if names("scopes") && !names("scope") => "scopes".to_owned(),
        "scope" | "scopes" => "scope".to_owned(),
        "primary_key" if names("primaryKeySha256") => "primaryKeySha256".to_owned(),
        "secondary_key" if names("secondaryKeySha256") => "secondaryKeySha256".to_owned(),
        _ => json_name(field),
    }
}

fn short_name(value: &Value) -> Result<String, String> {
    let name = text(value)?;
    if (1..=LONGEST_NAME).contains(&name.chars().count()) {
        Ok(name)
    } else {
        Err(format!("a display name has 1 to {LONGEST_NAME} characters"))
    }
}

fn scope(value: &Value) -> Result<Scope, String> {
    match resource::scope(&text(value)?) {
        Ok(Scope::Service) | Err(_) => Err(SCOPES.to_owned()),
        Ok(scope) => Ok(scope),
    }
}

fn scopes(value: &Value) -> Result<Vec<Scope>, String> {
    let items = value.as_array().ok_or("expected a list of scopes")?;
    items.iter().map(scope).collect()
}

fn owner(value: &Value) -> Result<String, String> {
    Ok(resource::owner(&text(value)?).to_owned())
}

fn state(value: &Value) -> Result<State, String> {
    let word = text(value)?.to_ascii_lowercase();
    word.parse::<State>().map_err(|error| error.to_string())
}

fn published(value: &Value) -> Result<bool, String> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "published" => Ok(true),
        "notpublished" => Ok(false),
        _ => Err("the state of a product is `published` or `notPublished`".to_owned()),
    }
}

fn limit(value: &Value) -> Result<u32, String> {
    let limit = value.as_u64().and_then(|limit| u32::try_from(limit).ok());
    limit.ok_or_else(|| format!("expected a whole number from 1 to {}", u32::MAX))
}

/// With or without the leading slash.
fn path(value: &Value) -> Result<String, String> {
    let path = text(value)?;
    if path.is_empty() || path.starts_with('/') {
        return Ok(path);
    }
    Ok(format!("/{path}"))
}

fn metadata(value: &Value) -> Result<Metadata, String> {
    let values = value.as_object().ok_or("expected an object")?;
    Ok(Metadata::from(values.clone()))
}

fn key(draft: &mut Draft<'_>, by_text: &str, by_digest: &str) -> Option<KeyInput> {
    let by_hand = draft.option(by_text, |value| Ok(KeyInput::text(text(value)?)));
    let digest = draft.option(by_digest, |value| {
        let digest = text(value)?.parse();
        let digest = digest.map_err(|_| "expected the SHA-256 of a key, as 64 hex digits")?;
        Ok(KeyInput::digest(digest))
    });
    if by_hand.is_some() && digest.is_some() {
        draft.refuse(
            by_digest,
            format!("name `{by_text}` or `{by_digest}`, not both"),
        );
    }
    by_hand.or(digest)
}

fn key_names(draft: &mut Draft<'_>) -> (Set<String>, Set<String>) {
    const NAME: &str = "subscriptionKeyParameterNames";
    let value = match draft.get(NAME) {
        Set::Keep => return (Set::Keep, Set::Keep),
        Set::Clear => return (Set::Clear, Set::Clear),
        Set::To(value) => value,
    };
    let mut names = Draft::of(value);
    let (header, query) = (names.set("header", text), names.set("query", text));
    for issue in names.issues {
        let target = match issue.field.as_str() {
            "body" => NAME.to_owned(),
            field => format!("{NAME}.{field}"),
        };
        draft.refuse(&target, issue.message);
    }
    (header, query)
}
