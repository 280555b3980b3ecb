//! Keys as they travel: where a request carries one, how it is taken, hidden
//! and stripped, and the digest that stands for it everywhere else.
//!
//! This room knows HTTP and nothing of stores or catalogs.

mod digest;
mod names;

pub use digest::{DigestParseError, KeyDigest};
pub use names::{KeyHeader, KeyNameError, KeyQuery};

/// The longest key that can be valid, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
