//! Small files of other systems, and the catalogs that are made of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod azure;
mod kong;
mod support;
