//! Stores with a remote server in another process: a `redis-server` that this starts.
//!
//! `cargo bench --bench remote [-- SUBSCRIPTIONS]`, 100 000 by default.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/redis_store/server.rs"]
mod server;
mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_subscription_key::catalog::State;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStore};
use tower_subscription_key::store::{CachedStore, SubscriptionStore};
use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer};

use server::Server;
use support::{HEADER, Random, key, quantile, unknown_key};

/// Requests that are on their way at the same time.
const AT_ONCE: usize = 64;
const FOR: Duration = Duration::from_secs(3);
const INSTANCES: usize = 8;
const SUSPENSIONS: usize = 300;

type Cached = CachedStore<RedisStore>;

struct Far {
    server: Server,
    publisher: RedisPublisher,
    subscriptions: usize,
}

fn main() {
    let subscriptions = std::env::args().find_map(|size| size.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(subscriptions.unwrap_or(100_000)));
}

async fn measure(subscriptions: usize) {
    let server = Server::start();
    let publisher = RedisPublisher::new(RedisOptions::new(server.url())).unwrap();
    let catalog = support::catalog(subscriptions);
    let begun = Instant::now();
    publisher.publish(&catalog).await.unwrap();
    let took = begun.elapsed();
    let far = Far {
        server,
        publisher,
        subscriptions,
    };
    println!("{subscriptions} subscriptions with two keys each");
    println!("published in {took:.2?}; Redis then uses {}", far.memory());
    far.throughput(MemoryStore::new(catalog)).await;
    far.first_requests().await;
    far.flood().await;
    far.suspensions().await;
}

impl Far {
    async fn store(&self) -> RedisStore {
        let options = RedisOptions::new(self.server.url());
        RedisStore::builder(options).open().await.unwrap()
    }

    fn memory(&self) -> String {
        let info: String = self.server.run(&["INFO", "memory"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory_human:"));
        line.unwrap_or_default().to_owned()
    }

    /// How many lookups came to the remote server so far.
    fn lookups(&self) -> u64 {
        let info: String = self.server.run(&["INFO", "commandstats"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_hmget:calls="));
        line.and_then(|line| line.split(',').next()?.parse().ok())
            .unwrap_or(0)
    }

    async fn throughput(&self, memory: MemoryStore) {
        println!("\n| store | asked keys | hits | requests/s | far-end lookups/s |");
        println!("|---|---|---:|---:|---:|");
        let warm = |random: &mut Random| random.below(1000) as u64;
        let all = 2 * self.subscriptions;
        let any = move |random: &mut Random| random.below(all) as u64;
        let mostly = move |random: &mut Random| match random.below(100) {
            0 => random.below(all) as u64,
            _ => random.below(1000) as u64,
        };
        self.row("MemoryStore", "all", memory, any, |_| None).await;
        let hits = |store: &Cached| {
            let stats = store.stats();
            let asked = stats.hits + stats.misses + stats.waits;
            Some(stats.hits as f64 / asked as f64)
        };
        // Room for what is warm and little else: the rest is always a miss.
        let small = async |room: usize| {
            let store = self.store().await;
            let cached = store.cached_with(|cache| cache.capacity(room).without_unknown_rate());
            cached.unwrap()
        };
        let name = "RedisStore in CachedStore";
        self.row(name, "1000", small(100_000).await, warm, hits)
            .await;
        let store = small(1500).await;
        self.row(name, "99 % of 1000, 1 % of all", store, mostly, hits)
            .await;
        self.row(name, "all, room for 100", small(100).await, any, hits)
            .await;
        self.row("RedisStore", "all", self.store().await, any, |_| None)
            .await;
    }

    async fn row<S: SubscriptionStore + Clone>(
        &self,
        name: &str,
        keys: &str,
        store: S,
        next: impl Fn(&mut Random) -> u64 + Copy + Send + 'static,
        hits: impl Fn(&S) -> Option<f64>,
    ) {
        let keys_of_all: Arc<[String]> = (0..2 * self.subscriptions as u64).map(key).collect();
        let before = self.lookups();
        let begun = Instant::now();
        let asking = (0..AT_ONCE).map(|seed| {
            let (store, all) = (store.clone(), Arc::clone(&keys_of_all));
            tokio::spawn(async move {
                let mut random = Random::new(seed as u64);
                let mut asked = 0_u64;
                while begun.elapsed() < FOR {
                    let key = &all[next(&mut random) as usize];
                    assert_eq!(status(&store, key).await, StatusCode::OK);
                    asked += 1;
                    if asked.is_multiple_of(64) {
                        tokio::task::yield_now().await;
                    }
                }
                asked
            })
        });
        let mut asked = 0;
        for asking in asking.collect::<Vec<_>>() {
            asked += asking.await.unwrap();
        }
        let seconds = begun.elapsed().as_secs_f64();
        let lookups = (self.lookups() - before) as f64 / seconds;
        let hits = hits(&store).map_or("".into(), |hits| format!("{:.1} %", 100.0 * hits));
        let rate = asked as f64 / seconds;
        println!("| {name} | {keys} | {hits} | {rate:.0} | {lookups:.0} |");
    }

    /// Ten thousand at once, for one key that no cache has yet.
    async fn first_requests(&self) {
        let store = self.store().await.cached().unwrap();
        let before = self.lookups();
        let asking: Vec<_> = (0..10_000)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { status(&store, &key(0)).await })
            })
            .collect();
        for asking in asking {
            assert_eq!(asking.await.unwrap(), StatusCode::OK);
        }
        let lookups = self.lookups() - before;
        println!("\n10 000 first requests at once for one key: {lookups} far-end lookups");
    }

    /// An endless flood of random keys, together with a good one.
    async fn flood(&self) {
        println!(
            "\n| flood of random keys | requests/s | far-end lookups/s | good key: answers 200 |"
        );
        println!("|---|---:|---:|---:|");
        for (name, limited) in [("default rate (1000/s)", true), ("no rate set", false)] {
            let store = self.store().await.cached_with(|cache| match limited {
                true => cache,
                false => cache.without_unknown_rate(),
            });
            self.flood_row(name, store.unwrap()).await;
        }
    }

    async fn flood_row(&self, name: &str, store: Cached) {
        assert_eq!(status(&store, &key(1)).await, StatusCode::OK);
        let (before, begun) = (self.lookups(), Instant::now());
        let number = Arc::new(AtomicU64::new(begun.elapsed().as_nanos() as u64));
        let flooding: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (store, number) = (store.clone(), Arc::clone(&number));
                tokio::spawn(async move {
                    let mut asked = 0_u64;
                    while begun.elapsed() < FOR {
                        let key = unknown_key(number.fetch_add(1, Ordering::Relaxed));
                        assert_ne!(status(&store, &key).await, StatusCode::OK);
                        asked += 1;
                        if asked.is_multiple_of(64) {
                            tokio::task::yield_now().await;
                        }
                    }
                    asked
                })
            })
            .collect();
        let (mut good, mut let_in) = (0, 0);
        while begun.elapsed() < FOR {
            good += 1;
            let_in += u64::from(status(&store, &key(1)).await == StatusCode::OK);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut asked = 0;
        for flooding in flooding {
            asked += flooding.await.unwrap();
        }
        let seconds = begun.elapsed().as_secs_f64();
        let lookups = (self.lookups() - before) as f64 / seconds;
        let rate = asked as f64 / seconds;
        println!("| {name} | {rate:.0} | {lookups:.0} | {let_in} of {good} |");
    }

