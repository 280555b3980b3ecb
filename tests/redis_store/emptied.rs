//! Redis answers, but not with what it was given: never "no such key".

use tower_subscription_key::KeyDigest;
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisStore, RedisStoreError};

use crate::server::Server;
use crate::support::*;

/// Neither a good key nor a wrong one may be told from the other.
async fn answers_nobody(store: &RedisStore) -> RedisStoreError {
    assert_eq!(status(store, KEY).await, 503);
    assert_eq!(status(store, WRONG).await, 503);
    store.find(&KeyDigest::of(KEY)).await.unwrap_err()
}

#[tokio::test]
async fn flushed_it_is_no_catalog_without_keys_but_none() {
    let (server, publisher, store) = served().await;
    let _: () = server.run(&["FLUSHALL"]);
    let error = answers_nobody(&store).await;
    assert!(matches!(error, RedisStoreError::NoCatalog), "{error}");
    publisher.publish(&catalog()).await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
    assert_eq!(status(&store, WRONG).await, 401);
}

#[tokio::test]
async fn restarted_empty_it_is_none_either() {
    let (mut server, publisher, store) = served().await;
    server.restart();
    let error = answers_nobody(&store).await;
    assert!(matches!(error, RedisStoreError::NoCatalog), "{error}");
    publisher.publish(&catalog()).await.unwrap();
    comes_to(&store, KEY, 200).await;
    assert_eq!(status(&store, WRONG).await, 401);
}

#[tokio::test]
async fn what_is_known_is_served_while_it_is_empty() {
    let (server, publisher, store) = served().await;
    let store = cached(store);
    assert_eq!(status(&store, KEY).await, 200);
    let _: () = server.run(&["FLUSHALL"]);
    // A listener that comes back meanwhile has nothing to read, and must not
    // have what is known forgotten.
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
async fn garbage_for_a_key_is_an_error_for_that_key() {
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
        assert!(!told(&error).contains(&field(KEY)), "{}", told(&error));
        assert_eq!(status(&store, WRONG).await, 401);
    }
    publisher.put_subscription(&other).await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn another_layout_and_another_kind_of_value_are_errors() {
    let (server, publisher, store) = served().await;
    let _: () = server.run(&["HSET", "{tsk}:catalog", "@format", "2"]);
    let error = answers_nobody(&store).await;
    assert!(matches!(error, RedisStoreError::Layout), "{error}");
    let _: () = server.run(&["SET", "{tsk}:catalog", "hello"]);
    let error = answers_nobody(&store).await;
    assert!(told(&error).contains("WRONGTYPE"), "{}", told(&error));
    // Publishing puts it right, whatever stands there.
    publisher.publish(&catalog()).await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn half_of_the_definitions_is_not_used() {
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
        assert!(told(&error).contains("not a whole catalog"), "{error}");
    }
    publisher.publish(&catalog()).await.unwrap();
    comes_to(&store, KEY, 200).await;
}

#[tokio::test]
async fn begun_before_there_is_a_catalog_it_answers_from_the_moment_there_is() {
    let server = Server::start();
    let error = builder(options(&server)).open().await.unwrap_err();
    assert!(told(&error).contains("has no catalog"), "{error}");
    let store = builder(options(&server)).start().unwrap();
    store.listening().await;
    assert_eq!(status(&store, KEY).await, 503);
    publisher(&server).publish(&catalog()).await.unwrap();
    comes_to(&store, KEY, 200).await;
}

/// Such a refusal repeats what was asked for.
#[tokio::test]
async fn a_refused_command_does_not_tell_the_digest() {
    let server = Server::start();
    publisher(&server).publish(&catalog()).await.unwrap();
    let _: () = server.run(&["ACL", "SETUSER", "default", "-eval"]);
    let store = builder(options(&server)).start().unwrap();
    let error = store.find(&KeyDigest::of(KEY)).await.unwrap_err();
    let (told, digest) = (told(&error), field(KEY));
    assert!(told.contains("permission"), "{told}");
    assert!(!told.contains(&digest[..8]), "{told}");
}
