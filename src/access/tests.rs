//! The decision as a table, and against a second writing of its rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod edges;
pub(crate) mod naive;
mod properties;
mod table;
