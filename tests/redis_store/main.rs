//! `RedisStore` and `RedisPublisher` against real servers, and what becomes of
//! requests when those fail.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cluster;
mod conformance;
mod emptied;
mod exchanges;
mod outages;
mod publishing;
mod pushes;
mod restarts;
mod server;
mod support;
mod tls;
