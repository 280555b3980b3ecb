//! The stores that follow a source: catalog files, and remote servers over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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
