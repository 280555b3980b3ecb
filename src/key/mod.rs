//! Keys in requests: which part of a request carries the key, how the key is read,
//! hidden and stripped, and the digest that represents it everywhere else.
//!
//! This module knows HTTP, and no stores or catalogs.

mod digest;
#[cfg(feature = "generate")]
mod generate;
mod names;
#[cfg(test)]
mod properties;
mod source;
mod strip;
mod take;
mod wire;

pub use digest::{DigestParseError, KeyDigest};
#[cfg(feature = "generate")]
pub use generate::{GeneratedKey, PrefixError, generate, generate_prefixed, has_valid_checksum};
pub(crate) use names::quoted;
pub use names::{KeyHeader, KeyNameError, KeyQuery};
pub use source::KeySource;
pub(crate) use source::{KeyPlaces, Names, Place, default_names, default_sources, is_token};
pub use take::Presented;

/// The length of the longest key that can be valid, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
