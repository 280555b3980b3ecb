//! `RedisStore` and `RedisPublisher` against real servers, including requests
//! during outages.
#![allow(clippy::unwrap_used, clippy::panic)]

#[cfg(feature = "sqlite")]
mod bridge;
mod cluster;
mod conformance;
mod emptied;
mod exchanges;
mod faults;
mod gate;
mod outages;
mod proxy;
mod publishing;
mod pushes;
mod restarts;
mod revisions;
mod server;
mod slow;
mod soak;
mod soak_short;
mod support;
mod tls;
mod turning;
