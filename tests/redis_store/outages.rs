//! Redis does not answer: 503 or a known answer, and never 401 for a good key.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use tower_subscription_key::KeyDigest;
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::RedisStoreError;

use crate::server::Server;
use crate::support::*;

#[tokio::test]
async fn killed_redis_is_unavailable_and_known_keys_are_served_until_stale() {
    let (mut server, _publisher, store) = served().await;
    let short = store
        .clone()
        .cached_with(|cache| {
            cache
                .found_for(Duration::from_millis(1))
                .stale_for(Duration::from_millis(1))
                .timeout(PATIENCE)
                .without_breaker()
        })
        .unwrap();
    let long = store
        .clone()
        .cached_with(|cache| {
            cache
                .found_for(Duration::from_millis(1))
                .stale_for(Duration::from_secs(3600))
                .timeout(PATIENCE)
        })
        .unwrap();
    assert_eq!(status(&long, KEY).await, 200);
    assert_eq!(status(&short, KEY).await, 200);
    server.kill();
    for _ in 0..3 {
        assert_eq!(status(&store, KEY).await, 503);
        assert_eq!(status(&store, WRONG).await, 503);
        assert_eq!(status(&long, KEY).await, 200);
        assert_eq!(status(&long, WRONG).await, 503);
    }
    assert!(long.stats().stale_served > 0);
    comes_to(&short, KEY, 503).await;
}

#[tokio::test]
async fn hanging_redis_is_unavailable_after_the_timeout_until_it_recovers() {
    let (server, _publisher, _) = served().await;
    let store = impatient(&options(&server)).await;
    server.stop();
    // It may still answer a request that arrives before the signal.
    comes_to(&store, KEY, 503).await;
    assert_eq!(status(&store, WRONG).await, 503);
    let error = store.find(&KeyDigest::of(KEY)).await.unwrap_err();
    assert!(matches!(error, RedisStoreError::TimedOut { .. }), "{error}");
    eventually("the silence is noticed", async || !store.is_listening()).await;
    server.go_on();
    comes_to(&store, KEY, 200).await;
    store.listening().await;
}

#[tokio::test]
async fn reset_connection_is_replaced_without_an_error() {
    let (server, _publisher, store) = served().await;
    for _ in 0..20 {
        assert_eq!(status(&store, KEY).await, 200);
        let _: i64 = server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test]
async fn store_started_during_an_outage_reports_it_and_recovers() {
    let (mut server, publisher, _) = served().await;
    server.kill();
    let error = builder(options(&server)).open().await.unwrap_err();
    let RedisStoreError::NotLoaded { cause } = &error else {
        panic!("{error}");
    };
    assert!(cause.is_some(), "{error}");
    let store = builder(options(&server)).start().unwrap();
    assert_eq!(status(&store, KEY).await, 503);
    server.restart();
    publisher.publish(&catalog()).await.unwrap();
    comes_to(&store, KEY, 200).await;
}

#[tokio::test]
async fn remote_with_an_unknown_protocol_is_an_error() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let talking = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\n\r\n*1\r\n$-1\r\n")
                .await;
        }
    });
    let options = tower_subscription_key::store::redis::RedisOptions::new(url);
    let store = builder(options).start().unwrap();
    assert!(store.find(&KeyDigest::of(KEY)).await.is_err());
    assert_eq!(status(&store, KEY).await, 503);
    talking.abort();
}

#[tokio::test]
async fn dropped_lookups_do_not_disturb_others() {
    let (_server, _publisher, store) = served().await;
    for _ in 0..50 {
        let digest = KeyDigest::of(KEY);
        let mut given_up = std::pin::pin!(store.find(&digest));
        poll_fn(|context| {
            let _ = given_up.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        assert_eq!(status(&store, KEY).await, 200);
    }
}

#[tokio::test]
async fn last_handle_dropped_ends_the_task() {
    let (server, _publisher, store) = served().await;
    let listeners = || -> i64 {
        let counted: Vec<redis::Value> = server.run(&["PUBSUB", "NUMSUB", "{tsk}:changes"]);
        match counted.get(1) {
            Some(redis::Value::Int(count)) => *count,
            other => panic!("{other:?}"),
        }
    };
    let another = store.clone();
    let cache = cached(store);
    drop(another);
    assert_eq!(status(&cache, KEY).await, 200);
    assert_eq!(listeners(), 1);
    drop(cache);
    eventually("the listener is gone", async || listeners() == 0).await;
}

#[tokio::test]
async fn start_outside_a_runtime_returns_an_error() {
    let server = Server::start();
    let options = options(&server);
    let begun = std::thread::spawn(move || builder(options).start().map(drop));
    let error = begun.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
}
