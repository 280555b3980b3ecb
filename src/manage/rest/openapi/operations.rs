//! The table of operations.

use utoipa::ToSchema;
use utoipa::openapi::schema::Components;

use super::requests::{
    ApiRequest, ExplainRequest, ProductRequest, RotateRequest, SubscriptionRequest,
};
use crate::access::Explanation;
use crate::manage::rest::refusal::ErrorEnvelope;
use crate::manage::rest::shape::{
    Api, AuditEvent, CallerAnswer, List, Product, ReplicaList, RotateAnswer, SecretsAnswer,
    Subscription,
};

/// An operation as the document describes it.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// The path behind the base.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) takes: Takes,
    /// Each status of success, with the schema of its body.
    pub(super) answers: &'static [(u16, Option<&'static str>)],
}

/// What a request carries besides its path and `api-version`.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Nothing,
    /// The parameters of a list.
    Page,
    /// A body with the schema.
    Body(&'static str),
    /// A record with the schema, and tags.
    Record(&'static str),
    /// A tag.
    Deletion,
    /// A tag, and whether subscriptions go along.
    DeletionAlong,
    /// Not even `api-version`.
    Document,
}

/// Registers a type under a name, and all that it refers to.
type Register = fn(&mut Components, &str);

pub(super) const SCHEMAS: &[(&str, Register)] = &[
    ("ErrorEnvelope", register::<ErrorEnvelope>),
    ("Subscription", register::<Subscription>),
    ("SubscriptionList", register::<List<Subscription>>),
    ("SubscriptionRequest", register::<SubscriptionRequest>),
    ("Secrets", register::<SecretsAnswer>),
    ("RotateRequest", register::<RotateRequest>),
    ("Rotated", register::<RotateAnswer>),
    ("Product", register::<Product>),
    ("ProductList", register::<List<Product>>),
    ("ProductRequest", register::<ProductRequest>),
    ("Api", register::<Api>),
    ("ApiList", register::<List<Api>>),
    ("ApiRequest", register::<ApiRequest>),
    ("ExplainRequest", register::<ExplainRequest>),
    ("Explanation", register::<Explanation>),
    ("AuditEventList", register::<List<AuditEvent>>),
    ("ReplicaList", register::<ReplicaList>),
    ("Caller", register::<CallerAnswer>),
];

fn register<T: ToSchema>(components: &mut Components, name: &str) {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    schemas.push((name.to_owned(), T::schema()));
    components.schemas.extend(schemas);
}

const SUBSCRIPTION: Option<&str> = Some("Subscription");
const PRODUCT: Option<&str> = Some("Product");
const API: Option<&str> = Some("Api");
const SUBSCRIPTIONS: Option<&str> = Some("SubscriptionList");
const PRODUCTS: Option<&str> = Some("ProductList");
const APIS: Option<&str> = Some("ApiList");

const fn operation(
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    takes: Takes,
    answers: &'static [(u16, Option<&'static str>)],
) -> Operation {
    Operation {
        method,
        path,
        id,
        summary,
        takes,
        answers,
    }
}

