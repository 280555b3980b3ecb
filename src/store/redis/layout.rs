//! What stands where in Redis.

use crate::catalog::{Catalog, CatalogError, KeySlot, Subscription};
use crate::document;
use crate::key::KeyDigest;

/// What [`FORMAT_FIELD`] says: the layout that this version reads and writes.
pub(super) const FORMAT: &str = "1";

// Fields of the one hash. None of them can be a digest in hex, nor `#` and an id.
pub(super) const FORMAT_FIELD: &str = "@format";
pub(super) const DEFINITIONS_FIELD: &str = "@definitions";
pub(super) const DEFINITIONS_DIGEST_FIELD: &str = "@definitions-sha256";

/// How many seconds a catalog that is being written lives after its last write.
pub(super) const STAGED_FOR: u32 = 3600;

/// The keys and the channel under a prefix.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) live: String,
    pub(super) channel: String,
    prefix: String,
}

impl Names {
    /// `None` where the prefix cannot be a hash tag.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let odd = |character: char| character.is_control() || matches!(character, '{' | '}');
        if prefix.is_empty() || prefix.contains(odd) {
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

/// The field that lists a subscription's digests, separated by commas.
pub(super) fn subscription_field(id: &str) -> String {
    format!("#{id}")
}

/// A subscription's digests, each with the entry for it.
pub(super) fn entries(subscription: &Subscription) -> Vec<(String, String)> {
    let entry = |slot: KeySlot| document::owner_to_json(Some((subscription, slot)));
    let keys = subscription.keys();
    keys.map(|(slot, key)| (key.digest().to_hex(), entry(slot)))
        .collect()
}

/// APIs and products as a document, with the digest by which a change of them is
/// noticed. A count would not do: it begins anew in a Redis that was emptied.
#[derive(Debug)]
pub(super) struct DefinitionsDocument {
    pub(super) text: String,
    pub(super) digest: String,
}

impl DefinitionsDocument {
    pub(super) fn of(catalog: &Catalog) -> Result<Self, CatalogError> {
        let mut builder = Catalog::builder();
        catalog.apis().for_each(|api| builder.push_api(api.clone()));
        catalog
            .products()
            .for_each(|product| builder.push_product(product.clone()));
        let text = document::to_json(&builder.build()?);
        let digest = KeyDigest::of(&text).to_hex();
        Ok(Self { text, digest })
    }
}
