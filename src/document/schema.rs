//! The shape of a catalog document: the one place that names its fields.
//!
//! Every format is read into these structs and written from them, and so are
//! single subscriptions (Redis' records, answers of HTTP lookups). A field that is
//! absent is `None`, and `null` means the same.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::document::free_form::FreeForm;

/// The version of this shape. Documents of a higher one are refused.
pub(super) const FORMAT: u64 = 1;

pub(super) const FORMAT_FIELD: &str = "format";
pub(super) const APIS: &str = "apis";
pub(super) const PRODUCTS: &str = "products";
pub(super) const SUBSCRIPTIONS: &str = "subscriptions";

/// The fields of a whole document, the three lists first.
pub(super) const DOCUMENT: [&str; 4] = [APIS, PRODUCTS, SUBSCRIPTIONS, FORMAT_FIELD];

/// Defines tables with only optional fields, so that all missing fields can be
/// reported at once.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Default, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
        pub(super) struct $name<'a> {$(
            #[serde(skip_serializing_if = "Option::is_none")]
            $(#[$attribute])*
            pub(super) $field: Option<$type>,
        )+}
    )+};
}

tables! {
    /// An entry of `apis`.
    ApiEntry {
        id: Text<'a>,
        display_name: Text<'a>,
        path: Text<'a>,
        subscription_required: bool,
        key_names: KeyNames<'a>,
        metadata: FreeForm<'a>,
    }

    /// The names under which callers send the keys of an API.
    KeyNames {
        header: Text<'a>,
        query: Text<'a>,
    }

    /// An entry of `products`.
    ProductEntry {
        id: Text<'a>,
        display_name: Text<'a>,
        apis: Vec<Text<'a>>,
        subscription_required: bool,
        published: bool,
        metadata: FreeForm<'a>,
    }

    /// An entry of `subscriptions`. It has either `scope` or `scopes`.
    SubscriptionEntry {
        id: Text<'a>,
        display_name: Text<'a>,
        scope: Text<'a>,
        scopes: Vec<Text<'a>>,
        owner: Text<'a>,
        state: Text<'a>,
        primary_key: KeyEntry<'a>,
        secondary_key: KeyEntry<'a>,
        retired_keys: Vec<RetiredKey<'a>>,
        not_before: Moment<'a>,
        expires_at: Moment<'a>,
        metadata: FreeForm<'a>,
    }

    /// Where a key comes from, which is one of the first four, and its end.
    KeyTable {
        value: Text<'a>,
        sha256: Text<'a>,
        env: Text<'a>,
        file: Text<'a>,
        expires_at: Moment<'a>,
    }

    /// A key that was replaced and still works for a while: its slot, and the fields
    /// of a [`KeyTable`].
    RetiredKey {
        slot: Text<'a>,
        value: Text<'a>,
        sha256: Text<'a>,
        env: Text<'a>,
        file: Text<'a>,
        expires_at: Moment<'a>,
    }

    /// An answer about one key. Its `subscription` is present, and `null` if no
    /// subscription has the key.
    OwnerAnswer {
        format: u64,
        #[serde(default, deserialize_with = "present")]
        subscription: Option<SubscriptionEntry<'a>>,
        slot: Text<'a>,
    }
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Text, borrowed from the document if it has no escapes.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A moment: text, or a date and time of the format's own (TOML).
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Moment<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The name by which a deserializer knows that a date and time is as good as text.
pub(super) const MOMENT: &str = "Moment";

/// A key: its text, or a table that says where it comes from.
#[derive(serde::Serialize)]
#[serde(untagged)]
pub(super) enum KeyEntry<'a> {
    Text(Text<'a>),
    Table(KeyTable<'a>),
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for KeyEntry<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = KeyEntry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(KeyEntry::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(KeyEntry::Text(Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        KeyTable::deserialize(MapAccessDeserializer::new(map)).map(KeyEntry::Table)
    }
}
