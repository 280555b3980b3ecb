use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, State, Subscription};
use tower_subscription_key::store::redis::{
    RedisOptions, RedisPublisher, RedisStore, RedisStoreBuilder,
};
use tower_subscription_key::store::{CachedStore, SubscriptionStore};
use tower_subscription_key::{KeyDigest, SubscriptionKeyLayer};

use crate::server::Server;

pub(crate) const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";
pub(crate) const OTHER: &str = "9f86d081884c7d659a2feaa0c55ad015";
pub(crate) const WRONG: &str = "00000000000000000000000000000000";

/// Far longer than anything takes on a busy machine: for all tests that are not
/// about timeouts.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn contoso() -> Subscription {
    Subscription::new("contoso")
        .with_scope(Scope::Product("starter".into()))
        .with_primary_key(KEY)
}

pub(crate) fn suspended() -> Subscription {
    contoso().with_state(State::Suspended)
}

pub(crate) fn catalog() -> Catalog {
    catalog_of([contoso()])
}

pub(crate) fn catalog_of(subscriptions: impl IntoIterator<Item = Subscription>) -> Catalog {
    let mut builder = Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .product(Product::new("starter").with_apis(["echo"]));
    for subscription in subscriptions {
        builder.push_subscription(subscription);
    }
    builder.build().unwrap()
}

pub(crate) fn options(server: &Server) -> RedisOptions {
    RedisOptions::new(server.url())
        .with_timeout(PATIENCE)
        .with_connect_timeout(PATIENCE)
}

/// A short heartbeat causes no failures, because it has the same timeout as a command.
pub(crate) fn builder(options: RedisOptions) -> RedisStoreBuilder {
    RedisStore::builder(options).heartbeat(Duration::from_millis(100))
}

pub(crate) fn publisher(server: &Server) -> RedisPublisher {
    RedisPublisher::new(options(server)).unwrap()
}

/// A server with the catalog, and a store for it.
pub(crate) async fn served() -> (Server, RedisPublisher, RedisStore) {
    let server = Server::start();
    let publisher = publisher(&server);
    publisher.publish(&catalog()).await.unwrap();
    let store = builder(options(&server)).open().await.unwrap();
    (server, publisher, store)
}

/// A store with a short timeout that is still long enough for a busy machine without
/// faults.
pub(crate) async fn impatient(options: &RedisOptions) -> RedisStore {
    let mut timeout = Duration::from_millis(500);
    loop {
        let store = builder(options.clone().with_timeout(timeout)).open().await;
        match store {
            Ok(store) if status(&store, KEY).await == 200 => return store,
            other => assert!(timeout < PATIENCE, "{other:?}"),
        }
        timeout *= 2;
    }
}

/// Entries that only an invalidation removes while a test runs.
pub(crate) fn cached(store: RedisStore) -> CachedStore<RedisStore> {
    let hour = Duration::from_secs(3600);
    store
        .cached_with(|cache| cache.found_for(hour).unknown_for(hour).timeout(PATIENCE))
        .unwrap()
}

/// The status of a request with the given key.
pub(crate) async fn status(store: &(impl SubscriptionStore + Clone), key: &str) -> u16 {
    status_at(store, "/echo/1", key).await
}

pub(crate) async fn status_at(
    store: &(impl SubscriptionStore + Clone),
    path: &str,
    key: &str,
) -> u16 {
    let inner = service_fn(|_: Request<String>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let request = Request::get(path)
        .header("Ocp-Apim-Subscription-Key", key)
        .body(String::new())
        .unwrap();
    let service = SubscriptionKeyLayer::new(store.clone()).layer(inner);
    service.oneshot(request).await.unwrap().status().as_u16()
}

pub(crate) fn field(key: &str) -> String {
    KeyDigest::of(key).to_hex()
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until requests with the given key get the given status.
pub(crate) async fn comes_to(store: &(impl SubscriptionStore + Clone), key: &str, expected: u16) {
    let what = format!("a request gets {expected}");
    eventually(&what, async || status(store, key).await == expected).await;
}

/// The messages of an error and of its sources.
pub(crate) fn full_message(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
