//! Single faults and their limited effects.

use std::time::Duration;

use tower_subscription_key::KeyDigest;
use tower_subscription_key::catalog::{Scope, Subscription};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisStore, RedisStoreError};
use tower_subscription_key::store::snapshot::SnapshotFile;

use crate::proxy::Proxy;
use crate::server::Server;
use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);

fn other() -> Subscription {
    Subscription::new("other")
        .with_scope(Scope::AllApis)
        .with_primary_key(OTHER)
}

#[tokio::test]
async fn answer_that_comes_twice_is_never_taken_for_the_next_one() {
    let (server, _publisher, _) = served().await;
    for _ in 0..10 {
        let proxy = Proxy::start(server.port()).await;
        let options = RedisOptions::new(proxy.url()).with_timeout(PATIENCE);
        // Without a heartbeat in between.
        let store = RedisStore::builder(options)
            .heartbeat(HOUR)
            .open()
            .await
            .unwrap();
        assert_eq!(status(&store, WRONG).await, 401);
        proxy.repeat_next_answer();
        for _ in 0..5 {
            assert_eq!(status(&store, WRONG).await, 401);
            assert_eq!(status(&store, KEY).await, 200);
        }
    }
}

#[tokio::test]
async fn corrupt_entry_is_an_error_for_its_key_only() {
    let (server, publisher, store) = served().await;
    publisher.put_subscription(&other()).await.unwrap();
    let cache = store.cached_with(|cache| {
        cache
            .timeout(PATIENCE)
            .unknown_for(Duration::ZERO)
            .breaker(2, HOUR, HOUR)
    });
    let cache = cache.unwrap();
    let corrupt = |key: &str| -> () { server.run(&["HSET", "{tsk}:catalog", &field(key), "{"]) };
    for key in ["a", "b", "c", KEY] {
        corrupt(key);
        for _ in 0..3 {
            assert_eq!(status(&cache, key).await, 503);
        }
    }
    assert!(!cache.stats().breaker_open);
    assert_eq!(status(&cache, OTHER).await, 200);
    assert_eq!(status(&cache, WRONG).await, 401);
    publisher.put_subscription(&contoso()).await.unwrap();
    assert_eq!(status(&cache, KEY).await, 200);
}

/// The breaker would stay open for an hour.
#[tokio::test]
async fn redis_that_returns_ends_the_pause_and_known_keys_are_served_throughout() {
    let (mut server, publisher, store) = served().await;
    publisher.put_subscription(&other()).await.unwrap();
    let cache = store.cached_with(|cache| {
        cache
            .found_for(Duration::from_millis(1))
            .stale_for(HOUR)
            .timeout(PATIENCE)
            .breaker(2, HOUR, HOUR)
    });
    let cache = cache.unwrap();
    assert_eq!(status(&cache, KEY).await, 200);
    server.kill();
    for key in ["a", "b", "c"] {
        assert_eq!(status(&cache, key).await, 503);
        assert_eq!(status(&cache, KEY).await, 200);
    }
    assert!(cache.stats().breaker_open);
    server.restart();
    eventually(
        "it listens again, to a Redis without a catalog",
        async || {
            let cached = status(&cache, KEY).await;
            assert_eq!(cached, 200);
            let counted: Vec<redis::Value> = server.run(&["PUBSUB", "NUMSUB", "{tsk}:changes"]);
            counted.get(1) == Some(&redis::Value::Int(1))
        },
    )
    .await;
    publisher
        .publish(&catalog_of([contoso(), other()]))
        .await
        .unwrap();
    eventually("an uncached key is found", async || {
        assert_eq!(status(&cache, KEY).await, 200);
        status(&cache, OTHER).await == 200
    })
    .await;
}

#[tokio::test]
async fn wrong_password_is_in_the_status_before_the_first_request() {
    let server = Server::start();
    let _: () = server.run(&["CONFIG", "SET", "requirepass", "s3cret"]);
    let url = format!("redis://:wr0ng@127.0.0.1:{}", server.port());
    let store = RedisStore::builder(url).start().unwrap();
    let mut status = store.watch_status();
    let status = status.wait_for(|status| status.last_error().is_some());
    let status = status.await.unwrap();
    let error = status.last_error().unwrap();
    assert!(
        error.contains("WRONGPASS") || error.contains("uthentication"),
        "{error}"
    );
    assert!(!error.contains("wr0ng"), "{error}");
}

