//! The tool as a process: arguments, standard output and error, exit codes, and
//! files byte by byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod agreement;
mod check;
mod database;
mod edits;
mod explain;
mod files;
mod keys;
mod lint;
mod session;
mod support;
mod usage;
