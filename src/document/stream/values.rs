use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::Deserializer;
use serde::de::{Deserialize, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::document::limits::MAX_DEPTH;
use crate::document::read;
use crate::document::stream::complaint;

/// Reads the name of a field: where it stands among those that are known.
#[derive(Clone, Copy)]
pub(super) struct OneOf(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for OneOf {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a known name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let known = self.0.iter().position(|known| *known == name);
        known.ok_or_else(complaint)
    }
}

/// Text, borrowed where it has no escapes.
pub(super) struct Text<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// Free-form values. The map of `serde_json` would let a name stand twice.
pub(super) struct Metadata(pub(super) Map<String, Value>);

/// The document, the list and the entry are around it.
const METADATA_DEPTH: usize = 4;

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_map(Json(METADATA_DEPTH))? {
            Value::Object(values) => Ok(Self(values)),
            _ => Err(complaint()),
        }
    }
}

/// Reads a value; a table or list would stand so deep.
#[derive(Clone, Copy)]
struct Json(usize);

impl Json {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.0 > MAX_DEPTH {
            return Err(complaint());
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
        let number = Number::from_f64(value).ok_or_else(complaint)?;
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
            // Such a table is a number, where a build has `arbitrary_precision`.
            if name.starts_with("$serde_json") {
                return Err(complaint());
            }
            let value = map.next_value_seed(inner)?;
            if values.insert(name, value).is_some() {
                return Err(complaint());
            }
        }
        Ok(Value::Object(values))
    }
}

/// The value of a field that is text.
pub(super) fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let Text(text) = map.next_value()?;
    Ok(Some(text))
}

/// The value of a field that is text and must mean something.
pub(super) fn parsed<'de, T: FromStr, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    let Text(text) = map.next_value()?;
    taken(text.parse())
}

pub(super) fn all_parsed<'de, T: FromStr, A: MapAccess<'de>>(
    map: &mut A,
) -> Result<Vec<T>, A::Error> {
    let texts: Vec<Text<'de>> = map.next_value()?;
    texts
        .into_iter()
        .map(|Text(text)| taken(text.parse()))
        .collect()
}

pub(super) fn moment<'de, A: MapAccess<'de>>(map: &mut A) -> Result<SystemTime, A::Error> {
    let Text(text) = map.next_value()?;
    taken(read::time(&text))
}

/// What is wrong is of no interest here.
pub(super) fn taken<T, X, E: Error>(result: Result<T, X>) -> Result<T, E> {
    result.map_err(|_| complaint())
}
