//! Instructions of one request, counted by callgrind: the same on every run and
//! on every machine, so that a change shows without noise.
//!
//! `cargo bench --bench instructions`. Needs `valgrind`.
//!
//! Valgrind has no SHA instructions, so that the digest is computed in software
//! there; the last column is without it.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::process::Command;

use axum::body::Body;
use axum::middleware::from_fn_with_state;
use http::{Request, StatusCode};
use tower::Layer;
use tower_http::auth::AsyncRequireAuthorizationLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;
use tower_subscription_key::{BoxStore, KeyDigest, MemoryStore, SubscriptionKeyLayer};

use support::{Authorize, Carry, Inner, Validate, ValidateSameBytes};

const SUBSCRIPTIONS: usize = 1_000;
const REQUESTS: u64 = 1_000;
/// Whatever is slow only once has happened before the counting starts.
const WARM_UP: u64 = 10;

const VARIANTS: [&str; 15] = [
    "bare service",
    "ValidateRequestHeaderLayer + HashMap, hit",
    "AsyncRequireAuthorizationLayer + HashMap, hit",
    "axum from_fn_with_state + HashMap, hit",
    "this layer, hit",
    "this layer, hit, strip",
    "this layer, hit, query",
    "this layer, hit, query, strip",
    "this layer, hit, boxed store",
    "ValidateRequestHeaderLayer + HashMap, unknown",
    "ValidateRequestHeaderLayer, same 401 bytes, unknown",
    "this layer, unknown",
    "this layer, missing",
    "this layer, out of scope",
    "digest",
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, variant] = arguments.as_slice()
        && flag == "--variant"
    {
        return run(variant);
    }
    let counts: Vec<f64> = VARIANTS.iter().map(|variant| count(variant)).collect();
    let (bare, digest) = (counts[0], counts[VARIANTS.len() - 1]);
    println!("bare service: {bare:.0} instructions; digest in software: {digest:.0}\n");
    println!("| layer | added instructions | without digest |");
    println!("|---|---:|---:|");
    for (variant, count) in VARIANTS.iter().zip(&counts).skip(1) {
        let added = count - bare;
        let digests = variant.starts_with("this layer") && !variant.contains("missing");
        let without = added - if digests { digest } else { 0.0 };
        if *variant != "digest" {
            println!("| {variant} | {added:.0} | {without:.0} |");
        }
    }
}

/// Runs this program again under callgrind, which collects inside
/// [`measured`] and [`digest`] only.
fn count(variant: &str) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--toggle-collect=*measured_request*"])
        .arg(std::env::current_exe().unwrap())
        .args(["--variant", variant])
        .output()
        .unwrap_or_else(|error| panic!("valgrind cannot be run ({error}): install it"));
    let report = String::from_utf8_lossy(&output.stderr);
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, count)| count.trim().parse::<f64>().ok());
    match collected {
        Some(total) if total > 0.0 => total / REQUESTS as f64,
        _ => panic!("callgrind counted nothing for {variant:?}:\n{report}"),
    }
}

fn run(variant: &str) {
    let map = || support::map(SUBSCRIPTIONS);
    let keys = || SubscriptionKeyLayer::new(MemoryStore::new(support::catalog(SUBSCRIPTIONS)));
    let boxed = || {
        let store = MemoryStore::new(support::catalog(SUBSCRIPTIONS));
        SubscriptionKeyLayer::new(BoxStore::new(store))
    };
    let validate = || ValidateRequestHeaderLayer::custom(Validate(map()));
    match variant {
        "bare service" => requests(Inner, variant),
        "digest" => digests(),
        v if v.starts_with("ValidateRequestHeaderLayer +") => requests(validate().layer(Inner), v),
        v if v.starts_with("ValidateRequestHeaderLayer, same") => {
            let same = ValidateRequestHeaderLayer::custom(ValidateSameBytes(map()));
            requests(same.layer(Inner), v);
        }
        v if v.starts_with("AsyncRequire") => {
            requests(
                AsyncRequireAuthorizationLayer::new(Authorize(map())).layer(Inner),
                v,
            );
        }
        v if v.starts_with("axum") => {
            requests(
                from_fn_with_state(map(), support::middleware).layer(Inner),
                v,
            );
        }
        v if v.ends_with("strip") => requests(keys().strip_key(true).layer(Inner), v),
        v if v.ends_with("boxed store") => requests(boxed().layer(Inner), v),
        v => requests(keys().layer(Inner), v),
    }
}

fn requests<S>(mut service: S, variant: &str)
where
    S: tower::Service<Request<Body>>,
    S::Response: support::HasStatus,
{
    let carry = match variant {
        v if v.contains("missing") => Carry::Nothing,
        v if v.contains("query") => Carry::Query,
        _ => Carry::Header,
    };
    let refused = ["unknown", "missing", "scope"]
        .iter()
        .any(|word| variant.ends_with(word));
    let expect = if refused {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    for number in 0..WARM_UP + REQUESTS {
        let path = if variant.ends_with("scope") {
            "/orders/17"
        } else {
            "/echo/resource"
        };
        let key = if variant.ends_with("unknown") {
            support::unknown_key(number)
        } else {
            support::key(number)
        };
        let request = support::request(&key, carry, path);
        let status = if number < WARM_UP {
            support::drive(&mut service, request)
        } else {
            measured_request(&mut service, request)
        };
        assert_eq!(status, expect);
    }
}

#[inline(never)]
fn measured_request<S>(service: &mut S, request: Request<Body>) -> StatusCode
where
    S: tower::Service<Request<Body>>,
    S::Response: support::HasStatus,
{
    support::drive(service, request)
}

fn digests() {
    for number in 0..WARM_UP + REQUESTS {
        let key = support::key(number);
        if number < WARM_UP {
            std::hint::black_box(KeyDigest::of(&key));
        } else {
            measured_request_digest(&key);
        }
    }
}

#[inline(never)]
fn measured_request_digest(key: &str) {
    std::hint::black_box(KeyDigest::of(key));
}