    /// From the moment that an operator suspends to the first 401 at each instance.
    async fn suspensions(&self) {
        let active = support::subscription(0);
        let suspended = active.clone().with_state(State::Suspended);
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            instances.push(self.store().await.cached().unwrap());
        }
        let (mut each, mut last, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..SUSPENSIONS {
            self.publisher.put_subscription(&active).await.unwrap();
            for instance in &instances {
                until(instance, StatusCode::OK).await;
            }
            let begun = Instant::now();
            let watching: Vec<_> = instances
                .iter()
                .map(|instance| {
                    let instance = instance.clone();
                    tokio::spawn(async move {
                        until(&instance, StatusCode::UNAUTHORIZED).await;
                        begun.elapsed().as_secs_f64() * 1e3
                    })
                })
                .collect();
            self.publisher.put_subscription(&suspended).await.unwrap();
            written.push(begun.elapsed().as_secs_f64() * 1e3);
            let mut slowest = 0.0_f64;
            for watching in watching {
                let took = watching.await.unwrap();
                slowest = slowest.max(took);
                each.push(took);
            }
            last.push(slowest);
        }
        println!("\n| suspension, {SUSPENSIONS} times | p50 | p99 | most |");
        println!("|---|---:|---:|---:|");
        for (what, times) in [
            ("`put_subscription` returns", &mut written),
            ("401 at an instance", &mut each),
            ("401 at all eight", &mut last),
        ] {
            let [half, most, all] = [0.5, 0.99, 1.0].map(|share| quantile(times, share));
            println!("| {what} | {half:.2} ms | {most:.2} ms | {all:.2} ms |");
        }
    }
}

/// Asks, with a pause that leaves the processors to those who have work to do.
async fn until(store: &Cached, expected: StatusCode) {
    while status(store, &key(0)).await != expected {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

async fn status(store: &(impl SubscriptionStore + Clone), key: &str) -> StatusCode {
    let inner = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let request = Request::get("/echo/1").header(HEADER, key);
    let request = request.body(Body::empty()).unwrap();
    let service = SubscriptionKeyLayer::new(store.clone()).layer(inner);
    service.oneshot(request).await.unwrap().status()
}
