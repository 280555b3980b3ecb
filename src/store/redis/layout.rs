//! The names and fields in Redis.

use crate::catalog::{Catalog, CatalogError, KeySlot, Subscription, SubscriptionKey};
use crate::document;
use crate::key::KeyDigest;
use crate::store::cached::definitions_of;

/// The layout that this version reads and writes.
pub(super) const FORMAT: &str = "1";

// Fields of the one hash. None of them can be a digest in hex, nor `#` and an id.
pub(super) const FORMAT_FIELD: &str = "@format";
pub(super) const DEFINITIONS_FIELD: &str = "@definitions";
pub(super) const DEFINITIONS_DIGEST_FIELD: &str = "@definitions-sha256";

/// A staged catalog expires this many seconds after its last write.
pub(super) const STAGED_FOR: u32 = 600;

/// The keys and the channel under a prefix.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) live: String,
    pub(super) channel: String,
    prefix: String,
}

impl Names {
    /// `None` if the prefix cannot be a hash tag.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let is_bad = |character: char| character.is_control() || matches!(character, '{' | '}');
        if prefix.is_empty() || prefix.contains(is_bad) {
            return None;
        }
        Some(Self {
            live: format!("{{{prefix}}}:catalog"),
            channel: format!("{{{prefix}}}:changes"),
            prefix: prefix.to_owned(),
        })
    }

    pub(super) fn staged(&self, token: &str) -> String {
        format!("{{{}}}:staged:{token}", self.prefix)
    }

    pub(super) fn replaced(&self, token: &str) -> String {
        format!("{{{}}}:replaced:{token}", self.prefix)
    }
}

/// The field that lists the digests of a subscription, separated by commas.
pub(super) fn subscription_field(id: &str) -> String {
    format!("#{id}")
}

/// The digests of a subscription, each with its entry.
pub(super) fn entries(subscription: &Subscription) -> Vec<(String, String)> {
    let entry = |(slot, key): (KeySlot, &SubscriptionKey)| {
        let document = document::owner_to_json(Some((subscription, slot)));
        (key.digest().to_hex(), document)
    };
    let keys = subscription.keys().map(entry);
    let retired = subscription.retired_keys().map(entry);
    keys.chain(retired).collect()
}

/// The APIs and products as a document, with the digest that identifies them. A number
/// would not do: it starts again in a Redis that was emptied.
#[derive(Debug)]
pub(super) struct DefinitionsDocument {
    pub(super) text: String,
    pub(super) digest: String,
}

impl DefinitionsDocument {
    pub(super) fn of(catalog: &Catalog) -> Result<Self, CatalogError> {
        let text = document::to_json(&definitions_of(catalog)?);
        let digest = KeyDigest::of(&text).to_hex();
        Ok(Self { text, digest })
    }
}
