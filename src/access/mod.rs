//! The decision about a request and its results: [`Access`] or [`Denial`].
//!
//! [`decide`] is a pure function and the only place that knows the rules:
//!
//! 1. A key lets the request in if its subscription is active, valid now and has a
//!    scope that covers the API. The subscription identifies the caller.
//! 2. Otherwise an open product that contains the API allows it, without a caller.
//! 3. Otherwise an API that requires no subscription allows it, without a caller.
//! 4. Otherwise the request is denied: as *missing* if it has no key, as *invalid* if it
//!    has one.
//!
//! A request for no API is denied in the same way, unless unmatched paths may pass.
//! This module knows no HTTP and no stores, and waits for nothing.

mod decide;
mod denial;
mod explain;
#[cfg(feature = "axum")]
mod extract;
mod granted;
mod policy;
#[cfg(test)]
pub(crate) mod tests;

pub use decide::{Decision, Question, decide};
pub use denial::{Denial, DenialReason};
pub use explain::{Cure, Explanation, Step, command_line, explain};
#[cfg(feature = "axum")]
pub use extract::AccessRejection;
pub use granted::Access;
pub use policy::{InapplicableKey, Policy, Unmatched};

pub(crate) use denial::Hint;
#[cfg(feature = "axum")]
pub(crate) use extract::LetThrough;
