//! Catalogs through their public API: validation, changes and queries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod builders;
mod built;
mod changes;
mod costs;
mod refused;
