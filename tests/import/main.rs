//! Files of other systems, re-created in small, and the catalogs that come of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod azure;
mod kong;
mod support;
