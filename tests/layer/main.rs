//! The layer as its users meet it: around services, under a server's rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod exchanges;
mod extract;
mod generic;
mod hostile;
mod misconfigured;
mod names;
mod passing;
mod ready;
mod secrets;
mod stripping;
mod support;
mod traces;
mod waiting;
