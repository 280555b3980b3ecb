//! The program of README: one protected route, and its catalog in a file.

use axum::{Router, routing::get};
use tower_subscription_key::{Access, FileStore, SubscriptionKeyLayer};

async fn list_orders(access: Access) -> String {
    let caller = access.subscription().map_or("anyone", |s| s.id());
    format!("orders for {caller}\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .init();
    let store = FileStore::open("subscriptions.toml").await?;
    let keys = SubscriptionKeyLayer::new(store)
        .strip_key(true)
        .validate()?;
    let app: Router = Router::new()
        .route("/orders", get(list_orders))
        .route_layer(keys);
    let address = std::env::var("LISTEN").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
