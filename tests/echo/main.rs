//! The echo example as a process, over real sockets. Its output is a contract,
//! byte for byte.
#![allow(clippy::unwrap_used, clippy::panic)]

mod commands;
mod context;
mod process;
mod readme;
mod reload;
mod strip;
mod wire;

/// A catalog with a case for every rule.
const CATALOG: &str = include_str!("catalog.toml");

const PRIMARY: &str = "264a41411c0b43e782f483eb6f3eaeab";
const SECONDARY: &str = "9d2c7c1f4c1e4b07a7d5b0c4f2a86e13";
const HEADER: &str = "Ocp-Apim-Subscription-Key";

const MISSING: &str = "{ \"statusCode\": 401, \"message\": \"Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.\" }";
const INVALID: &str = "{ \"statusCode\": 401, \"message\": \"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.\" }";