#[test]
fn store_whose_runtime_ended_says_so_and_goes_on_in_another() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let (server, publisher, store) = first.block_on(served());
    let cache = cached(store.clone());
    assert_eq!(first.block_on(status(&cache, KEY)), 200);
    drop(first);
    assert!(!store.status().is_running());
    assert!(!store.is_listening());
    let error = store.status().last_error().map(str::to_owned);
    assert!(
        error
            .as_deref()
            .is_some_and(|error| error.contains("has ended")),
        "{error:?}"
    );
    drop(publisher);
    second.block_on(async {
        eventually("it listens again", async || {
            status(&cache, WRONG).await;
            store.is_listening()
        })
        .await;
        crate::support::publisher(&server)
            .put_subscription(&suspended())
            .await
            .unwrap();
        comes_to(&cache, KEY, 401).await;
    });
}

#[tokio::test]
async fn document_of_the_next_version_leaves_known_keys_served() {
    let (server, publisher, store) = served().await;
    let cache = cached(store.clone());
    assert_eq!(status(&cache, KEY).await, 200);
    let document: String = server.run(&["HGET", "{tsk}:catalog", "@definitions"]);
    // A field that this version does not know, in the same format.
    let newer = document.replacen('{', "{\"labels\":[\"new\"],", 1);
    replace_definitions(&server, &newer);
    comes_to(&cache, OTHER, 401).await;
    assert_eq!(status(&cache, KEY).await, 200);
    // A higher format.
    let before = store.status().version();
    let higher = document.replacen('{', "{\"format\":99,", 1);
    let higher = match document.contains("\"format\"") {
        true => document.replacen("\"format\":1", "\"format\":99", 1),
        false => higher,
    };
    replace_definitions(&server, &higher);
    eventually("it is reported", async || {
        store.status().last_error().is_some()
    })
    .await;
    assert_eq!(
        store.status().version(),
        before,
        "the last good version stays"
    );
    assert_eq!(status(&cache, KEY).await, 200);
    assert_eq!(status(&cache, WRONG).await, 503);
    publisher.publish(&catalog()).await.unwrap();
    comes_to(&cache, WRONG, 401).await;
    assert_eq!(status(&cache, KEY).await, 200);
}

fn replace_definitions(server: &Server, document: &str) {
    let digest = KeyDigest::of(document).to_hex();
    let live = "{tsk}:catalog";
    let _: () = server.run(&[
        "HSET",
        live,
        "@definitions",
        document,
        "@definitions-sha256",
        &digest,
    ]);
    let revision: u64 = server.run(&["HINCRBY", live, "@revision", "1"]);
    let push = format!("{revision}\ndefinitions");
    let _: () = server.run(&["PUBLISH", "{tsk}:changes", &push]);
}

#[tokio::test]
async fn snapshot_of_another_redis_is_not_used() {
    let (mut server, _publisher, store) = served().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    let kept = |store: RedisStore| {
        let cache = store.cached_with(|cache| {
            let file = SnapshotFile::new(&path);
            cache.stale_for(HOUR).timeout(PATIENCE).keep_snapshot(file)
        });
        cache.unwrap()
    };
    let cache = kept(store);
    assert_eq!(status(&cache, KEY).await, 200);
    drop(cache);
    server.kill();
    let same = kept(builder(options(&server)).start().unwrap());
    assert_eq!(status(&same, KEY).await, 200);
    let elsewhere = options(&server).with_prefix("elsewhere");
    let other = kept(builder(elsewhere).start().unwrap());
    assert_eq!(status(&other, KEY).await, 503);
}

#[tokio::test]
async fn lost_master_of_a_replica_is_reported() {
    let (mut master, _publisher, _) = served().await;
    let replica = Server::start();
    let port = master.port().to_string();
    let _: () = replica.run(&["REPLICAOF", "127.0.0.1", &port]);
    eventually("the replica has the catalog", async || {
        replica.run::<i64>(&["EXISTS", "{tsk}:catalog"]) == 1
    })
    .await;
    let store = builder(options(&replica)).open().await.unwrap();
    store.listening().await;
    master.kill();
    eventually("it no longer counts as listening", async || {
        !store.is_listening()
    })
    .await;
    eventually("the status has the reason", async || {
        let status = store.status();
        status
            .last_error()
            .is_some_and(|error| error.contains("lost its master"))
    })
    .await;
}

#[tokio::test]
async fn push_that_never_arrives_ends_the_listening() {
    let (server, _publisher, store) = served().await;
    store.listening().await;
    // Heartbeats are accepted, but reach no subscriber.
    let _: () = server.run(&["ACL", "SETUSER", "default", "resetchannels", "&{tsk}:other"]);
    let _: i64 = server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    eventually("it is noticed", async || !store.is_listening()).await;
    let error = store.find(&KeyDigest::of(KEY)).await;
    assert!(!matches!(error, Err(RedisStoreError::NoCatalog)));
}
