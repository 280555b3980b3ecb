//! From an empty folder to a working key: creates an API, a product and a
//! subscription in a SQLite file, calls a protected service with the key, rotates
//! the key with a grace period, and suspends the subscription.
//!
//! ```text
//! cargo run --example manage
//! ```
//!
//! The service follows the same file, as every other process that opens it would.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use axum::{Extension, Router};
use tower::ServiceExt;
use tower_subscription_key::catalog::{KeySlot, Scope};
use tower_subscription_key::manage::{
    ApiFields, Caller, Expected, Manage, ProductFields, Rotation, SubscriptionFields, Transition,
};
use tower_subscription_key::{Access, SqlStore, SubscriptionKeyLayer};

/// How long to wait until a change is in force everywhere.
const IN_FORCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("keys.db").display().to_string();

    // The control plane. The file and its tables are made by opening it.
    let manage = Manage::open(&database).await?;
    let admin = Caller::publisher("admin");
    let api = ApiFields {
        path: Some("/orders".into()),
        ..ApiFields::default()
    };
    manage
        .put_api(&admin, "orders", api, Expected::Absent)
        .await?;
    let product = ProductFields {
        apis: Some(vec!["orders".into()]),
        ..ProductFields::default()
    };
    manage
        .put_product(&admin, "starter", product, Expected::Absent)
        .await?;

    // The data plane: a service with the layer on a store that follows the file.
    let store = SqlStore::builder(&*database)
        .name("this-process")
        .open()
        .await?;
    let service = Router::new()
        .route("/orders", get(list_orders))
        .route_layer(SubscriptionKeyLayer::new(store));

    let subscription = SubscriptionFields {
        scope: Some(Scope::Product("starter".into())),
        ..SubscriptionFields::default()
    };
    let created = manage
        .put_subscription(&admin, "contoso", subscription, Expected::Absent)
        .await?;
    wait(&manage, created.number).await?;
    let key = created
        .value
        .primary_key
        .ok_or("a new subscription gets two keys")?;
    println!(
        "created contoso: its key gets {}",
        call(&service, key.expose()).await?
    );

    // A new key at once, and an hour for clients to change to it.
    let rotation = Rotation {
        grace: Duration::from_secs(3600),
        ..Rotation::default()
    };
    let rotated = manage
        .regenerate(&admin, "contoso", KeySlot::Primary, rotation)
        .await?;
    wait(&manage, rotated.number).await?;
    let new = &rotated.value.key;
    println!(
        "rotated: the new key gets {}",
        call(&service, new.expose()).await?
    );
    println!(
        "         the old key gets {} during its grace period",
        call(&service, key.expose()).await?
    );

    let suspended = manage
        .suspend(&admin, "contoso", Transition::default())
        .await?;
    wait(&manage, suspended.number).await?;
    println!(
        "suspended: the new key gets {}",
        call(&service, new.expose()).await?
    );
    println!(
        "           the old key gets {}",
        call(&service, key.expose()).await?
    );
    Ok(())
}

async fn list_orders(Extension(access): Extension<Access>) -> String {
    let caller = access
        .subscription()
        .map_or("anonymous", |subscription| subscription.id());
    format!("orders of {caller}\n")
}

/// Waits until every replica that reports has applied the change.
async fn wait(manage: &Manage, number: Option<u64>) -> Result<(), Box<dyn Error>> {
    let Some(number) = number else {
        return Ok(());
    };
    match manage.wait_applied(number, IN_FORCE).await? {
        true => Ok(()),
        false => Err("a replica has not applied the change in time".into()),
    }
}

async fn call(service: &Router, key: &str) -> Result<StatusCode, Box<dyn Error>> {
    let request = Request::get("/orders")
        .header("Ocp-Apim-Subscription-Key", key)
        .body(Body::empty())?;
    Ok(service.clone().oneshot(request).await?.status())
}
