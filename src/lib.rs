//! Subscription keys for any tower service.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod catalog;
#[cfg(feature = "document")]
#[cfg_attr(docsrs, doc(cfg(feature = "document")))]
pub mod document;
pub mod key;
pub mod response;
pub mod store;

pub use key::KeyDigest;
