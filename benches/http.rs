//! Requests per second and latency over HTTP on loopback: an axum app bare, with
//! this layer, and with the leanest hand-written check.
//!
//! `cargo bench --bench http`. Needs `wrk` and `taskset` (Debian: `wrk`,
//! `util-linux`). The server has one core and wrk the other; then both share two.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::routing::get;
use tower_http::validate_request::ValidateRequestHeaderLayer;
use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer};

use support::Validate;

const SUBSCRIPTIONS: usize = 100_000;
const SECONDS: usize = 4;
const ROUNDS: usize = 3;

const APPS: [&str; 3] = ["bare", "this layer", "ValidateRequestHeaderLayer + HashMap"];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, app, threads] = arguments.as_slice()
        && flag == "--serve"
    {
        return serve(app, threads.parse().unwrap());
    }
    println!("{SUBSCRIPTIONS} subscriptions, one key asked for; medians of {ROUNDS} rounds\n");
    println!("| server | app | requests/s | p50 | p99 |");
    println!("|---|---|---:|---:|---:|");
    for (cores, threads, server_on, client_on) in [
        ("one core", 1, "0", "1"),
        ("two cores, shared with the client", 2, "0,1", "0,1"),
    ] {
        let mut samples = vec![Vec::new(); APPS.len()];
        for _ in 0..ROUNDS {
            for (app, samples) in APPS.iter().zip(&mut samples) {
                let (mut server, address) = start(app, threads, server_on);
                samples.push(load(&address, client_on));
                server.kill().unwrap();
                server.wait().unwrap();
            }
        }
        for (app, samples) in APPS.iter().zip(&mut samples) {
            samples.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (rate, p50, p99) = &samples[ROUNDS / 2];
            println!("| {cores} | {app} | {rate:.0} | {p50} | {p99} |");
        }
    }
}

/// Starts this program again as a server, and waits until it listens.
fn start(app: &str, threads: usize, cores: &str) -> (Child, String) {
    let mut child = Command::new("taskset")
        .args(["-c", cores])
        .arg(std::env::current_exe().unwrap())
        .args(["--serve", app, &threads.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("taskset cannot be run ({error}): install util-linux"));
    let mut address = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut address).unwrap();
    (child, address.trim().to_owned())
}

/// Requests per second, and two latencies as wrk writes them.
fn load(address: &str, cores: &str) -> (f64, String, String) {
    let output = Command::new("taskset")
        .args(["-c", cores, "wrk", "-t1", "-c32", "--latency"])
        .arg(format!("-d{SECONDS}s"))
        .args(["-H", &format!("{}: {}", support::HEADER, support::key(42))])
        .arg(format!("http://{address}/echo"))
        .output()
        .unwrap_or_else(|error| panic!("wrk cannot be run ({error}): install it"));
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!report.contains("Non-2xx"), "{report}");
    let figure = |name: &str| {
        let line = report
            .lines()
            .find_map(|line| line.trim().strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("wrk reported no {name}:\n{report}"));
        line.trim_start_matches(':').trim().to_owned()
    };
    (
        figure("Requests/sec").parse().unwrap(),
        figure("50%"),
        figure("99%"),
    )
}

fn serve(app: &str, threads: usize) {
    let router = Router::new().route("/echo", get(|| async { "echo" }));
    let router = match app {
        "bare" => router,
        "this layer" => {
            let store = MemoryStore::new(support::catalog(SUBSCRIPTIONS));
            router.layer(SubscriptionKeyLayer::new(store))
        }
        _ => {
            let validate = Validate(support::map(SUBSCRIPTIONS));
            router.layer(ValidateRequestHeaderLayer::custom(validate))
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}
