use std::time::{Duration, SystemTime};

use tower_subscription_key::catalog::{
    Api, Catalog, KeySlot, Product, Scope, Subscription, SubscriptionKey,
};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublishError, RedisStoreError};
use tower_subscription_key::{KeyDigest, RedisPublisher};

use crate::server::Server;
use crate::support::*;

#[tokio::test]
async fn keys_are_found_unknown_or_suspended() {
    let (_server, publisher, store) = served().await;
    assert_eq!(status(&store, KEY).await, 200);
    assert_eq!(status(&store, WRONG).await, 401);
    publisher.put_subscription(&suspended()).await.unwrap();
    assert_eq!(status(&store, KEY).await, 401);
    let owner = store.find(&KeyDigest::of(KEY)).await.unwrap().unwrap();
    assert_eq!(*owner.subscription(), suspended());
    assert_eq!(owner.slot(), KeySlot::Primary);
}

#[tokio::test]
async fn published_catalog_replaces_the_earlier_one_and_leaves_no_other_keys() {
    let (server, publisher, store) = served().await;
    let many = (0..3000).map(|number| {
        Subscription::new(format!("s{number}"))
            .with_scope(Scope::AllApis)
            .with_primary_key(&*format!("key {number}"))
            .with_secondary_key(&*format!("second {number}"))
    });
    let before = publisher.put_subscription(&contoso()).await.unwrap();
    let revision = publisher.publish(&catalog_of(many)).await.unwrap();
    assert!(revision > before, "{revision} after {before}");
    for key in ["key 0", "second 1500", "key 2999"] {
        assert_eq!(status(&store, key).await, 200, "{key}");
    }
    assert_eq!(status(&store, KEY).await, 401);
    let names: Vec<String> = server.run(&["KEYS", "*"]);
    assert_eq!(names, ["{tsk}:catalog"]);
    let lives: i64 = server.run(&["TTL", "{tsk}:catalog"]);
    assert_eq!(lives, -1, "a catalog does not expire");
}

#[tokio::test]
async fn single_change_that_conflicts_with_the_published_catalog_is_rejected() {
    let (_server, publisher, _store) = served().await;
    let dangling = Subscription::new("x")
        .with_scope(Scope::Product("nowhere".into()))
        .with_primary_key(OTHER);
    let error = publisher.put_subscription(&dangling).await.unwrap_err();
    assert!(matches!(error, RedisPublishError::Catalog { .. }));
    let twin = Subscription::new("x")
        .with_scope(Scope::AllApis)
        .with_secondary_key(KEY);
    let error = publisher.put_subscription(&twin).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the published subscription `contoso` has the same key as its primary key"
    );
    assert_eq!(publisher.subscription("x").await.unwrap(), None);
}

#[tokio::test]
async fn replaced_or_removed_key_is_unknown() {
    let (server, publisher, store) = served().await;
    let rotated = contoso()
        .with_primary_key(OTHER)
        .with_secondary_key("another");
    publisher.put_subscription(&rotated).await.unwrap();
    assert_eq!(
        publisher.subscription("contoso").await.unwrap(),
        Some(rotated)
    );
    assert_eq!(status(&store, KEY).await, 401);
    assert_eq!(status(&store, OTHER).await, 200);
    assert_eq!(status(&store, "another").await, 200);
    assert!(
        publisher
            .remove_subscription("contoso")
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        publisher
            .remove_subscription("contoso")
            .await
            .unwrap()
            .is_none()
    );
    for key in [KEY, OTHER, "another"] {
        assert_eq!(status(&store, key).await, 401, "{key}");
    }
    let fields: Vec<String> = server.run(&["HKEYS", "{tsk}:catalog"]);
    assert_eq!(fields.len(), 4, "{fields:?}");
}

#[tokio::test]
async fn changed_apis_and_products_reach_every_store() {
    let (_server, publisher, store) = served().await;
    let moved = Catalog::builder()
        .api(Api::new("echo", "/elsewhere"))
        .api(Api::new("rest", "").with_subscription_required(false))
        .product(Product::new("starter").with_apis(["echo"]))
        .build()
        .unwrap();
    publisher.put_definitions(&moved).await.unwrap();
    // `/echo/1` now belongs to the API that needs no key.
    comes_to(&store, WRONG, 200).await;
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn single_change_without_a_catalog_is_an_error() {
    let server = Server::start();
    let publisher = publisher(&server);
    let is_none = |error: RedisPublishError| {
        let RedisPublishError::Store { source } = error else {
            panic!("{error}");
        };
        assert!(matches!(source, RedisStoreError::NoCatalog), "{source}");
    };
    is_none(publisher.put_subscription(&contoso()).await.unwrap_err());
    is_none(publisher.remove_subscription("contoso").await.unwrap_err());
    is_none(publisher.put_definitions(&catalog()).await.unwrap_err());
}

#[tokio::test]
async fn catalogs_with_different_prefixes_are_independent() {
    let (server, _publisher, store) = served().await;
    let elsewhere = options(&server).with_prefix("elsewhere");
    let publisher = RedisPublisher::new(elsewhere.clone()).unwrap();
    let other = Subscription::new("x")
        .with_scope(Scope::AllApis)
        .with_primary_key(OTHER);
    publisher.publish(&catalog_of([other])).await.unwrap();
    let other = builder(elsewhere).open().await.unwrap();
    assert_eq!(status(&other, OTHER).await, 200);
    assert_eq!(status(&other, KEY).await, 401);
    assert_eq!(status(&store, OTHER).await, 401);
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn password_is_required_and_never_shown() {
    let server = Server::start();
    let _: () = server.run(&["CONFIG", "SET", "requirepass", "s3cret"]);
    let error = builder(options(&server)).open().await.unwrap_err();
    assert!(
        full_message(&error).contains("NOAUTH"),
        "{}",
        full_message(&error)
    );
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", server.port());
    let patient = |url: String| {
        RedisOptions::new(url)
            .with_timeout(PATIENCE)
            .with_connect_timeout(PATIENCE)
    };
    let wrong = patient(url("wr0ng"));
    let error = builder(wrong).open().await.unwrap_err();
    assert!(
        !full_message(&error).contains("wr0ng"),
        "{}",
        full_message(&error)
    );
    let options = patient(url("s3cret"));
    let publisher = RedisPublisher::new(options.clone()).unwrap();
    publisher.publish(&catalog()).await.unwrap();
    let store = builder(options).open().await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
    assert!(!format!("{store:?}{publisher:?}").contains("s3cret"));
}

#[tokio::test]
async fn replaced_key_opens_until_the_end_of_its_grace() {
    let (_server, publisher, store) = served().await;
    let rotated = |end: SystemTime| {
        let replaced = SubscriptionKey::new(KEY).with_expiry(end);
        Subscription::new("contoso")
            .with_scope(Scope::Product("starter".into()))
            .with_primary_key(OTHER)
            .with_retired_key(KeySlot::Primary, replaced)
    };
    let hour = Duration::from_secs(3600);
    for (end, expected) in [
        (SystemTime::now() + hour, 200),
        (SystemTime::now() - hour, 401),
    ] {
        publisher.put_subscription(&rotated(end)).await.unwrap();
        assert_eq!(status(&store, KEY).await, expected);
        assert_eq!(status(&store, OTHER).await, 200);
    }
}
