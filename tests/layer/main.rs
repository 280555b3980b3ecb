//! The layer through its public API: around services, and on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod allocations;
mod answers;
mod axum_server;
mod exchanges;
mod extract;
mod generic;
mod hostile;
#[cfg(feature = "metrics")]
mod metrics;
mod misconfigured;
mod names;
mod passing;
mod paths;
mod preflights;
mod ready;
mod recheck;
mod secrets;
mod stripping;
mod support;
mod timeouts;
mod tonic_server;
mod traces;
mod waiting;
