//! The decision, and what comes of it: [`Access`] or [`Denial`].
//!
//! [`decide`] is pure and the only place that knows the rules. It knows no HTTP,
//! no store and waits for nothing.
//!
//! 1. A key whose subscription is active, valid now and has a scope that fits
//!    lets in, and names the caller.
//! 2. Otherwise an open product that holds the API lets in, without a caller.
//! 3. Otherwise an API that requires no subscription lets in, without a caller.
//! 4. Otherwise the request is denied: as *missing* where it brought no key,
//!    as *invalid* where it brought one.
//!
//! A request for no API is denied the same way, unless unknown paths may pass.

mod decide;
mod denial;
#[cfg(feature = "axum")]
mod extract;
mod granted;
mod policy;
#[cfg(test)]
pub(crate) mod tests;

pub use decide::{Decision, Question, decide};
pub use denial::{Denial, DenialReason};
#[cfg(feature = "axum")]
pub use extract::AccessRejection;
pub use granted::Access;
pub use policy::{InapplicableKey, Policy, Unmatched};

pub(crate) use decide::{Grant, Owner};
