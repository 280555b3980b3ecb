use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::document::limits::MAX_DEPTH;

/// Metadata: free-form values by name. Stricter than the map of `serde_json`,
/// which would take a name twice.
#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct FreeForm<'a>(pub(super) Cow<'a, Map<String, Value>>);

/// The document, the list and the entry are around it.
const METADATA_DEPTH: usize = 4;

impl<'de> Deserialize<'de> for FreeForm<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_map(Json(METADATA_DEPTH))? {
            Value::Object(values) => Ok(Self(Cow::Owned(values))),
            _ => Err(D::Error::custom("must be a table")),
        }
    }
}

/// Reads a value whose tables and lists are that deep in the document.
#[derive(Clone, Copy)]
struct Json(usize);

impl Json {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.0 > MAX_DEPTH {
            return Err(E::custom("tables and lists nest too deep"));
        }
        Ok(Self(self.0 + 1))
    }
}

impl<'de> DeserializeSeed<'de> for Json {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json {
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
