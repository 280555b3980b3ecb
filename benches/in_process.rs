//! Added time of one request: this layer in its settings, and the checks that
//! people write by hand, interleaved in one run.
//!
//! `cargo bench --bench in_process [-- [--subscriber] SIZES…]`, sizes in subscriptions.
//! With `--subscriber`, a `tracing` subscriber at INFO is installed that writes to
//! a sink, as every production service has one.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use axum::body::Body;
use axum::middleware::from_fn_with_state;
use http::{Request, StatusCode};
use tower::Layer;
use tower_http::auth::AsyncRequireAuthorizationLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;
use tower_subscription_key::{BoxStore, MemoryStore, SubscriptionKeyLayer};

use support::{Authorize, Carry, Inner, Random, Validate, ValidateSameBytes};

/// Few enough that a request is still in the nearest cache when its turn comes, as
/// one is that a server has just read.
const BATCH: usize = 16;
const ROUNDS: usize = 3000;

/// Which key the requests of a row bring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asks {
    Hit,
    Unknown,
    Missing,
    OutOfScope,
}

struct Row {
    name: &'static str,
    asks: Asks,
    carry: Carry,
    run: Box<dyn FnMut(Vec<Request<Body>>) -> f64>,
    samples: Vec<f64>,
}

fn main() {
    if std::env::args().any(|argument| argument == "--subscriber") {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_writer(std::io::sink)
            .init();
    }
    let sizes: Vec<usize> = std::env::args()
        .filter_map(|size| size.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![1_000, 100_000, 1_000_000]
    } else {
        sizes
    };
    for size in sizes {
        measure(size);
    }
}

fn measure(size: usize) {
    let mut rows = rows(size);
    let mut random = Random::new(7);
    for round in 0..ROUNDS + 100 {
        for row in &mut rows {
            let batch = (0..BATCH)
                .map(|_| request(row, size, &mut random))
                .collect();
            let sample = (row.run)(batch);
            if round >= 100 {
                row.samples.push(sample);
            }
        }
    }
    print(size, &mut rows);
}

fn request(row: &Row, size: usize, random: &mut Random) -> Request<Body> {
    let number = random.below(2 * size) as u64;
    let (key, path) = match row.asks {
        Asks::Hit => (support::key(number), "/echo/resource"),
        Asks::OutOfScope => (support::key(number), "/orders/17"),
        Asks::Unknown => (support::unknown_key(random.next()), "/echo/resource"),
        Asks::Missing => (String::new(), "/echo/resource"),
    };
    let carry = match row.asks {
        Asks::Missing => Carry::Nothing,
        _ => row.carry,
    };
    support::request(&key, carry, path)
}

fn rows(size: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let bare = "bare service";
    rows.push(row(bare, Asks::Hit, Carry::Header, Inner));
    let map = support::map(size);
    for asks in [Asks::Hit, Asks::Unknown] {
        let validate = ValidateRequestHeaderLayer::custom(Validate(map.clone()));
        let name = "ValidateRequestHeaderLayer + HashMap";
        rows.push(row(name, asks, Carry::Header, validate.layer(Inner)));
        let authorize = AsyncRequireAuthorizationLayer::new(Authorize(map.clone()));
        let name = "AsyncRequireAuthorizationLayer + HashMap";
        rows.push(row(name, asks, Carry::Header, authorize.layer(Inner)));
        let function = from_fn_with_state(map.clone(), support::middleware);
        let name = "axum from_fn_with_state + HashMap";
        rows.push(row(name, asks, Carry::Header, function.layer(Inner)));
    }
    let same = ValidateRequestHeaderLayer::custom(ValidateSameBytes(map));
    let name = "ValidateRequestHeaderLayer, same 401 bytes";
    rows.push(row(name, Asks::Unknown, Carry::Header, same.layer(Inner)));

    let store = MemoryStore::new(support::catalog(size));
    let keys = SubscriptionKeyLayer::new(store.clone());
    let strip = keys.clone().strip_key(true);
    let boxed = SubscriptionKeyLayer::new(BoxStore::new(store));
    for (asks, carry, name) in [
        (Asks::Hit, Carry::Header, "this layer"),
        (Asks::Hit, Carry::Query, "this layer, query"),
        (Asks::Unknown, Carry::Header, "this layer"),
        (Asks::Missing, Carry::Nothing, "this layer"),
        (Asks::OutOfScope, Carry::Header, "this layer"),
    ] {
        rows.push(row(name, asks, carry, keys.layer(Inner)));
    }
    for (carry, name) in [
        (Carry::Header, "this layer, strip"),
        (Carry::Query, "this layer, query, strip"),
    ] {
        rows.push(row(name, Asks::Hit, carry, strip.layer(Inner)));
    }
    let name = "this layer, boxed store";
    rows.push(row(name, Asks::Hit, Carry::Header, boxed.layer(Inner)));
    rows
}

fn row<S>(name: &'static str, asks: Asks, carry: Carry, mut service: S) -> Row
where
    S: tower::Service<Request<Body>> + 'static,
    S::Response: support::HasStatus,
{
    let expect = match asks {
        _ if name == "bare service" => StatusCode::OK,
        Asks::Hit => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    };
    Row {
        name,
        asks,
        carry,
        run: Box::new(move |batch| support::time(&mut service, batch, expect)),
        samples: Vec::new(),
    }
}

fn print(size: usize, rows: &mut [Row]) {
    let figures: Vec<(f64, f64)> = rows
        .iter_mut()
        .map(|row| {
            let median = support::quantile(&mut row.samples, 0.5);
            (median, support::quantile(&mut row.samples, 0.1))
        })
        .collect();
    let bare = figures[0];
    println!("\n### {size} subscriptions of two keys\n");
    println!(
        "bare service: {:.0} ns (median), {:.0} ns (q10)\n",
        bare.0, bare.1
    );
    println!("| layer | request | added, median ns | added, q10 ns | ratio (q10) |");
    println!("|---|---|---:|---:|---:|");
    for asks in [Asks::Hit, Asks::Unknown, Asks::Missing, Asks::OutOfScope] {
        // A miss of the leanest layer is what every refusal is held against.
        let base = rows.iter().zip(&figures).find(|(row, _)| {
            row.name.starts_with("ValidateRequestHeaderLayer +")
                && (row.asks == Asks::Hit) == (asks == Asks::Hit)
        });
        let base = base.map_or(f64::NAN, |(_, figure)| figure.1 - bare.1);
        for (row, figure) in rows.iter().zip(&figures).skip(1) {
            if row.asks != asks {
                continue;
            }
            let (median, q10) = (figure.0 - bare.0, figure.1 - bare.1);
            let ratio = q10 / base;
            let name = row.name;
            println!("| {name} | {asks:?} | {median:.0} | {q10:.0} | {ratio:.2} |");
        }
    }
}
