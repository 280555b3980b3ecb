//! Runs eight instances of a `RedisStore` in a cache against two `redis-server`
//! processes, while a publisher works and faults come and go.
//!
//! `cargo run --release --example soak --features redis -- --minutes 10` exits with 1
//! if any answer was wrong, or if a good key that was in a cache got a 503.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../tests/redis_store/proxy.rs"]
mod proxy;
#[path = "../tests/redis_store/server.rs"]
mod server;
#[path = "../tests/redis_store/soak.rs"]
mod soak;

use std::process::ExitCode;
use std::time::Duration;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let minutes = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Some(1.0),
        (Some("--minutes"), Some(minutes)) => minutes.parse().ok(),
        _ => None,
    };
    let time = minutes.and_then(|minutes: f64| Duration::try_from_secs_f64(60.0 * minutes).ok());
    let Some(time) = time else {
        eprintln!("usage: soak [--minutes MINUTES]");
        return ExitCode::from(2);
    };
    let report = soak::run(time).await;
    print!("{report}");
    match report.wrong + report.needless_503 {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
