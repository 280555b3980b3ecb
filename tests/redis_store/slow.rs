//! Connecting takes longer than a lookup may.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tower_subscription_key::KeyDigest;
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStoreError};

use crate::gate::Gate;
use crate::server::Server;
use crate::support::*;

/// Short: it passes again and again.
const TIMEOUT: Duration = Duration::from_millis(100);

fn through(gate: &Gate) -> RedisOptions {
    RedisOptions::new(gate.url())
        .with_timeout(TIMEOUT)
        .with_connect_timeout(PATIENCE)
}

/// That waits for longer than a command may take, and then goes well.
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
            // On a busy machine also a command may take as long.
            Err(error) => assert!(timeout < PATIENCE, "{error:?}"),
        }
        timeout *= 2;
    }
}

#[tokio::test]
async fn an_attempt_outlives_the_lookups_that_give_up_and_serves_those_to_come() {
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

/// Also one that was in use before.
#[tokio::test]
async fn a_store_that_lost_its_connection_waits_for_the_new_one_as_long() {
    let (server, _publisher, _) = served().await;
    let gate = Gate::before(&server).await;
    gate.open();
    let store = builder(through(&gate)).start().unwrap();
    comes_to(&store, KEY, 200).await;
    gate.shut();
    for _ in 0..5 {
        assert_eq!(status(&store, KEY).await, 503);
    }
    // One for commands, one to listen by.
    eventually("both are made anew", async || gate.held() == 2).await;
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
async fn a_store_and_a_publisher_wait_for_their_first_connection() {
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
async fn an_attempt_that_takes_too_long_is_given_up_and_told() {
    let server = Server::start();
    let gate = Gate::before(&server).await;
    let options = through(&gate)
        .with_timeout(PATIENCE)
        .with_connect_timeout(TIMEOUT);
    let error = builder(options.clone()).open().await.unwrap_err();
    let told = told(&error);
    assert!(told.contains("did not answer in 100ms"), "{told}");
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
async fn an_attempt_ends_with_the_last_handle() {
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
