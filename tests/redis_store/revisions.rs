//! Changes that overtake each other, and a catalog that goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower_subscription_key::catalog::{Api, Change, Product, Scope, State, Subscription};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublishError, RedisPublisher};

use crate::proxy::{Mode, Proxy};
use crate::server::Server;
use crate::support::*;

#[tokio::test]
async fn update_that_is_held_up_does_not_undo_a_newer_suspension() {
    let (server, publisher, store) = served().await;
    let proxy = Arc::new(Proxy::start(server.port()).await);
    let slow_options = RedisOptions::new(proxy.url()).with_timeout(PATIENCE);
    let slow = RedisPublisher::new(slow_options).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let (started, start) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let (holding, counting) = (Arc::clone(&proxy), Arc::clone(&calls));
    let rotation = tokio::spawn(async move {
        slow.update_subscription("contoso", move |before| {
            counting.fetch_add(1, Ordering::SeqCst);
            if let Some(started) = started.take() {
                // From here on, the publisher's commands are delayed.
                holding.set(Mode::Hold);
                started.send(()).unwrap();
            }
            Some(before?.with_primary_key(OTHER))
        })
        .await
    });
    start.await.unwrap();
    publisher.put_subscription(&suspended()).await.unwrap();
    proxy.set(Mode::Delay(Duration::ZERO));
    rotation.await.unwrap().unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let contoso = publisher.subscription("contoso").await.unwrap().unwrap();
    assert_eq!(contoso, suspended().with_primary_key(OTHER));
    assert_eq!(status(&store, OTHER).await, 401);
}

#[tokio::test]
async fn several_changes_are_one_revision() {
    let (server, publisher, store) = served().await;
    let before: u64 = revision(&server);
    let other = Subscription::new("other")
        .with_scope(Scope::Product("extra".into()))
        .with_primary_key(OTHER);
    let after = publisher
        .apply([
            Change::PutSubscription(other),
            Change::RemoveSubscription("contoso".into()),
            Change::PutProduct(Product::new("extra").with_apis(["more"])),
            Change::PutApi(Api::new("more", "/echo/1")),
        ])
        .await
        .unwrap();
    assert!(after > before);
    assert_eq!(revision(&server), after);
    comes_to(&store, OTHER, 200).await;
    assert_eq!(status(&store, KEY).await, 401);
}

#[tokio::test]
async fn conflicting_changes_change_nothing() {
    let (server, publisher, store) = served().await;
    let before: u64 = revision(&server);
    let dangling = Subscription::new("x")
        .with_scope(Scope::Api("nowhere".into()))
        .with_primary_key(OTHER);
    let changes = [
        Change::RemoveSubscription("contoso".into()),
        Change::PutSubscription(dangling),
    ];
    let error = publisher.apply(changes).await.unwrap_err();
    assert!(
        matches!(error, RedisPublishError::Catalog { .. }),
        "{error}"
    );
    assert_eq!(revision(&server), before);
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn key_can_move_between_two_subscriptions_in_one_revision() {
    let (_server, publisher, store) = served().await;
    let heir = Subscription::new("heir")
        .with_scope(Scope::AllApis)
        .with_primary_key(KEY);
    publisher
        .apply([
            Change::PutSubscription(contoso().with_primary_key(OTHER)),
            Change::PutSubscription(heir),
        ])
        .await
        .unwrap();
    for (key, id) in [(KEY, "heir"), (OTHER, "contoso")] {
        let digest = tower_subscription_key::KeyDigest::of(key);
        let owner = store.find(&digest).await.unwrap().unwrap();
        assert_eq!(owner.subscription().id(), id);
    }
}

/// A replica without the last changes is promoted.
#[tokio::test]
async fn catalog_that_goes_back_is_reported_and_cached_keys_are_confirmed() {
    let (server, publisher, store) = served().await;
    let newest = publisher.put_subscription(&contoso()).await.unwrap();
    let cache = cached(store.clone());
    assert_eq!(status(&cache, KEY).await, 200);
    let _: () = server.run(&["HSET", "{tsk}:catalog", "@revision", "7"]);
    let entry: String = server.run(&["HGET", "{tsk}:catalog", &field(KEY)]);
    let entry = entry.replace("\"id\"", "\"state\":\"suspended\",\"id\"");
    let _: () = server.run(&["HSET", "{tsk}:catalog", &field(KEY), &entry]);
    assert_eq!(status(&cache, KEY).await, 200, "it cannot know yet");
    // Any lookup meets the older revision.
    assert_eq!(status(&cache, WRONG).await, 401);
    eventually("it is reported", async || {
        store.status().went_back_at().is_some()
    })
    .await;
    comes_to(&cache, KEY, 401).await;
    let repaired = publisher.put_subscription(&contoso()).await.unwrap();
    assert!(repaired > newest, "revisions grow also after that");
    comes_to(&cache, KEY, 200).await;
}

#[tokio::test]
async fn change_without_the_permission_to_push_is_stored_and_reported() {
    let (server, _publisher, store) = served().await;
    let _: () = server.run(&[
        "ACL",
        "SETUSER",
        "mute",
        "on",
        ">pw",
        "~*",
        "+@all",
        "resetchannels",
    ]);
    let url = format!("redis://mute:pw@127.0.0.1:{}", server.port());
    let mute = RedisPublisher::new(RedisOptions::new(url).with_timeout(PATIENCE)).unwrap();
    let error = mute.put_subscription(&suspended()).await.unwrap_err();
    assert!(
        matches!(error, RedisPublishError::NotPushed { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.starts_with("the change is made, but not pushed"),
        "{text}"
    );
    assert!(text.contains("{tsk}:changes"), "{text}");
    assert_eq!(status(&store, KEY).await, 401);
    let error = mute.publish(&catalog()).await.unwrap_err();
    assert!(
        matches!(error, RedisPublishError::NotPushed { .. }),
        "{error:?}"
    );
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn publisher_that_ends_while_it_writes_leaves_only_what_expires() {
    let server = Server::start();
    let publisher = publisher(&server);
    let many = (0..20_000).map(|number| {
        Subscription::new(format!("s{number}"))
            .with_scope(Scope::AllApis)
            .with_primary_key(&*format!("key {number}"))
    });
    let large = catalog_of(many);
    let publishing = tokio::spawn(async move { publisher.publish(&large).await });
    let mut staged: Vec<String> = Vec::new();
    eventually("something is staged", async || {
        staged = server.run(&["KEYS", "{tsk}:staged:*"]);
        !staged.is_empty()
    })
    .await;
    publishing.abort();
    let _ = publishing.await;
    let left: Vec<String> = server.run(&["KEYS", "{tsk}:staged:*"]);
    for key in left {
        let seconds: i64 = server.run(&["TTL", &key]);
        assert!(seconds > 0, "{key} stays for ever");
    }
}

#[tokio::test]
async fn concurrent_updates_of_one_subscription_are_all_kept() {
    let (_server, publisher, _store) = served().await;
    let updates = (0..5).map(|number| {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            publisher
                .update_subscription("contoso", |before| {
                    let before = before?;
                    let name = format!("{}{number}", before.display_name());
                    Some(before.with_display_name(name))
                })
                .await
        })
    });
    for update in updates.collect::<Vec<_>>() {
        update.await.unwrap().unwrap();
    }
    let contoso = publisher.subscription("contoso").await.unwrap().unwrap();
    assert_eq!(contoso.display_name().len(), "contoso".len() + 5);
    assert_eq!(contoso.state(), State::Active);
}

fn revision(server: &Server) -> u64 {
    server.run(&["HGET", "{tsk}:catalog", "@revision"])
}
