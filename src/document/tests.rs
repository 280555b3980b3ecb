//! Long documents that are read in parts, and what machines send.
#![allow(clippy::unwrap_used, clippy::panic)]

mod agreement;
