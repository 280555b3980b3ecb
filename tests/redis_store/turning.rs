//! Two catalogs alternate. In one, product `p1` contains API `x`, `p2` contains `y`,
//! and the subscription has `p1`; in the other, the products are swapped. So the key
//! always grants access to `x` and never to `y`. A decision that mixes the
//! subscription of one catalog and the products of the other is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, Subscription};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStore};

use crate::proxy::{Mode, Proxy};
use crate::server::Server;
use crate::support::*;

fn turned(with_x: &str, with_y: &str) -> Catalog {
    Catalog::builder()
        .api(Api::new("x", "/x"))
        .api(Api::new("y", "/y"))
        .product(Product::new(with_x).with_apis(["x"]))
        .product(Product::new(with_y).with_apis(["y"]))
        .subscription(
            Subscription::new("contoso")
                .with_scope(Scope::Product(with_x.into()))
                .with_primary_key(KEY),
        )
        .build()
        .unwrap()
}

/// The counts of responses: `[x, y]`, each `[200, 401, 503]`.
type Counts = [[usize; 3]; 2];

async fn ask(store: impl SubscriptionStore + Clone, done: Arc<AtomicBool>) -> Counts {
    let mut counts = Counts::default();
    while !done.load(Ordering::SeqCst) {
        for (api, counts) in ["/x", "/y"].into_iter().zip(&mut counts) {
            match status_at(&store, api, KEY).await {
                200 => counts[0] += 1,
                401 => counts[1] += 1,
                503 => counts[2] += 1,
                other => panic!("{other}"),
            }
        }
        tokio::task::yield_now().await;
    }
    counts
}

/// Exchanges the catalogs every 50 ms while several tasks send requests.
async fn turn<S: SubscriptionStore + Clone>(latency: Duration, wrap: impl Fn(RedisStore) -> S) {
    let server = Server::start();
    let proxy = Proxy::start(server.port()).await;
    let publisher = RedisPublisher::new(options(&server)).unwrap();
    publisher.publish(&turned("p1", "p2")).await.unwrap();
    let options = RedisOptions::new(proxy.url())
        .with_timeout(PATIENCE)
        .with_connect_timeout(PATIENCE);
    let store = wrap(builder(options).open().await.unwrap());
    proxy.set(Mode::Delay(latency / 2));
    let done = Arc::new(AtomicBool::new(false));
    let asking = [(); 4].map(|()| tokio::spawn(ask(store.clone(), Arc::clone(&done))));
    let begun = Instant::now();
    let mut turns = 0;
    while turns < 40 {
        turns += 1;
        let next = match turns % 2 {
            0 => turned("p1", "p2"),
            _ => turned("p2", "p1"),
        };
        publisher.publish(&next).await.unwrap();
        let due = Duration::from_millis(50) * turns;
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
    }
    done.store(true, Ordering::SeqCst);
    let mut sum = Counts::default();
    for asking in asking {
        let counts = asking.await.unwrap();
        for (sum, counts) in sum.as_flattened_mut().iter_mut().zip(counts.as_flattened()) {
            *sum += counts;
        }
    }
    let [[good_x, denied_x, failed_x], [allowed_y, good_y, failed_y]] = sum;
    assert_eq!((denied_x, allowed_y), (0, 0), "wrong answers: {sum:?}");
    assert_eq!((failed_x, failed_y), (0, 0), "needless 503: {sum:?}");
    assert!(good_x > 0 && good_y > 0, "{sum:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_without_latency_never_mix() {
    turn(Duration::ZERO, |store| store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_behind_100_ms_never_mix() {
    turn(Duration::from_millis(100), |store| store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_behind_a_cache_without_latency_never_mix() {
    turn(Duration::ZERO, cached).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_behind_a_cache_and_100_ms_never_mix() {
    turn(Duration::from_millis(100), cached).await;
}
