//! Connecting takes longer than the timeout of a lookup.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tower_subscription_key::KeyDigest;
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStoreError};

use crate::gate::Gate;
use crate::server::Server;
use crate::support::*;

/// Short, because it elapses repeatedly.
const TIMEOUT: Duration = Duration::from_millis(100);

fn through(gate: &Gate) -> RedisOptions {
    RedisOptions::new(gate.url())
        .with_timeout(TIMEOUT)
        .with_connect_timeout(PATIENCE)
}

/// A connection attempt that takes longer than a command's timeout, then succeeds.
async fn outwaits<T, E, F>(server: &Server, begin: impl Fn(RedisOptions) -> F) -> T
where
    T: Send + 'static,
    E: Debug + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut timeout = TIMEOUT;
    loop {
        let gate = Gate::before(server).await;
        let begun = tokio::spawn(begin(through(&gate).with_timeout(timeout)));
        tokio::time::sleep(3 * timeout).await;
        assert!(!begun.is_finished());
        eventually("it is connected to", async || gate.held() == 1).await;
        assert_eq!(gate.arrived(), 1);
        gate.open();
        match begun.await.unwrap() {
            Ok(outcome) => return outcome,
            // On a busy machine a command may also take as long.
            Err(error) => assert!(timeout < PATIENCE, "{error:?}"),
        }
        timeout *= 2;
    }
}

#[tokio::test]
async fn connection_attempt_outlives_timed_out_lookups_and_serves_later_ones() {
    let (server, _publisher, _) = served().await;
    let gate = Gate::before(&server).await;
    let store = builder(through(&gate)).start().unwrap();
    for _ in 0..5 {
        let error = store.find(&KeyDigest::of(KEY)).await.unwrap_err();
        let expected = matches!(error, RedisStoreError::TimedOut { after } if after == TIMEOUT);
        assert!(expected, "{error}");
        assert_eq!(status(&store, KEY).await, 503);
    }
    let together = [(); 10].map(|()| {
        let store = store.clone();
        tokio::spawn(async move { store.find(&KeyDigest::of(WRONG)).await })
    });
    for lookup in together {
        assert!(lookup.await.unwrap().is_err());
    }
    eventually("one attempt goes on", async || gate.held() == 1).await;
    assert_eq!(gate.arrived(), 1, "all share it");
    gate.open();
    comes_to(&store, KEY, 200).await;
    comes_to(&store, WRONG, 401).await;
}

/// The same for a connection that was in use before.
#[tokio::test]
async fn lookup_after_a_lost_connection_waits_for_the_new_one() {
    let (server, _publisher, _) = served().await;
    let gate = Gate::before(&server).await;
    gate.open();
    let store = builder(through(&gate)).start().unwrap();
    comes_to(&store, KEY, 200).await;
    gate.shut();
    for _ in 0..5 {
        assert_eq!(status(&store, KEY).await, 503);
    }
    // One connection for commands, and one for pushes.
    eventually("both are reconnected", async || gate.held() == 2).await;
    let arrived = gate.arrived();
    for _ in 0..5 {
        assert_eq!(status(&store, KEY).await, 503);
    }
    assert_eq!(gate.arrived(), arrived);
    gate.open();
    comes_to(&store, KEY, 200).await;
    store.listening().await;
}

#[tokio::test]
async fn store_and_publisher_wait_for_their_first_connection() {
    let server = Server::start();
    let published = outwaits(&server, |options| async {
        let publisher = RedisPublisher::new(options).unwrap();
        publisher.publish(&catalog()).await
    });
    published.await;
    let connected = outwaits(&server, |options| builder(options).open());
    drop(connected.await);
}

#[tokio::test]
async fn connection_attempt_beyond_the_timeout_is_reported() {
    let server = Server::start();
    let gate = Gate::before(&server).await;
    let options = through(&gate)
        .with_timeout(PATIENCE)
        .with_connect_timeout(TIMEOUT);
    let error = builder(options.clone()).open().await.unwrap_err();
    let text = full_message(&error);
    assert!(text.contains("did not answer in 100ms"), "{text}");
    let publisher = RedisPublisher::new(options.clone()).unwrap();
    assert!(publisher.publish(&catalog()).await.is_err());
    let store = builder(options).start().unwrap();
    for _ in 0..3 {
        let error = store.find(&KeyDigest::of(KEY)).await.unwrap_err();
        let expected = matches!(error, RedisStoreError::TimedOut { after } if after == TIMEOUT);
        assert!(expected, "{error}");
    }
}

#[tokio::test]
async fn last_handle_dropped_ends_the_connection_attempt() {
    let server = Server::start();
    let gate = Gate::before(&server).await;
    let options = through(&gate).with_connect_timeout(2 * PATIENCE);
    let store = builder(options).start().unwrap();
    let another = store.clone();
    assert_eq!(status(&store, KEY).await, 503);
    eventually("it is connected to", async || gate.held() == 1).await;
    drop(store);
    assert!(another.find(&KeyDigest::of(KEY)).await.is_err());
    assert_eq!(gate.held(), 1);
    drop(another);
    eventually("nothing is left", async || gate.held() == 0).await;
}
