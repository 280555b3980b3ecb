//! Stores: the cache, catalog files, and remote servers over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cached;
mod conformance;
mod faults;
mod file;
mod http;
mod key_files;
mod log;
mod lookups;
mod remote;
mod secrets;
mod turning;
