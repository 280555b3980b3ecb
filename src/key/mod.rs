//! Keys as they travel: where a request carries one, how it is taken, hidden
//! and stripped, and the digest that stands for it everywhere else.
//!
//! This room knows HTTP and nothing of stores or catalogs.

mod digest;
mod names;
#[cfg(test)]
mod properties;
#[allow(dead_code)] // until the layer uses it
mod source;
#[allow(dead_code)] // until the layer uses it
mod strip;
#[allow(dead_code)] // until the layer uses it
mod take;
#[allow(dead_code)] // until the layer uses it
mod wire;

pub use digest::{DigestParseError, KeyDigest};
pub use names::{KeyHeader, KeyNameError, KeyQuery};
pub use source::KeySource;
#[allow(unused_imports)] // until the layer uses them
pub(crate) use source::{Names, default_names, default_sources};
#[allow(unused_imports)] // until the layer uses them
pub(crate) use strip::{mark_sensitive, strip};
pub use take::Presented;
#[allow(unused_imports)] // until the layer uses it
pub(crate) use take::take;

/// The longest key that can be valid, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
