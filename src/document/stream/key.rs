use std::fmt;
use std::time::SystemTime;

use serde::Deserializer;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};

use crate::catalog::SubscriptionKey;
use crate::document::Environment;
use crate::document::read::{key_from_environment, key_from_text};
use crate::document::stream::values::{Text, moment, taken};
use crate::document::stream::{Fields, Table, complaint};
use crate::key::KeyDigest;

/// A key: text, or a table that says where it comes from.
pub(super) struct Key<'e>(pub(super) Environment<'e>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = SubscriptionKey;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = SubscriptionKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        key_from_text(key).ok_or_else(complaint)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut fields = KeyFields::default();
        let table = Table {
            environment: self.0,
            fields: &mut fields,
        };
        table.deserialize(MapAccessDeserializer::new(map))?;
        let key = fields.source.ok_or_else(complaint)?;
        Ok(match fields.expires_at {
            Some(end) => key.with_expiry(end),
            None => key,
        })
    }
}

#[derive(Default)]
struct KeyFields {
    source: Option<SubscriptionKey>,
    expires_at: Option<SystemTime>,
}

impl<'de> Fields<'de> for KeyFields {
    const NAMES: &'static [&'static str] = &["value", "sha256", "env", "expires_at"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        field: usize,
        map: &mut A,
        environment: Environment<'_>,
    ) -> Result<(), A::Error> {
        if Self::NAMES[field] == "expires_at" {
            self.expires_at = Some(moment(map)?);
            return Ok(());
        }
        if self.source.is_some() {
            return Err(complaint());
        }
        let Text(text) = map.next_value()?;
        let source = match Self::NAMES[field] {
            "value" => key_from_text(&text),
            "env" => key_from_environment(&text, environment).ok(),
            _ => Some(taken(text.parse::<KeyDigest>())?.into()),
        };
        self.source = Some(source.ok_or_else(complaint)?);
        Ok(())
    }
}