#[rustfmt::skip]
pub(super) const OPERATIONS: &[Operation] = &[
    operation("GET", "/subscriptions", "listSubscriptions", "Lists subscriptions. Owners get their own.", Takes::Page, &[(200, SUBSCRIPTIONS)]),
    operation("GET", "/subscriptions/{sid}", "getSubscription", "Reads a subscription, without its keys.", Takes::Nothing, &[(200, SUBSCRIPTION)]),
    operation("HEAD", "/subscriptions/{sid}", "headSubscription", "Reads the tag of a subscription.", Takes::Nothing, &[(200, None)]),
    operation("PUT", "/subscriptions/{sid}", "putSubscription", "Creates a subscription, or changes the fields that the body names.", Takes::Record("SubscriptionRequest"), &[(200, SUBSCRIPTION), (201, SUBSCRIPTION)]),
    operation("PATCH", "/subscriptions/{sid}", "patchSubscription", "Changes the fields that the body names.", Takes::Record("SubscriptionRequest"), &[(200, SUBSCRIPTION)]),
    operation("DELETE", "/subscriptions/{sid}", "deleteSubscription", "Deletes a subscription.", Takes::Deletion, &[(200, None), (204, None)]),
    operation("POST", "/subscriptions/{sid}/listSecrets", "listSecrets", "Reads the keys of a subscription.", Takes::Nothing, &[(200, Some("Secrets"))]),
    operation("POST", "/subscriptions/{sid}/regeneratePrimaryKey", "regeneratePrimaryKey", "Replaces the primary key, if keys can be read back.", Takes::Nothing, &[(204, None)]),
    operation("POST", "/subscriptions/{sid}/regenerateSecondaryKey", "regenerateSecondaryKey", "Replaces the secondary key, if keys can be read back.", Takes::Nothing, &[(204, None)]),
    operation("POST", "/subscriptions/{sid}/rotate", "rotate", "Replaces a key, and returns the new one once.", Takes::Body("RotateRequest"), &[(200, Some("Rotated"))]),
    operation("GET", "/products", "listProducts", "Lists products. Owners get those that are offered.", Takes::Page, &[(200, PRODUCTS)]),
    operation("GET", "/products/{pid}", "getProduct", "Reads a product.", Takes::Nothing, &[(200, PRODUCT)]),
    operation("HEAD", "/products/{pid}", "headProduct", "Reads the tag of a product.", Takes::Nothing, &[(200, None)]),
    operation("PUT", "/products/{pid}", "putProduct", "Creates a product, or changes the fields that the body names.", Takes::Record("ProductRequest"), &[(200, PRODUCT), (201, PRODUCT)]),
    operation("PATCH", "/products/{pid}", "patchProduct", "Changes the fields that the body names.", Takes::Record("ProductRequest"), &[(200, PRODUCT)]),
    operation("DELETE", "/products/{pid}", "deleteProduct", "Deletes a product.", Takes::DeletionAlong, &[(200, None), (204, None)]),
    operation("GET", "/products/{pid}/apis", "listProductApis", "Lists the APIs of a product.", Takes::Page, &[(200, APIS)]),
    operation("HEAD", "/products/{pid}/apis/{aid}", "headProductApi", "Says whether an API is in a product.", Takes::Nothing, &[(204, None)]),
    operation("PUT", "/products/{pid}/apis/{aid}", "putProductApi", "Adds an API to a product.", Takes::Nothing, &[(200, API), (201, API)]),
    operation("DELETE", "/products/{pid}/apis/{aid}", "deleteProductApi", "Removes an API from a product.", Takes::Nothing, &[(200, None), (204, None)]),
    operation("GET", "/products/{pid}/subscriptions", "listProductSubscriptions", "Lists the subscriptions to a product.", Takes::Page, &[(200, SUBSCRIPTIONS)]),
    operation("GET", "/users/{uid}/subscriptions", "listUserSubscriptions", "Lists the subscriptions of an owner.", Takes::Page, &[(200, SUBSCRIPTIONS)]),
    operation("GET", "/users/{uid}/subscriptions/{sid}", "getUserSubscription", "Reads a subscription of an owner.", Takes::Nothing, &[(200, SUBSCRIPTION)]),
    operation("GET", "/apis", "listApis", "Lists APIs.", Takes::Page, &[(200, APIS)]),
    operation("GET", "/apis/{aid}", "getApi", "Reads an API.", Takes::Nothing, &[(200, API)]),
    operation("HEAD", "/apis/{aid}", "headApi", "Reads the tag of an API.", Takes::Nothing, &[(200, None)]),
    operation("PUT", "/apis/{aid}", "putApi", "Creates an API, or changes the fields that the body names.", Takes::Record("ApiRequest"), &[(200, API), (201, API)]),
    operation("PATCH", "/apis/{aid}", "patchApi", "Changes the fields that the body names.", Takes::Record("ApiRequest"), &[(200, API)]),
    operation("DELETE", "/apis/{aid}", "deleteApi", "Deletes an API.", Takes::DeletionAlong, &[(204, None)]),
    operation("POST", "/explain", "explain", "Explains how a request is decided, and what would let it in.", Takes::Body("ExplainRequest"), &[(200, Some("Explanation"))]),
    operation("GET", "/auditEvents", "listAuditEvents", "Lists the audit trail, newest first.", Takes::Page, &[(200, Some("AuditEventList"))]),
    operation("GET", "/replicas", "listReplicas", "Lists the replicas that follow the database.", Takes::Nothing, &[(200, Some("ReplicaList"))]),
    operation("GET", "/whoami", "whoami", "Says on whose behalf the request is made.", Takes::Nothing, &[(200, Some("Caller"))]),
    operation("GET", "/openapi.json", "openapi", "Reads this document.", Takes::Document, &[(200, None)]),
];
