use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::catalog::{MAX_METADATA_BYTES, MetadataError};
use crate::document::explain::{MAX_DEPTH, TOO_DEEP};

/// Metadata: free-form values by name. Stricter than the map of `serde_json`,
/// which would take a name twice.
#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct FreeForm<'a>(pub(super) Cow<'a, Map<String, Value>>);

/// The document, the list and the entry are around it.
const METADATA_DEPTH: usize = 4;

impl<'de> Deserialize<'de> for FreeForm<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // More values cannot fit. The exact limit is the catalog's.
        let left = Cell::new(MAX_METADATA_BYTES / 2);
        let json = Json {
            depth: METADATA_DEPTH,
            left: &left,
        };
        match deserializer.deserialize_map(json)? {
            Value::Object(values) => Ok(Self(Cow::Owned(values))),
            _ => Err(D::Error::custom("must be a table")),
        }
    }
}

/// Reads a value at the given nesting depth of the document.
#[derive(Clone, Copy)]
struct Json<'c> {
    depth: usize,
    /// How many more values there may be.
    left: &'c Cell<usize>,
}

impl Json<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH + 1 {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(Self { depth, ..self })
    }

    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.left
            .set(left.ok_or_else(|| E::custom(MetadataError::TooLarge))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a number"))?;
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            // With the feature `arbitrary_precision` of `serde_json`, such a table
            // is a number. The slower reader takes it.
            if name.starts_with("$serde_json") {
                return Err(A::Error::custom("not a table"));
            }
            let value = map.next_value_seed(inner)?;
            if values.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(values))
    }
}
