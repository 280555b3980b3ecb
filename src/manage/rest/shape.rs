//! What answers look like.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::catalog::{KeySlot, Metadata};
use crate::document::format_time;
use crate::manage::rest::fields::json_name;
use crate::manage::rest::resource::Place;
use crate::manage::{
    ApiRecord, AuditEntry, Caller, FieldChange, ProductRecord, RecordKind, RecordRef, Regenerated,
    Replica, Secret, Secrets, SubscriptionRecord,
};

const SERVICE: &str = "Microsoft.ApiManagement/service";

/// A record, in the envelope that all share.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resource<P> {
    /// The full id.
    id: String,
    r#type: String,
    /// The id within its collection.
    pub(super) name: String,
    #[schema(inline)]
    properties: P,
    /// The version, for the tag. Zero for what has none.
    #[serde(skip)]
    pub(super) version: u64,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct List<T> {
    #[schema(inline)]
    pub(super) value: Vec<T>,
    /// How many there are on all pages.
    pub(super) count: u64,
    /// The address of the next page, or nothing.
    pub(super) next_link: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionProperties {
    /// The first scope.
    scope: Option<String>,
    scopes: Vec<String>,
    display_name: String,
    owner_id: Option<String>,
    state: &'static str,
    state_comment: Option<String>,
    description: Option<String>,
    allow_tracing: Option<bool>,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    created_date: String,
    /// The first time that it was active.
    start_date: Option<String>,
    /// The time at which it was cancelled or expired.
    end_date: Option<String>,
    /// The time from which it opens nothing more.
    expiration_date: Option<String>,
    /// The time from which it opens anything.
    not_before: Option<String>,
    /// Always null: there are no notifications.
    notification_date: Option<String>,
    terms_accepted_date: Option<String>,
    primary_key_last_used: Option<String>,
    secondary_key_last_used: Option<String>,
    /// In the answer of the call that generated it, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_key: Option<String>,
    /// In the answer of the call that generated it, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    secondary_key: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProductProperties {
    display_name: String,
    description: Option<String>,
    terms: Option<String>,
    subscription_required: bool,
    approval_required: bool,
    subscriptions_limit: Option<u32>,
    /// `published` or `notPublished`.
    state: &'static str,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    created_date: String,
    updated_date: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiProperties {
    display_name: String,
    /// Without a leading slash.
    path: String,
    description: Option<String>,
    subscription_required: bool,
    subscription_key_parameter_names: Option<KeyNames>,
    protocols: Vec<String>,
    service_url: Option<String>,
    r#type: String,
    api_version: Option<String>,
    api_revision: String,
    is_current: bool,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    created_date: String,
    updated_date: String,
    /// Only in the answer to a creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioning_state: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
struct KeyNames {
    header: Option<String>,
    query: Option<String>,
}

/// The keys of a subscription, null if they cannot be read back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretsAnswer {
    primary_key: Option<String>,
    secondary_key: Option<String>,
}

/// A new key, shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RotateAnswer {
    /// `primary` or `secondary`.
    slot: &'static str,
    key: String,
    replaced_key_expires_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditProperties {
    time: String,
    caller: CallerAnswer,
    operation: &'static str,
    /// `accepted` or `refused`.
    outcome: &'static str,
    /// The full id of the record.
    record: String,
    version_before: Option<u64>,
    version_after: Option<u64>,
    /// The code of the refusal.
    code: Option<String>,
    changes: Vec<FieldChange>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallerAnswer {
    /// `publisher` or `owner`.
    role: &'static str,
    id: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReplicaList {
    value: Vec<ReplicaAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplicaAnswer {
    id: String,
    /// The number of the last change that it has applied.
    applied: u64,
    /// The time since its last report.
    age_seconds: f64,
}

impl<P> Resource<P> {
    fn new(place: &Place, collection: &str, name: &str, version: u64, properties: P) -> Self {
        Self {
            id: place.id(format_args!("/{collection}/{name}")),
            r#type: format!("{SERVICE}/{collection}"),
            name: name.to_owned(),
            properties,
            version,
        }
    }
}

pub(super) type Subscription = Resource<SubscriptionProperties>;
pub(super) type Product = Resource<ProductProperties>;
pub(super) type Api = Resource<ApiProperties>;
pub(super) type AuditEvent = Resource<AuditProperties>;

pub(super) fn subscription(place: &Place, record: SubscriptionRecord) -> Subscription {
    let last_used = |slot| {
        let key = record.key(slot)?;
        key.last_used_at.map(format_time)
    };
    let scopes: Vec<String> = record.scopes.iter().map(|scope| place.id(scope)).collect();
    let properties = SubscriptionProperties {
        scope: scopes.first().cloned(),
        scopes,
        display_name: record.display_name().to_owned(),
        owner_id: record
            .owner
            .as_ref()
            .map(|owner| place.id(format_args!("/users/{owner}"))),
        state: record.state.as_str(),
        state_comment: record.state_comment.clone(),
        description: record.description.clone(),
        allow_tracing: record.allow_tracing,
        metadata: values(&record.metadata),
        created_date: format_time(record.created_at),
        start_date: time(record.started_at),
        end_date: time(record.ended_at),
        expiration_date: time(record.expires_at),
        not_before: time(record.not_before),
        notification_date: None,
        terms_accepted_date: time(record.terms_accepted_at),
        primary_key_last_used: last_used(KeySlot::Primary),
        secondary_key_last_used: last_used(KeySlot::Secondary),
        primary_key: None,
        secondary_key: None,
    };
    Resource::new(
        place,
        "subscriptions",
        &record.id,
        record.version,
        properties,
    )
}

impl Subscription {
    /// Adds those keys that the call generated.
    pub(super) fn with_keys(mut self, primary: Option<Secret>, secondary: Option<Secret>) -> Self {
        self.properties.primary_key = exposed(primary);
        self.properties.secondary_key = exposed(secondary);
        self
    }
}

pub(super) fn product(place: &Place, record: ProductRecord) -> Product {
    let properties = ProductProperties {
        display_name: record.display_name().to_owned(),
        description: record.description,
        terms: record.terms,
        subscription_required: record.subscription_required,
        approval_required: record.approval_required,
        subscriptions_limit: record.subscriptions_limit,
        state: if record.published {
            "published"
        } else {
            "notPublished"
        },
        metadata: values(&record.metadata),
        created_date: format_time(record.created_at),
        updated_date: format_time(record.updated_at),
    };
    Resource::new(place, "products", &record.id, record.version, properties)
}

pub(super) fn api(place: &Place, record: ApiRecord) -> Api {
    let names = (record.key_header.is_some() || record.key_query.is_some()).then(|| KeyNames {
        header: record.key_header.clone(),
        query: record.key_query.clone(),
    });
    let properties = ApiProperties {
        display_name: record.display_name().to_owned(),
        path: record.path.trim_start_matches('/').to_owned(),
        description: record.description,
        subscription_required: record.subscription_required,
        subscription_key_parameter_names: names,
        protocols: record.protocols.unwrap_or_else(|| vec!["https".to_owned()]),
        service_url: record.service_url,
        r#type: record.api_type.unwrap_or_else(|| "http".to_owned()),
        api_version: record.api_version,
        api_revision: record.api_revision.unwrap_or_else(|| "1".to_owned()),
        is_current: true,
        metadata: values(&record.metadata),
        created_date: format_time(record.created_at),
        updated_date: format_time(record.updated_at),
        provisioning_state: None,
    };
    Resource::new(place, "apis", &record.id, record.version, properties)
}

impl Api {
    /// Says that the creation is complete, as clients wait for it.
    pub(super) fn provisioned(mut self) -> Self {
        self.properties.provisioning_state = Some("Succeeded");
        self
    }
}

pub(super) fn secrets(secrets: Secrets) -> SecretsAnswer {
    SecretsAnswer {
        primary_key: exposed(secrets.primary_key),
        secondary_key: exposed(secrets.secondary_key),
    }
}

pub(super) fn regenerated(regenerated: &Regenerated) -> RotateAnswer {
    RotateAnswer {
        slot: regenerated.slot.as_str(),
        key: regenerated.key.expose().to_owned(),
        replaced_key_expires_at: time(regenerated.replaced_key_expires_at),
    }
}

pub(super) fn audit_event(place: &Place, entry: AuditEntry) -> AuditEvent {
    let name = entry.name();
    let changes = entry.changes.into_iter().map(|change| FieldChange {
        field: json_name(&change.field),
        ..change
    });
    let properties = AuditProperties {
        time: format_time(entry.time),
        caller: caller(&entry.caller),
        operation: entry.operation.as_str(),
        outcome: entry.outcome.as_str(),
        record: record_id(place, &entry.record),
        version_before: entry.version_before,
        version_after: entry.version_after,
        code: entry.code,
        changes: changes.collect(),
    };
    Resource::new(place, "auditEvents", &name, 0, properties)
}

pub(super) fn caller(caller: &Caller) -> CallerAnswer {
    CallerAnswer {
        role: caller.role(),
        id: caller.id().to_owned(),
    }
}

pub(super) fn replicas(replicas: Vec<Replica>) -> ReplicaList {
    let value = replicas.into_iter().map(|replica| ReplicaAnswer {
        id: replica.id,
        applied: replica.applied,
        age_seconds: replica.age.as_secs_f64(),
    });
    ReplicaList {
        value: value.collect(),
    }
}

fn record_id(place: &Place, record: &RecordRef) -> String {
    let collection = match record.kind {
        RecordKind::Api => "apis",
        RecordKind::Product => "products",
        RecordKind::Subscription => "subscriptions",
        RecordKind::Catalog => return place.id(""),
    };
    place.id(format_args!("/{collection}/{}", record.id))
}

fn time(time: Option<SystemTime>) -> Option<String> {
    time.map(format_time)
}

fn values(metadata: &Metadata) -> Map<String, Value> {
    Map::from(metadata.clone())
}

fn exposed(key: Option<Secret>) -> Option<String> {
    key.map(|key| key.expose().to_owned())
}
