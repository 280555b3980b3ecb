//! Keys as they travel: where a request carries one, how it is taken, hidden
//! and stripped, and the digest that stands for it everywhere else.
//!
//! This room knows HTTP and nothing of stores or catalogs.

mod digest;
mod names;
#[cfg(test)]
mod properties;
mod source;
mod strip;
mod take;
mod wire;

pub use digest::{DigestParseError, KeyDigest};
pub use names::{KeyHeader, KeyNameError, KeyQuery};
pub use source::KeySource;
pub(crate) use source::{Carrier, Names, default_names, default_sources};
pub(crate) use strip::strip;
pub use take::Presented;
pub(crate) use take::take;

/// The longest key that can be valid, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
