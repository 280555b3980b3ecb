//! Catalogs through their public API: what is refused, changed and returned.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod builders;
mod built;
mod changes;
mod costs;
mod refused;
