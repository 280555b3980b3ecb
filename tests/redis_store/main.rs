//! `RedisStore` and `RedisPublisher` against real servers, and what becomes of
//! requests when those fail.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cluster;
mod conformance;
mod emptied;
mod exchanges;
mod gate;
mod outages;
mod proxy;
mod publishing;
mod pushes;
mod restarts;
mod server;
mod slow;
mod support;
mod tls;
mod turning;
