//! Subscription keys for any tower service.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod catalog;
pub mod key;
pub mod response;

pub use key::KeyDigest;
