//! Subscription keys for any tower service.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access;
pub mod catalog;
#[cfg(feature = "document")]
#[cfg_attr(docsrs, doc(cfg(feature = "document")))]
pub mod document;
pub mod key;
pub mod layer;
pub mod response;
pub mod store;

pub use access::{Access, Denial, DenialReason, InapplicableKey, UnknownPath};
pub use catalog::Catalog;
pub use key::{KeyDigest, KeySource};
pub use layer::{ConfigError, SubscriptionKeyLayer};
pub use response::RefusalFormat;
pub use store::{BoxStore, MemoryStore, SubscriptionStore};
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use store::{HttpLookupStore, HttpStore};
