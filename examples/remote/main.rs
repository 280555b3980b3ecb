//! Subscriptions at a remote server, asked over HTTP.
//!
//! `cargo run --example remote` starts a remote server and services that are
//! protected through it, and shows what callers get while a subscription is
//! suspended and while the remote server is down: never a 401 for a good key.
//!
//! `cargo run --example remote -- --serve` keeps both running, and prints commands to
//! try.
//!
//! The same with Redis: `cargo run --example remote_redis --features redis`.

mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::Request;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;
use tower_subscription_key::access::Access;
use tower_subscription_key::catalog::{Api, State};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::http::{HttpClient, HttpStoreBuilder, RequestBody};
use tower_subscription_key::{HttpLookupStore, HttpStore, SubscriptionKeyLayer};

use server::{RemoteServer, TOKEN};

/// The key of Contoso, for this example only.
const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";
const WRONG: &str = "00000000000000000000000000000000";

/// Longer than anything here takes, even on a busy machine. A service gives up
/// sooner.
const PATIENCE: Duration = Duration::from_secs(60);

type AnyError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let shown = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => show().await,
        ["--serve"] => serve().await,
        _ => {
            eprintln!("usage: cargo run --example remote [-- --serve]");
            return ExitCode::from(2);
        }
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Shows everything with requests.
async fn show() -> Result<(), AnyError> {
    let mut remote = RemoteServer::start("127.0.0.1:0")?;
    println!("The remote server listens on {}.\n", remote.uri(""));
    let directory = tempfile::tempdir()?;
    let snapshot = directory.path().join("catalog.snapshot");

    println!("One service keeps the whole catalog, another asks for each key.");
    let store = catalog_of(&remote).keep_snapshot(&snapshot).open().await?;
    let whole = Caller::of("whole catalog", service(layer(store.clone())).await?);
    let keys = Caller::of("key by key", service(lookup(&remote)?).await?);
    for caller in [&whole, &keys] {
        caller.expect("good key", Some(KEY), 200).await?;
        caller.expect("wrong key", Some(WRONG), 401).await?;
        caller.expect("no key", None, 401).await?;
    }

    println!("\nThe remote server suspends the subscription; the held request returns at once.");
    remote.set_state(State::Suspended)?;
    until(&store, 2).await?;
    for caller in [&whole, &keys] {
        caller.expect("good key", Some(KEY), 401).await?;
    }

    println!("\nAnd activates it again.");
    remote.set_state(State::Active)?;
    until(&store, 3).await?;
    let saved = async {
        store
            .watch_status()
            .wait_for(|s| s.saved_at() >= s.loaded_at())
            .await
            .is_ok()
    };
    patiently(saved).await?;
    for caller in [&whole, &keys] {
        caller.expect("good key", Some(KEY), 200).await?;
    }

    println!("\nThe remote server goes down.");
    remote.stop().await?;
    let error = store
        .reload()
        .await
        .err()
        .ok_or("the remote server is down")?;
    println!("  the store says: {error}");
    whole.expect("good key", Some(KEY), 200).await?;
    whole.expect("wrong key", Some(WRONG), 401).await?;
    keys.expect("good key", Some(KEY), 503).await?;
    keys.expect("wrong key", Some(WRONG), 503).await?;
    keys.expect("no key", None, 401).await?;

    println!("\nServices that start now.");
    let store_without = catalog_of(&remote).start()?;
    let without = Caller::of("without snapshot", service(layer(store_without)).await?);
    without.expect("good key", Some(KEY), 503).await?;
    let restarted = catalog_of(&remote).keep_snapshot(&snapshot).open().await?;
    let age = restarted.status().age().unwrap_or_default();
    println!("  the snapshot on the disk is {age:.1?} old");
    let with = Caller::of("with snapshot", service(layer(restarted)).await?);
    with.expect("good key", Some(KEY), 200).await?;
    with.expect("wrong key", Some(WRONG), 401).await?;

    println!("\nThe remote server is back.");
    patiently(async {
        // Another process may have its port for the moment.
        while remote.restart().is_err() {
            sleep(Duration::from_millis(100)).await;
        }
        while store.reload().await.is_err() {}
        true
    })
    .await?;
    for caller in [&whole, &keys] {
        caller.expect("good key", Some(KEY), 200).await?;
    }
    println!("\nEverything works as expected.");
    Ok(())
}

