//! A service restarts while Redis is down, with a snapshot of its cache on disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tower_subscription_key::catalog::{Scope, State, Subscription};
use tower_subscription_key::store::CachedStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStore};

use crate::server::Server;
use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);

/// These tests do not depend on the timeouts.
fn patient(server: &Server) -> RedisOptions {
    options(server).with_timeout(Duration::from_secs(60))
}

/// No interval ends while a test runs: the file is written only because of an
/// invalidation, or because the last handle is dropped.
fn kept(store: RedisStore, file: &Path) -> CachedStore<RedisStore> {
    let cache = store.cached_with(|cache| {
        cache
            .stale_for(HOUR)
            .timeout(HOUR)
            .snapshot_interval(HOUR)
            .keep_snapshot(file)
    });
    cache.unwrap()
}

fn other() -> Subscription {
    Subscription::new("other")
        .with_scope(Scope::AllApis)
        .with_primary_key(OTHER)
}

async fn reached(server: &Server, file: &Path) -> CachedStore<RedisStore> {
    let store = builder(patient(server)).open().await.unwrap();
    let cache = kept(store, file);
    assert_eq!(status(&cache, KEY).await, 200);
    assert_eq!(status(&cache, OTHER).await, 200);
    cache
}

/// A service that starts while Redis is down.
async fn serves_what_is_good(server: &Server, file: &Path, begun: SystemTime) {
    let cache = kept(builder(patient(server)).start().unwrap(), file);
    for _ in 0..10 {
        assert_eq!(status(&cache, KEY).await, 200);
        assert_eq!(status(&cache, WRONG).await, 503);
        assert_eq!(status(&cache, OTHER).await, 503, "it was suspended");
    }
    assert!(cache.stats().stale_served >= 10);
    let saved_at = cache.snapshot_saved_at().unwrap();
    assert!(begun <= saved_at && saved_at <= SystemTime::now());
    assert!(cache.snapshot_age().is_some());
}

#[tokio::test]
async fn restart_during_an_outage_serves_known_keys_and_no_suspended_ones() {
    let begun = SystemTime::now();
    let mut server = Server::start();
    let publisher = RedisPublisher::new(patient(&server)).unwrap();
    let both = catalog_of([contoso(), other()]);
    publisher.publish(&both).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("snapshot");
    drop(reached(&server, &file).await);
    let holds = |key: &str| fs::read_to_string(&file).unwrap().contains(&field(key));
    assert!(holds(KEY) && holds(OTHER), "the last handle saved both");

    let cache = reached(&server, &file).await;
    assert!(holds(OTHER));
    let suspended = other().with_state(State::Suspended);
    publisher.put_subscription(&suspended).await.unwrap();
    eventually("the suspension is in the file", async || !holds(OTHER)).await;
    assert!(holds(KEY));
    server.kill();
    // After a crash, and after a regular exit.
    let crashed = directory.path().join("crashed");
    fs::copy(&file, &crashed).unwrap();
    drop(cache);
    for file in [&crashed, &file] {
        serves_what_is_good(&server, file, begun).await;
    }

    let cache = kept(builder(patient(&server)).start().unwrap(), &file);
    assert_eq!(status(&cache, KEY).await, 200);
    server.restart();
    let now = catalog_of([contoso(), suspended]);
    publisher.publish(&now).await.unwrap();
    comes_to(&cache, OTHER, 401).await;
    comes_to(&cache, KEY, 200).await;
}
