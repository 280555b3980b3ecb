//! Two APIs of one service, each with a different key header, and a public
//! route.
//!
//! `route_layer` wraps the routes and not the fallback, so that an unknown path
//! is a 404 and not a 401.

mod demo;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tower_subscription_key::catalog::{Api, Scope, Subscription};
use tower_subscription_key::{Access, Catalog, MemoryStore, SubscriptionKeyLayer};

const CONTOSO: &str = "5cf1a1d2c0a84bd19a58d57b7ae0bd2b";
const FABRIKAM: &str = "8e2d8f6c1b7f4c5f9a0f7f5e3c1d2b4a";

fn app() -> Result<Router, demo::Error> {
    let catalog = Catalog::builder()
        .api(Api::new("orders", "/orders"))
        .api(Api::new("stock", "/stock"))
        .subscription(
            Subscription::new("contoso")
                .with_scope(Scope::AllApis)
                .with_primary_key(CONTOSO),
        )
        .subscription(
            Subscription::new("fabrikam")
                .with_scope(Scope::Api("stock".into()))
                .with_primary_key(FABRIKAM),
        )
        .build()?;

    let keys = SubscriptionKeyLayer::new(MemoryStore::new(catalog)).strip_key(true);
    let orders_keys = keys
        .clone()
        .api("orders")
        .header("X-Orders-Key")?
        .validate()?;
    let stock_keys = keys.api("stock").header("X-Stock-Key")?.validate()?;

    let orders = Router::new()
        .route("/orders", get(list_orders))
        .route_layer(orders_keys);
    let stock = Router::new()
        .route("/stock/{item}", get(count_stock))
        .route_layer(stock_keys);
    Ok(Router::new()
        .route("/health", get(|| async { "well" }))
        .merge(orders)
        .merge(stock))
}

async fn list_orders(access: Access) -> String {
    format!("the orders of {}", caller(&access))
}

async fn count_stock(Path(item): Path<String>, access: Access) -> String {
    format!("7 of {item} in stock, {}", caller(&access))
}

fn caller(access: &Access) -> &str {
    match access.subscription() {
        Some(subscription) => subscription.id(),
        None => "an anonymous caller",
    }
}

#[tokio::main]
async fn main() -> Result<(), demo::Error> {
    demo::run(app()?, async |client| {
        client.get("/health", &[], 200).await?;
        client.get("/orders", &[], 401).await?;

        let contoso = ("X-Orders-Key", CONTOSO);
        client.get("/orders", &[contoso], 200).await?;
        // Stock reads another header: this request has no key.
        client.get("/stock/bolts", &[contoso], 401).await?;

        let fabrikam = ("X-Stock-Key", FABRIKAM);
        client.get("/stock/bolts", &[fabrikam], 200).await?;
        // The right header, but the subscription does not open orders.
        let fabrikam = ("X-Orders-Key", FABRIKAM);
        client.get("/orders", &[fabrikam], 401).await?;

        client.get("/nowhere", &[], 404).await
    })
    .await
}
