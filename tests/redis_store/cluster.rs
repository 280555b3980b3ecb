//! A cluster with three masters.

use std::time::Duration;

use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher};

use crate::server::{Cluster, Port, Server};
use crate::support::*;

fn options(cluster: &Cluster) -> RedisOptions {
    options_of(cluster.urls())
}

fn options_of(urls: Vec<String>) -> RedisOptions {
    RedisOptions::cluster(urls)
        .with_timeout(PATIENCE)
        .with_connect_timeout(3 * PATIENCE)
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_supports_publishing_lookups_and_pushes() {
    let mut cluster = Cluster::start();
    let publisher = RedisPublisher::new(options(&cluster)).unwrap();
    publisher.publish(&catalog()).await.unwrap();
    // Each instance listens at another node: a push at one node reaches all.
    let mut instances = Vec::new();
    for first in 0..3 {
        let mut urls = cluster.urls();
        urls.rotate_left(first);
        let options = options_of(urls);
        instances.push(cached(builder(options).open().await.unwrap()));
    }
    for instance in &instances {
        assert_eq!(status(instance, KEY).await, 200);
        assert_eq!(status(instance, WRONG).await, 401);
    }
    publisher.put_subscription(&suspended()).await.unwrap();
    for instance in &instances {
        comes_to(instance, KEY, 401).await;
    }
    publisher.publish(&catalog()).await.unwrap();
    for instance in &instances {
        comes_to(instance, KEY, 200).await;
    }
    // All nodes are down: cached keys are served, other keys are unavailable.
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    for instance in &instances {
        assert_eq!(status(instance, KEY).await, 200);
        assert_eq!(status(instance, OTHER).await, 503);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_node_that_is_down_is_skipped() {
    let cluster = Cluster::start();
    let down = Port::free();
    let mut urls = cluster.urls();
    urls.insert(0, format!("redis://127.0.0.1:{}", down.number()));
    let options = options_of(urls);
    let publisher = RedisPublisher::new(options.clone()).unwrap();
    publisher.publish(&catalog()).await.unwrap();
    let store = builder(options).open().await.unwrap();
    assert_eq!(status(&store, KEY).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_that_hangs_is_unavailable_until_it_recovers() {
    let cluster = Cluster::start();
    let publisher = RedisPublisher::new(options(&cluster)).unwrap();
    publisher.publish(&catalog()).await.unwrap();
    let store = impatient(&options(&cluster)).await;
    cluster.nodes.iter().for_each(|node| node.stop());
    // It may still answer a request that arrives before the signal.
    comes_to(&store, KEY, 503).await;
    assert_eq!(status(&store, WRONG).await, 503);
    cluster.nodes.iter().for_each(|node| node.go_on());
    comes_to(&store, KEY, 200).await;
    comes_to(&store, WRONG, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_node_that_hangs_leaves_time_for_the_others() {
    let cluster = Cluster::start();
    let publisher = RedisPublisher::new(options(&cluster)).unwrap();
    publisher.publish(&catalog()).await.unwrap();
    let slot: u16 = cluster.nodes[0].run(&["CLUSTER", "KEYSLOT", "{tsk}:catalog"]);
    // A node without the catalog.
    let hanging = if slot <= 5460 { 1 } else { 0 };
    cluster.nodes[hanging].stop();
    let mut patience = Duration::from_secs(1);
    let store = loop {
        let options = options(&cluster).with_connect_timeout(patience);
        match builder(options).open().await {
            Ok(store) => break store,
            // On a busy machine the other nodes may take as long.
            Err(error) => assert!(patience < PATIENCE, "{error:?}"),
        }
        patience *= 2;
    };
    assert_eq!(status(&store, KEY).await, 200);
    assert_eq!(status(&store, WRONG).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_waits_until_the_slot_of_the_catalog_has_moved() {
    let cluster = Cluster::start();
    let publisher = RedisPublisher::new(options(&cluster)).unwrap();
    publisher.publish(&catalog()).await.unwrap();
    let store = builder(options(&cluster)).open().await.unwrap();
    let slot: u16 = cluster.nodes[0].run(&["CLUSTER", "KEYSLOT", "{tsk}:catalog"]);
    let from = match slot {
        ..=5460 => 0,
        5461..=10922 => 1,
        _ => 2,
    };
    let (from, to) = (&cluster.nodes[from], &cluster.nodes[(from + 1) % 3]);
    let id_of = |node: &Server| node.run::<String>(&["CLUSTER", "MYID"]);
    let (slot, source, target) = (slot.to_string(), id_of(from), id_of(to));
    let _: () = to.run(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
    let _: () = from.run(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
    // What is new is written at the target, while the live catalog is still at the source.
    let publishing = tokio::spawn(async move {
        let suspended = catalog_of([suspended()]);
        publisher.publish(&suspended).await
    });
    eventually("the staged catalog is at the target", async || {
        let keys: Vec<String> = to.run(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]);
        keys.iter().any(|key| key.contains("staged"))
    })
    .await;
    assert!(!publishing.is_finished());
    assert_eq!(status(&store, KEY).await, 200);
    let port = to.port().to_string();
    let migrate = ["MIGRATE", "127.0.0.1", &port, "{tsk}:catalog", "0", "5000"];
    let _: () = from.run(&migrate);
    for node in [to, from] {
        let _: () = node.run(&["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
    }
    publishing.await.unwrap().unwrap();
    comes_to(&store, KEY, 401).await;
}