/// Serves for `curl`.
async fn serve() -> Result<(), AnyError> {
    let remote = RemoteServer::start("127.0.0.1:3001")?;
    let store = catalog_of(&remote).open().await?;
    let address = service_at("127.0.0.1:3000", layer(store.clone())).await?;
    println!("the service:  curl -i -H 'Ocp-Apim-Subscription-Key: {KEY}' http://{address}/orders");
    println!(
        "suspend:      curl -X POST {}",
        remote.uri("/subscriptions/contoso/suspended")
    );
    println!(
        "activate:     curl -X POST {}",
        remote.uri("/subscriptions/contoso/active")
    );
    println!(
        "the catalog:  curl -H 'Authorization: {TOKEN}' {}",
        remote.uri("/catalog")
    );
    let mut status = store.watch_status();
    while status.changed().await.is_ok() {
        let status = status.borrow_and_update();
        match status.last_error() {
            Some(error) => eprintln!("version {}: {error}", status.version()),
            None => eprintln!("version {} is current", status.version()),
        }
    }
    Ok(())
}

fn catalog_of(remote: &RemoteServer) -> HttpStoreBuilder {
    HttpStore::builder(&remote.uri("/catalog"))
        .authorization(TOKEN)
        .timeout(PATIENCE)
        .long_poll(Duration::from_secs(30))
}

fn layer(store: HttpStore) -> SubscriptionKeyLayer<HttpStore> {
    SubscriptionKeyLayer::new(store).strip_key(true)
}

fn lookup(remote: &RemoteServer) -> Result<SubscriptionKeyLayer<impl SubscriptionStore>, AnyError> {
    let store = HttpLookupStore::builder(&remote.uri("/keys"))
        .authorization(TOKEN)
        .timeout(PATIENCE)
        .build()?;
    let layer = SubscriptionKeyLayer::new(store).single_api(Api::new("orders", "/orders"))?;
    Ok(layer.strip_key(true))
}

async fn service<S: SubscriptionStore>(
    layer: SubscriptionKeyLayer<S>,
) -> Result<SocketAddr, AnyError> {
    service_at("127.0.0.1:0", layer).await
}

async fn service_at<S: SubscriptionStore>(
    address: &str,
    layer: SubscriptionKeyLayer<S>,
) -> Result<SocketAddr, AnyError> {
    let orders = |access: Access| async move {
        let caller = access.subscription().map(|s| s.id().to_owned());
        format!("orders of {}\n", caller.unwrap_or_default())
    };
    let app = Router::new()
        .route("/orders", get(orders))
        .route_layer(layer);
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// A client of a service.
struct Caller {
    name: &'static str,
    service: SocketAddr,
}

impl Caller {
    fn of(name: &'static str, service: SocketAddr) -> Self {
        Self { name, service }
    }

    async fn expect(&self, what: &str, key: Option<&str>, expected: u16) -> Result<(), AnyError> {
        let mut request = Request::get(format!("http://{}/orders", self.service));
        if let Some(key) = key {
            request = request.header("Ocp-Apim-Subscription-Key", key);
        }
        let request = request.body(RequestBody::default())?;
        let status = HttpClient::new().oneshot(request).await?.status().as_u16();
        println!("  {:16} {what:9} -> {status}", self.name);
        if status == expected {
            return Ok(());
        }
        Err(format!("{expected} was expected").into())
    }
}

async fn until(store: &HttpStore, version: u64) -> Result<(), AnyError> {
    let mut status = store.watch_status();
    patiently(async {
        status
            .wait_for(|status| status.version() >= version)
            .await
            .is_ok()
    })
    .await
}

async fn patiently(what: impl Future<Output = bool>) -> Result<(), AnyError> {
    let came = timeout(PATIENCE, what).await?;
    came.then_some(()).ok_or_else(|| "the store is gone".into())
}
