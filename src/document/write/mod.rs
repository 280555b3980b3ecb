//! Catalogs as documents: the way back.

mod time;

use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::catalog::{
    Api, Catalog, KeySlot, Metadata, Product, Scope, State, Subscription, SubscriptionKey,
};

pub(super) use time::Rfc3339;

/// Writes a catalog as a JSON document that [`parse`](super::parse) reads back
/// as an equal catalog.
///
/// Keys are written as their digests, in no other form. Entries are written one
/// after the other, so that a million of them need no memory; many small pieces
/// are written, so give a file a [`BufWriter`](io::BufWriter).
///
/// Two things have no words in a document: a time outside the years 0 to 9999
/// becomes the nearest one inside, and [`Metadata`] that nests deeper than 60
/// levels is written, but refused when it is read.
///
/// ```
/// use tower_subscription_key::catalog::{Api, Catalog};
/// use tower_subscription_key::document;
///
/// let catalog = Catalog::builder().api(Api::new("echo", "/echo")).build()?;
/// let mut written = Vec::new();
/// document::write(&catalog, &mut written)?;
/// assert_eq!(written, br#"{"apis":[{"id":"echo","path":"/echo"}],"products":[],"subscriptions":[]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of the writer.
pub fn write(catalog: &Catalog, writer: impl io::Write) -> io::Result<()> {
    serde_json::to_writer(writer, &Document(catalog)).map_err(io::Error::from)
}

/// [`write()`] as text.
#[must_use]
pub fn to_json(catalog: &Catalog) -> String {
    text(&Document(catalog))
}

/// Writes the owner of a key as JSON that [`parse_owner`](super::parse_owner)
/// reads: `{"subscription": …, "slot": "primary"}` with the subscription in the
/// shape that it has in a catalog document, or `{"subscription": null}` where no
/// subscription has the key.
#[must_use]
pub fn owner_to_json(owner: Option<(&Subscription, KeySlot)>) -> String {
    text(&Owner(owner))
}

/// Text cannot fail to be written, and nothing here refuses to be.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

struct Document<'a>(&'a Catalog);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("apis", &Each(|| self.0.apis().map(ApiEntry)))?;
        map.serialize_entry("products", &Each(|| self.0.products().map(ProductEntry)))?;
        let subscriptions = || self.0.subscriptions().map(SubscriptionEntry);
        map.serialize_entry("subscriptions", &Each(subscriptions))?;
        map.end()
    }
}

/// A list, made while it is written.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

struct ApiEntry<'a>(&'a Api);

impl Serialize for ApiEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let api = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", api.id())?;
        optional(&mut map, "display_name", api.given_display_name())?;
        map.serialize_entry("path", api.given_path())?;
        unless(
            &mut map,
            "subscription_required",
            true,
            api.subscription_required(),
        )?;
        if api.key_header().is_some() || api.key_query().is_some() {
            map.serialize_entry("key_names", &KeyNames(api))?;
        }
        metadata(&mut map, api.metadata())?;
        map.end()
    }
}

struct KeyNames<'a>(&'a Api);

impl Serialize for KeyNames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        optional(
            &mut map,
            "header",
            self.0.key_header().map(|h| h.spelling()),
        )?;
        optional(&mut map, "query", self.0.key_query().map(|q| q.name()))?;
        map.end()
    }
}

struct ProductEntry<'a>(&'a Product);

impl Serialize for ProductEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let product = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", product.id())?;
        optional(&mut map, "display_name", product.given_display_name())?;
        map.serialize_entry("apis", product.apis())?;
        unless(&mut map, "subscription_required", true, !product.is_open())?;
        unless(&mut map, "published", true, product.is_published())?;
        metadata(&mut map, product.metadata())?;
        map.end()
    }
}

/// Owned or borrowed: a catalog unpacks its subscriptions one by one.
struct SubscriptionEntry<T>(T);

impl<T: std::borrow::Borrow<Subscription>> Serialize for SubscriptionEntry<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let subscription = self.0.borrow();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", subscription.id())?;
        optional(&mut map, "display_name", subscription.given_display_name())?;
        scopes(&mut map, subscription.scopes())?;
        optional(&mut map, "owner", subscription.owner())?;
        if subscription.state() != State::default() {
            map.serialize_entry("state", subscription.state().as_str())?;
        }
        for (slot, key) in subscription.keys() {
            map.serialize_entry(super::key_field(slot), &Key(key))?;
        }
        optional(
            &mut map,
            "not_before",
            subscription.not_before().map(Rfc3339),
        )?;
        optional(
            &mut map,
            "expires_at",
            subscription.expires_at().map(Rfc3339),
        )?;
        metadata(&mut map, subscription.metadata())?;
        map.end()
    }
}

struct Key<'a>(&'a SubscriptionKey);

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("sha256", &self.0.digest().to_hex())?;
        optional(&mut map, "expires_at", self.0.expires_at().map(Rfc3339))?;
        map.end()
    }
}

struct Owner<'a>(Option<(&'a Subscription, KeySlot)>);

impl Serialize for Owner<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let subscription = self
            .0
            .map(|(subscription, _)| SubscriptionEntry(subscription));
        map.serialize_entry(super::OWNER, &subscription)?;
        optional(&mut map, super::SLOT, self.0.map(|(_, slot)| slot.as_str()))?;
        map.end()
    }
}

fn scopes<M: SerializeMap>(map: &mut M, scopes: &[Scope]) -> Result<(), M::Error> {
    match scopes {
        [scope] => map.serialize_entry("scope", &scope.to_string()),
        scopes => {
            let texts = || scopes.iter().map(Scope::to_string);
            map.serialize_entry("scopes", &Each(texts))
        }
    }
}

fn optional<M: SerializeMap>(
    map: &mut M,
    name: &str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

fn unless<M: SerializeMap>(
    map: &mut M,
    name: &str,
    default: bool,
    value: bool,
) -> Result<(), M::Error> {
    optional(map, name, (value != default).then_some(value))
}

fn metadata<M: SerializeMap>(map: &mut M, metadata: &Metadata) -> Result<(), M::Error> {
    if metadata.is_empty() {
        return Ok(());
    }
    map.serialize_entry("metadata", metadata.values())
}
