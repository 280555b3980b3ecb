//! A control plane and three services that follow its database, in one command: a
//! rotation and a suspension, and how long each took to reach every service.
//!
//! ```text
//! cargo run --release --example fleet --all-features [-- postgres://…]
//! ```
//!
//! Without a URL the database is a SQLite file that is removed at the end. With
//! one, the database is changed: the example makes and deletes the API
//! `fleet-echo` and the subscription `fleet`.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower_subscription_key::catalog::{KeySlot, Scope};
use tower_subscription_key::manage::{
    ApiFields, Caller, Deletion, Expected, Manage, Rotation, SubscriptionFields, Transition,
};
use tower_subscription_key::{SqlStore, SubscriptionKeyLayer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SERVICES: [&str; 3] = ["orders", "billing", "search"];

/// Only so that a service that never follows ends the example.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("fleet.db").display().to_string();
    let target = std::env::args().nth(1).unwrap_or(file);
    let admin = Caller::publisher("fleet");
    let manage = Manage::open(&target).await?;
    let fields = ApiFields {
        path: Some("/fleet-echo".to_owned()),
        ..ApiFields::default()
    };
    manage
        .put_api(&admin, "fleet-echo", fields, Expected::Anything)
        .await?;
    manage
        .delete_subscription(&admin, "fleet", Expected::Anything)
        .await?;
    let fields = SubscriptionFields {
        scope: Some(Scope::Api("fleet-echo".to_owned())),
        ..SubscriptionFields::default()
    };
    let created = manage
        .put_subscription(&admin, "fleet", fields, Expected::Absent)
        .await?;
    let first = created
        .value
        .primary_key
        .ok_or("a new subscription has a key")?;

    let mut fleet = Vec::new();
    for name in SERVICES {
        fleet.push(Service::start(name, &target).await?);
    }
    for service in &fleet {
        service.wait_for(first.expose(), StatusCode::OK).await?;
    }
    println!("{} services follow the database\n", fleet.len());

    println!("the primary key is replaced:");
    let begun = Instant::now();
    let rotated = manage
        .regenerate(&admin, "fleet", KeySlot::Primary, Rotation::default())
        .await?;
    let durable = begun.elapsed();
    let second = rotated.value.key;
    report(&fleet, begun, durable, second.expose(), StatusCode::OK).await?;
    for service in &fleet {
        service
            .wait_for(first.expose(), StatusCode::UNAUTHORIZED)
            .await?;
    }

    println!("the subscription is suspended:");
    let begun = Instant::now();
    let suspended = manage
        .suspend(&admin, "fleet", Transition::default())
        .await?;
    let durable = begun.elapsed();
    report(
        &fleet,
        begun,
        durable,
        second.expose(),
        StatusCode::UNAUTHORIZED,
    )
    .await?;
    let number = suspended.number.ok_or("a suspension is a change")?;
    let everywhere = manage.wait_applied(number, PATIENCE).await?;
    println!(
        "in force on every replica: {everywhere}, known after {:.1?}",
        begun.elapsed()
    );

    let along = Deletion {
        with_subscriptions: true,
        ..Deletion::default()
    };
    manage.delete_api(&admin, "fleet-echo", along).await?;
    Ok(())
}

/// Prints when each service answers the key with the status.
async fn report(
    fleet: &[Service],
    begun: Instant,
    durable: Duration,
    key: &str,
    status: StatusCode,
) -> Result<()> {
    println!("  {:<10} {durable:>9.1?}", "database");
    let answers = fleet.iter().map(|service| service.wait_for(key, status));
    let ends = futures_util::future::try_join_all(answers).await?;
    for (service, end) in fleet.iter().zip(ends) {
        println!("  {:<10} {:>9.1?}", service.name, end.duration_since(begun));
    }
    println!();
    Ok(())
}

/// A service behind keys. In production it would be a separate process.
struct Service {
    name: &'static str,
    url: String,
    client: Client<HttpConnector, Body>,
}

impl Service {
    async fn start(name: &'static str, target: &str) -> Result<Self> {
        let store = SqlStore::builder(target).name(name).open().await?;
        let keys = SubscriptionKeyLayer::new(store)
            .strip_key(true)
            .validate()?;
        let app = Router::new().fallback(|| async { "hello" }).layer(keys);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/fleet-echo", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, app).into_future());
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { name, url, client })
    }

    /// Calls with the key until the status is as expected. Returns when it was.
    async fn wait_for(&self, key: &str, status: StatusCode) -> Result<Instant> {
        let end = Instant::now() + PATIENCE;
        loop {
            let request = Request::get(&self.url).header("ocp-apim-subscription-key", key);
            let response = self.client.request(request.body(Body::empty())?).await?;
            if response.status() == status {
                return Ok(Instant::now());
            }
            if Instant::now() > end {
                return Err(format!("{} still answers {}", self.name, response.status()).into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
