//! What two cores do of one's work: the same requests on one thread and on two,
//! over one store.
//!
//! `cargo bench --bench cores`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use axum::body::Body;
use http::{Request, StatusCode};
use tower::Layer;
use tower_http::validate_request::ValidateRequestHeaderLayer;
use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer};

use support::{Carry, HasStatus, Inner, Random, Validate};

const SUBSCRIPTIONS: usize = 1_000;
const BATCH: usize = 64;
const BATCHES: usize = 4_000;
const ROUNDS: usize = 7;

fn main() {
    let store = MemoryStore::new(support::catalog(SUBSCRIPTIONS));
    let ours = SubscriptionKeyLayer::new(store).layer(Inner);
    let map = Validate(support::map(SUBSCRIPTIONS));
    let theirs = ValidateRequestHeaderLayer::custom(map).layer(Inner);
    println!("| service | one thread, M requests/s | two threads | factor |");
    println!("|---|---:|---:|---:|");
    row("bare", Inner);
    row("this layer", ours);
    row("ValidateRequestHeaderLayer + HashMap", theirs);
}

fn row<S>(name: &str, service: S)
where
    S: tower::Service<Request<Body>> + Clone + Send,
    S::Response: HasStatus,
{
    let mut rates: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for threads in [1, 2] {
            rates[threads - 1].push(rate(&service, threads));
        }
    }
    let [one, two] = rates.each_mut().map(|rates| support::quantile(rates, 0.5));
    println!(
        "| {name} | {:.2} | {:.2} | {:.2} |",
        one / 1e6,
        two / 1e6,
        two / one
    );
}

/// Requests per second of that many threads together. Only the time inside the
/// service counts, not that of making requests.
fn rate<S>(service: &S, threads: usize) -> f64
where
    S: tower::Service<Request<Body>> + Clone + Send,
    S::Response: HasStatus,
{
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let (mut service, start) = (service.clone(), &start);
                scope.spawn(move || {
                    let mut random = Random::new(worker as u64);
                    start.wait();
                    let mut seconds = 0.0;
                    for _ in 0..BATCHES {
                        seconds += batch(&mut service, &mut random);
                    }
                    (BATCHES * BATCH) as f64 / seconds
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    })
}

fn batch<S>(service: &mut S, random: &mut Random) -> f64
where
    S: tower::Service<Request<Body>>,
    S::Response: HasStatus,
{
    let requests: Vec<_> = (0..BATCH)
        .map(|_| {
            let key = support::key(random.below(2 * SUBSCRIPTIONS) as u64);
            support::request(&key, Carry::Header, "/echo")
        })
        .collect();
    let start = Instant::now();
    for request in requests {
        assert_eq!(support::drive(service, request), StatusCode::OK);
    }
    start.elapsed().as_secs_f64()
}
