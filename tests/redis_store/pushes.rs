//! A change reaches every instance that has cached the earlier answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_subscription_key::KeyDigest;
use tower_subscription_key::catalog::{Scope, Subscription};
use tower_subscription_key::store::Invalidation;

use crate::server::Server;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn suspension_of_a_cached_key_reaches_eight_instances() {
    let (server, publisher, first) = served().await;
    let mut instances = vec![cached(first)];
    for _ in 1..8 {
        let store = builder(options(&server)).open().await.unwrap();
        instances.push(cached(store));
    }
    for round in 0..3 {
        publisher.put_subscription(&contoso()).await.unwrap();
        for instance in &instances {
            comes_to(instance, KEY, 200).await;
        }
        publisher.put_subscription(&suspended()).await.unwrap();
        for instance in &instances {
            comes_to(instance, KEY, 401).await;
        }
        assert!(
            instances.iter().all(|one| one.stats().errors == 0),
            "{round}"
        );
    }
}

#[tokio::test]
async fn cached_unknown_key_is_found_after_it_is_issued() {
    let (_server, publisher, store) = served().await;
    let store = cached(store);
    assert_eq!(status(&store, OTHER).await, 401);
    publisher
        .put_subscription(&contoso().with_secondary_key(OTHER))
        .await
        .unwrap();
    comes_to(&store, OTHER, 200).await;
}

#[tokio::test]
async fn change_of_one_subscription_keeps_the_others_cached() {
    let (_server, publisher, store) = served().await;
    let store = cached(store);
    assert_eq!(status(&store, KEY).await, 200);
    assert_eq!(status(&store, WRONG).await, 401);
    let other = Subscription::new("other")
        .with_scope(Scope::AllApis)
        .with_primary_key(OTHER);
    assert_eq!(status(&store, OTHER).await, 401);
    publisher.put_subscription(&other).await.unwrap();
    comes_to(&store, OTHER, 200).await;
    let before = store.stats().misses;
    assert_eq!(status(&store, KEY).await, 200);
    assert_eq!(status(&store, WRONG).await, 401);
    assert_eq!(store.stats().misses, before);
}

#[tokio::test]
async fn published_catalog_reaches_every_instance() {
    let (_server, publisher, store) = served().await;
    let store = cached(store);
    assert_eq!(status(&store, KEY).await, 200);
    publisher.publish(&catalog_of([suspended()])).await.unwrap();
    comes_to(&store, KEY, 401).await;
}

/// A change without its push.
fn suspend_silently(server: &Server) {
    let entry: String = server.run(&["HGET", "{tsk}:catalog", &field(KEY)]);
    let entry = entry.replace("\"id\"", "\"state\":\"suspended\",\"id\"");
    let _: () = server.run(&["HSET", "{tsk}:catalog", &field(KEY), &entry]);
}

#[tokio::test]
async fn disconnected_listener_reads_everything_after_reconnecting() {
    let (server, publisher, store) = served().await;
    let store = cached(store);
    assert_eq!(status(&store, KEY).await, 200);
    suspend_silently(&server);
    assert_eq!(status(&store, KEY).await, 200, "it cannot know yet");
    let _: i64 = server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    comes_to(&store, KEY, 401).await;
    // The listener receives pushes again.
    store.get_ref().listening().await;
    publisher.put_subscription(&contoso()).await.unwrap();
    comes_to(&store, KEY, 200).await;
}

#[tokio::test]
async fn watchers_get_changed_keys_and_survive_a_panic_of_another() {
    let (_server, publisher, store) = served().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    store.watch_invalidations(|_| panic!("a watcher of the test panics"));
    let hearing = Arc::clone(&heard);
    store.watch_invalidations(move |invalidation| {
        hearing.lock().unwrap().push(invalidation.clone());
    });
    let rotated = contoso().with_primary_key(OTHER);
    publisher.put_subscription(&rotated).await.unwrap();
    publisher.remove_subscription("contoso").await.unwrap();
    publisher.publish(&catalog()).await.unwrap();
    eventually("all three are heard", async || {
        heard.lock().unwrap().len() >= 3
    })
    .await;
    let (before, after) = (KeyDigest::of(KEY), KeyDigest::of(OTHER));
    let of_contoso = |keys| {
        let id = "contoso".to_owned();
        Invalidation::Subscription { id, keys }
    };
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0], of_contoso(vec![before, after]));
    assert_eq!(heard[1], of_contoso(vec![after]));
    assert_eq!(heard[2], Invalidation::All);
}

#[tokio::test]
async fn push_with_unknown_content_invalidates_everything() {
    let (server, _publisher, store) = served().await;
    let store = cached(store);
    assert_eq!(status(&store, KEY).await, 200);
    let before = store.stats().misses;
    let _: i64 = server.run(&["PUBLISH", "{tsk}:changes", "version 2: hello"]);
    eventually("the key is looked up again", async || {
        assert_eq!(status(&store, KEY).await, 200);
        store.stats().misses > before
    })
    .await;
}

/// The remote server accepts no listeners, but it answers.
#[tokio::test]
async fn cache_without_pushes_is_invalidated_at_the_configured_interval() {
    let (server, _publisher, _) = served().await;
    let builder = builder(options(&server)).forget_while_not_listening(Duration::from_millis(50));
    let store = cached(builder.open().await.unwrap());
    assert_eq!(status(&store, KEY).await, 200);
    let _: () = server.run(&["ACL", "SETUSER", "default", "resetchannels", "-subscribe"]);
    let _: i64 = server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    eventually("pushes are lost", async || !store.get_ref().is_listening()).await;
    suspend_silently(&server);
    comes_to(&store, KEY, 401).await;
    assert!(!store.get_ref().is_listening());
}
