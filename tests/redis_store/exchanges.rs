//! The catalog is exchanged during requests. Each is decided by one version, and a
//! good key is allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, Subscription};
use tower_subscription_key::store::redis::{RedisPublisher, RedisStore};
use tower_subscription_key::store::{CachedStore, Holdings, SubscriptionStore};

use crate::server::Server;
use crate::support::*;

/// Both versions grant the key access to the API, by different products. A decision
/// that mixes the subscription of one and the products of the other denies the key.
fn versions() -> [Catalog; 2] {
    [("a", "b"), ("b", "a")].map(|(full, bare)| {
        Catalog::builder()
            .api(Api::new("echo", "/echo"))
            .product(Product::new(full).with_apis(["echo"]))
            .product(Product::new(bare))
            .subscription(
                Subscription::new("contoso")
                    .with_scope(Scope::Product(full.into()))
                    .with_primary_key(KEY),
            )
            .build()
            .unwrap()
    })
}

/// A store with the first version. These tests do not depend on the timeouts.
async fn begun() -> (Server, RedisPublisher, RedisStore) {
    let server = Server::start();
    let options = options(&server).with_timeout(Duration::from_secs(60));
    let publisher = RedisPublisher::new(options.clone()).unwrap();
    publisher.publish(&versions()[0]).await.unwrap();
    let store = builder(options).open().await.unwrap();
    (server, publisher, store)
}

fn patiently_cached(store: RedisStore) -> CachedStore<RedisStore> {
    let hour = Duration::from_secs(3600);
    let cache = store.cached_with(|cache| cache.found_for(hour).timeout(hour).without_breaker());
    cache.unwrap()
}

/// The product that grants access to the API in the given version.
fn opens_by_of(catalog: &Catalog) -> Option<String> {
    let full = catalog
        .products()
        .find(|product| !product.apis().is_empty());
    full.map(|product| product.id().to_owned())
}

fn opens_by(store: &impl SubscriptionStore) -> Option<String> {
    match store.holdings() {
        Ok(Holdings::Definitions(catalog)) => opens_by_of(&catalog),
        other => panic!("{other:?}"),
    }
}

/// Exchanges the catalogs during requests. A request that overlaps with an exchange
/// ends before the next exchange.
async fn exchange(publisher: &RedisPublisher, store: impl SubscriptionStore + Clone) {
    let done = Arc::new(AtomicBool::new(false));
    let answered: Vec<_> = (0..4).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let asking: Vec<_> = answered
        .iter()
        .map(|answered| {
            let (store, done, answered) = (store.clone(), Arc::clone(&done), Arc::clone(answered));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    assert_eq!(status(&store, KEY).await, 200);
                    answered.fetch_add(1, Ordering::SeqCst);
                    // Answers from memory never yield to other tasks.
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 1..=20 {
        let next = &versions()[round % 2];
        publisher.publish(next).await.unwrap();
        eventually("it is in use", async || {
            opens_by(&store) == opens_by_of(next)
        })
        .await;
        for (answered, asking) in answered.iter().zip(&asking) {
            let before = answered.load(Ordering::SeqCst);
            eventually("two more requests are answered", async || {
                asking.is_finished() || answered.load(Ordering::SeqCst) >= before + 2
            })
            .await;
        }
    }
    done.store(true, Ordering::SeqCst);
    for asking in asking {
        asking.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn good_key_during_exchanges_is_allowed() {
    let (_server, publisher, store) = begun().await;
    exchange(&publisher, store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cached_key_during_exchanges_is_allowed() {
    let (_server, publisher, store) = begun().await;
    exchange(&publisher, patiently_cached(store)).await;
}

/// Writes the next version to Redis without a push to the store.
async fn exchange_unheard(server: &Server, publisher: &RedisPublisher, store: &RedisStore) {
    let _: () = server.run(&["ACL", "SETUSER", "default", "-subscribe"]);
    let _: i64 = server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    eventually("pushes are lost", async || !store.is_listening()).await;
    publisher.publish(&versions()[1]).await.unwrap();
}

/// The request begins with the old version, and Redis answers with the new one.
#[tokio::test]
async fn request_with_an_answer_of_a_new_catalog_is_allowed() {
    let (server, publisher, store) = begun().await;
    assert_eq!(status(&store, KEY).await, 200);
    exchange_unheard(&server, &publisher, &store).await;
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn cached_request_with_an_answer_of_a_new_catalog_is_allowed() {
    let (server, publisher, store) = begun().await;
    let cache = patiently_cached(store.clone());
    exchange_unheard(&server, &publisher, &store).await;
    assert_eq!(status(&cache, KEY).await, 200);
    assert_eq!(status(&cache, WRONG).await, 401);
}

/// A removed key is also decided by the new version, in which its API is no longer
/// open.
#[tokio::test]
async fn wrong_key_for_an_api_open_only_in_the_old_version_is_denied() {
    let (server, publisher, store) = begun().await;
    let open = |required| {
        Catalog::builder()
            .api(Api::new("echo", "/echo").with_subscription_required(required))
            .build()
            .unwrap()
    };
    publisher.publish(&open(false)).await.unwrap();
    comes_to(&store, WRONG, 200).await;
    let _: () = server.run(&["ACL", "SETUSER", "default", "-subscribe"]);
    let _: i64 = server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    eventually("pushes are lost", async || !store.is_listening()).await;
    publisher.publish(&open(true)).await.unwrap();
    assert_eq!(status(&store, WRONG).await, 401);
}
