//! Redis answers with unexpected data: the store never reports an unknown key.

use tower_subscription_key::KeyDigest;
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisStore, RedisStoreError};

use crate::server::Server;
use crate::support::*;

/// Good and wrong keys must get the same answer.
async fn answers_no_key(store: &RedisStore) -> RedisStoreError {
    assert_eq!(status(store, KEY).await, 503);
    assert_eq!(status(store, WRONG).await, 503);
    store.find(&KeyDigest::of(KEY)).await.unwrap_err()
}

#[tokio::test]
async fn flushed_redis_is_a_missing_catalog() {
    let (server, publisher, store) = served().await;
    let _: () = server.run(&["FLUSHALL"]);
    let error = answers_no_key(&store).await;
    assert!(matches!(error, RedisStoreError::NoCatalog), "{error}");
    publisher.publish(&catalog()).await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
    assert_eq!(status(&store, WRONG).await, 401);
}

#[tokio::test]
async fn redis_restarted_empty_is_a_missing_catalog() {
    let (mut server, publisher, store) = served().await;
    server.restart();
    let error = answers_no_key(&store).await;
    assert!(matches!(error, RedisStoreError::NoCatalog), "{error}");
    publisher.publish(&catalog()).await.unwrap();
    comes_to(&store, KEY, 200).await;
    assert_eq!(status(&store, WRONG).await, 401);
}

#[tokio::test]
async fn cached_key_while_redis_is_empty_is_served() {
    let (server, publisher, store) = served().await;
    let store = cached(store);
    assert_eq!(status(&store, KEY).await, 200);
    let _: () = server.run(&["FLUSHALL"]);
    // A listener that reconnects meanwhile has nothing to read, and must not
    // invalidate the known answers.
    let _: i64 = server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let inside = store.get_ref().clone();
    eventually("the listener is back", async || {
        let listeners: Vec<redis::Value> = server.run(&["PUBSUB", "NUMSUB", "{tsk}:changes"]);
        listeners.get(1) == Some(&redis::Value::Int(1)) && inside.is_listening()
    })
    .await;
    assert_eq!(status(&store, KEY).await, 200);
    assert_eq!(status(&store, WRONG).await, 503);
    publisher.publish(&catalog()).await.unwrap();
    comes_to(&store, WRONG, 401).await;
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn corrupt_owner_is_an_error_for_its_key() {
    let (server, publisher, store) = served().await;
    let other = publisher.subscription("contoso").await.unwrap().unwrap();
    let entry_of_another = {
        let entry: String = server.run(&["HGET", "{tsk}:catalog", &field(KEY)]);
        entry.replace(&field(KEY), &field(OTHER))
    };
    for garbage in [
        "",
        "null",
        "{",
        "{\"subscription\":null}",
        "\u{0}\u{1}",
        &*entry_of_another,
    ] {
        let _: () = server.run(&["HSET", "{tsk}:catalog", &field(KEY), garbage]);
        assert_eq!(status(&store, KEY).await, 503, "{garbage}");
        let error = store.find(&KeyDigest::of(KEY)).await.unwrap_err();
        assert!(matches!(error, RedisStoreError::Owner { .. }), "{error}");
        assert!(
            !full_message(&error).contains(&field(KEY)),
            "{}",
            full_message(&error)
        );
        assert_eq!(status(&store, WRONG).await, 401);
    }
    publisher.put_subscription(&other).await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn unknown_layout_or_value_type_is_an_error() {
    let (server, publisher, store) = served().await;
    let _: () = server.run(&["HSET", "{tsk}:catalog", "@format", "2"]);
    let error = answers_no_key(&store).await;
    assert!(matches!(error, RedisStoreError::Layout), "{error}");
    let _: () = server.run(&["SET", "{tsk}:catalog", "hello"]);
    let error = answers_no_key(&store).await;
    assert!(
        full_message(&error).contains("WRONGTYPE"),
        "{}",
        full_message(&error)
    );
    // Publishing repairs it, independent of the present value.
    publisher.publish(&catalog()).await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn incomplete_definitions_are_not_used() {
    let (server, publisher, store) = served().await;
    let half = "{\"apis\":[{\"id\":\"echo\",\"path\":\"\"}]";
    let digest = KeyDigest::of(half).to_hex();
    for (document, digest) in [(half, digest.as_str()), (half, "x"), ("", "y")] {
        let live = "{tsk}:catalog";
        let _: () = server.run(&["HSET", live, "@definitions", document]);
        let _: () = server.run(&["HSET", live, "@definitions-sha256", digest]);
        let _: () = server.run(&["PUBLISH", "{tsk}:changes", "definitions"]);
        assert_eq!(status(&store, KEY).await, 503);
        assert_eq!(status(&store, WRONG).await, 503, "needs its API a key?");
        let error = builder(options(&server)).open().await.unwrap_err();
        assert!(
            full_message(&error).contains("not a whole catalog"),
            "{error}"
        );
    }
    publisher.publish(&catalog()).await.unwrap();
    comes_to(&store, KEY, 200).await;
}

#[tokio::test]
async fn store_started_before_the_first_catalog_answers_after_it() {
    let server = Server::start();
    let error = builder(options(&server)).open().await.unwrap_err();
    assert!(full_message(&error).contains("has no catalog"), "{error}");
    let store = builder(options(&server)).start().unwrap();
    store.listening().await;
    assert_eq!(status(&store, KEY).await, 503);
    publisher(&server).publish(&catalog()).await.unwrap();
    comes_to(&store, KEY, 200).await;
}

/// Such an error of Redis repeats the command's arguments.
#[tokio::test]
async fn error_of_a_denied_command_omits_the_digest() {
    let server = Server::start();
    publisher(&server).publish(&catalog()).await.unwrap();
    let _: () = server.run(&["ACL", "SETUSER", "default", "-eval"]);
    let store = builder(options(&server)).start().unwrap();
    let error = store.find(&KeyDigest::of(KEY)).await.unwrap_err();
    let (text, digest) = (full_message(&error), field(KEY));
    assert!(text.contains("permission"), "{text}");
    assert!(!text.contains(&digest[..8]), "{text}");
}
