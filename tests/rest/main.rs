//! The REST interface of management, by its public API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

mod explain;
mod lists;
mod openapi;
mod owners;
mod page;
mod properties;
mod records;
mod refusals;
mod replicas;
mod states;
mod support;
mod terraform;
