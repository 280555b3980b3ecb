//! The bodies of requests. They are read field by field, so that a field that is
//! not named stays as it is; these types only describe them.
#![allow(dead_code)]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct SubscriptionRequest {
    properties: SubscriptionFields,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionFields {
    /// Required for a new one: `/apis`, `/apis/{id}` or `/products/{id}`, also as a
    /// full resource id.
    scope: Option<String>,
    scopes: Option<Vec<String>>,
    /// 1 to 100 characters.
    display_name: Option<String>,
    /// As `/users/{id}`, a full resource id, or the bare id.
    owner_id: Option<String>,
    /// Default for a new one: `submitted`.
    state: Option<String>,
    state_comment: Option<String>,
    description: Option<String>,
    allow_tracing: Option<bool>,
    metadata: Option<BTreeMap<String, Value>>,
    /// Generated for a new subscription if absent.
    primary_key: Option<String>,
    /// Generated for a new subscription if absent.
    secondary_key: Option<String>,
    /// The SHA-256 of the key as 64 hex digits, instead of the key.
    primary_key_sha256: Option<String>,
    /// The SHA-256 of the key as 64 hex digits, instead of the key.
    secondary_key_sha256: Option<String>,
    /// The prefix of generated keys.
    key_prefix: Option<String>,
    /// The time from which it opens anything.
    not_before: Option<String>,
    /// The time from which it opens nothing more.
    expiration_date: Option<String>,
    /// Required for owners if the product has terms.
    terms_accepted: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ProductRequest {
    properties: ProductFields,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProductFields {
    display_name: Option<String>,
    description: Option<String>,
    /// The terms of use.
    terms: Option<String>,
    /// Default: true.
    subscription_required: Option<bool>,
    /// Default: false.
    approval_required: Option<bool>,
    /// How many subscriptions each owner may have, from 1 on.
    subscriptions_limit: Option<u32>,
    /// `published` or `notPublished` (the default).
    state: Option<String>,
    metadata: Option<BTreeMap<String, Value>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ApiRequest {
    properties: ApiFields,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiFields {
    /// Required for a new one: the prefix of its URLs.
    path: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    /// Default: true.
    subscription_required: Option<bool>,
    /// `{"header": …, "query": …}`
    #[schema(value_type = Option<Object>)]
    subscription_key_parameter_names: Option<Value>,
    protocols: Option<Vec<String>>,
    service_url: Option<String>,
    r#type: Option<String>,
    api_version: Option<String>,
    api_revision: Option<String>,
    metadata: Option<BTreeMap<String, Value>>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RotateRequest {
    /// `primary` or `secondary`.
    slot: String,
    /// For how long the replaced key keeps working, up to 31536000. Default: 0.
    grace_seconds: Option<u32>,
    /// The end of the new key, or null for none. Default: the slot keeps its own.
    expires_at: Option<String>,
    /// The prefix of the new key.
    key_prefix: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExplainRequest {
    /// The path of the request, unless `api` is named.
    path: Option<String>,
    /// The id of the API, unless `path` is named.
    api: Option<String>,
    /// The key that the request presents.
    key: Option<String>,
    /// The subscription whose key the request presents.
    subscription: Option<String>,
    /// Which key of the subscription. Default: the first that it has.
    slot: Option<String>,
    /// The time of the request. Default: now.
    at: Option<String>,
    /// `ignore` (the default) or `deny`.
    inapplicable_key: Option<String>,
    /// `deny` (the default) or `pass`.
    unmatched: Option<String>,
}
