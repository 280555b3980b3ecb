//! Reads a tree into the structs of the schema, and says what does not fit.

use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::document::explain::node::{Member, Node, Value};
use crate::document::explain::{Note, Subject, names};
use crate::document::schema::MOMENT;

/// A node as a source of values.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'n> {
    node: &'n Node,
}

impl<'n> Reading<'n> {
    pub(crate) fn of(node: &'n Node) -> Self {
        Self { node }
    }
}

/// A value that does not fit the schema.
#[derive(Debug)]
pub(crate) struct Misfit {
    at: usize,
    /// The names of the tables around it, the innermost first.
    pub(crate) names: Vec<String>,
    /// Its place in each of the tables and lists around it, the innermost first.
    path: Vec<usize>,
    message: String,
    advice: Option<String>,
    /// The field that is unknown and those that are known, if that is the problem.
    pub(crate) unknown: Option<Box<(String, &'static [&'static str])>>,
}

/// Removes what does not fit from a tree, and reports it, until `reads` succeeds.
pub(crate) fn fit(
    tree: &mut Node,
    reads: impl Fn(&Node) -> Result<(), Misfit>,
    too_many: &str,
    mut report: impl FnMut(Misfit),
) {
    /// More misfits in one tree are not reported one by one.
    const MOST: usize = 64;
    for _ in 0..MOST {
        let Err(mut misfit) = reads(tree) else { return };
        let path = std::mem::take(&mut misfit.path);
        if path.is_empty() {
            misfit.at = tree.at;
            return report(misfit);
        }
        report(misfit);
        tree.refuse(&path);
    }
    let at = tree.at;
    report(Misfit {
        at,
        ..Misfit::new(too_many, None)
    });
}

/// The message and the advice about a field that is not known.
pub(crate) fn unknown_field(name: &str, known: &[&str], may_show: bool) -> (String, String) {
    let (shown, advice) = match names::meant(name, known.iter().copied()) {
        // So near to a field, it is not a key.
        Some(meant) => (
            Some(format!("`{name}`")),
            format!("did you mean `{meant}`?"),
        ),
        None => {
            let advice = format!("the fields here are {}", known.join(", "));
            (names::quoted(name).filter(|_| may_show), advice)
        }
    };
    let name = shown.map_or(String::new(), |name| format!(" {name}"));
    (format!("unknown field{name}"), advice)
}

impl Misfit {
    fn new(message: impl Into<String>, advice: Option<&str>) -> Self {
        Self {
            at: 0,
            names: Vec::new(),
            path: Vec::new(),
            message: message.into(),
            advice: advice.map(Into::into),
            unknown: None,
        }
    }

    pub(crate) fn note(self, subject: Subject) -> Note {
        let names: Vec<&str> = self.names.iter().rev().map(String::as_str).collect();
        Note {
            subject,
            field: names.join(", "),
            advice: self.advice,
            ..Note::new(self.at, self.message)
        }
    }

    fn within(mut self, at: usize, index: usize, name: Option<&str>) -> Self {
        if self.path.is_empty() {
            self.at = at;
        }
        self.path.push(index);
        self.names.extend(name.map(Into::into));
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string(), None)
    }

    /// The default would repeat the value, which may be a key.
    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("must be {expected}"))
    }

    fn invalid_value(value: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(value, expected)
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self {
            unknown: Some(Box::new((name.to_owned(), known))),
            ..Self::new("unknown field", None)
        }
    }
}

impl<'n> Reading<'n> {
    /// What to say if the value is not of the expected kind.
    fn misfit(self, expected: &str) -> Misfit {
        let value = &self.node.value;
        let advice = match value {
            Value::Bool(_) | Value::Number(_) | Value::Unbounded | Value::Time(_)
                if expected.starts_with("text") =>
            {
                Some("put it in quotes")
            }
            Value::Text(text)
                if expected == "true or false" && matches!(text.as_str(), "true" | "false") =>
            {
                Some("write it without quotes")
            }
            Value::Table(_) if expected == "a list" => Some("put it in brackets"),
            _ => None,
        };
        Misfit::new(format!("must be {expected}, not {}", value.kind()), advice)
    }
}

/// The values of metadata.
pub(crate) fn free_form(node: &Node) -> Result<serde_json::Value, Misfit> {
    Ok(match &node.value {
        Value::Refused | Value::Null => serde_json::Value::Null,
        Value::Unbounded => {
            let message = "this number is too large, or not a number";
            return Err(Misfit::new(message, None));
        }
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.clone().into(),
        Value::Time(text) => text.as_str().into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(nodes) => {
            let nodes = nodes.iter().enumerate();
            let fitting = nodes.filter(|(_, node)| !node.is_refused());
            let inner = |(index, node)| {
                free_form(node).map_err(|misfit| misfit.within(node.at, index, None))
            };
            fitting.map(inner).collect::<Result<_, _>>()?
        }
        Value::Table(members) => {
            let members = members.iter().enumerate();
            let fitting = members.filter(|(_, member)| !member.node.is_refused());
            // Names in metadata are not the schema's.
            let inner = |(index, member): (usize, &Member)| match free_form(&member.node) {
                Ok(value) => Ok((member.name.to_string(), value)),
                Err(misfit) => Err(misfit.within(member.node.at, index, None)),
            };
            fitting.map(inner).collect::<Result<_, _>>()?
        }
    })
}

impl<'de> Deserializer<'de> for Reading<'de> {
    type Error = Misfit;

    /// A key, which is text or a table.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Table(members) => visitor.visit_map(Members::of(members, true)),
            _ => Err(self.misfit("text, or a table with one of value, sha256, env and file")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.node.value {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.misfit("true or false")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Number(number) if number.is_u64() => {
                visitor.visit_u64(number.as_u64().unwrap_or_default())
            }
            _ => Err(self.misfit("a whole number")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.misfit("text")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Text(text) if name == MOMENT => visitor.visit_newtype_struct(text_of(text)),
            Value::Time(time) if name == MOMENT => visitor.visit_newtype_struct(text_of(time)),
            _ if name == MOMENT => Err(self.misfit("text with a time")),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::List(nodes) => visitor.visit_seq(Elements {
                rest: nodes.iter().enumerate(),
            }),
            _ => Err(self.misfit("a list")),
        }
    }

    /// Metadata.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Table(_) => {
                let values = free_form(self.node)?.deserialize_map(visitor);
                values.map_err(de::Error::custom)
            }
            _ => Err(self.misfit("a table")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Table(members) => visitor.visit_map(Members::of(members, false)),
            _ => Err(self.misfit("a table")),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char string bytes byte_buf unit
        unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

/// The members of a table. Those that were refused before are skipped.
struct Members<'n> {
    rest: std::iter::Enumerate<std::slice::Iter<'n, Member>>,
    value: Option<(usize, &'n Member)>,
    /// Whether names in it may be the key itself.
    is_key: bool,
}

impl<'n> Members<'n> {
    fn of(members: &'n [Member], is_key: bool) -> Self {
        Self {
            rest: members.iter().enumerate(),
            value: None,
            is_key,
        }
    }
}

impl<'n> MapAccess<'n> for Members<'n> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let next = self.rest.find(|(_, member)| !member.node.is_refused());
        let Some((index, member)) = next else {
            return Ok(None);
        };
        self.value = next;
        let name = text_of(&member.name);
        let key = seed.deserialize(name).map_err(|mut misfit: Misfit| {
            if let Some((name, known)) = misfit.unknown.as_deref() {
                let (message, advice) = unknown_field(name, known, !self.is_key);
                (misfit.message, misfit.advice) = (message, Some(advice));
            }
            misfit.within(member.at, index, None)
        });
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (index, member) = self
            .value
            .take()
            .ok_or_else(|| Misfit::new("no value", None))?;
        let value = seed.deserialize(Reading::of(&member.node));
        value.map_err(|misfit| misfit.within(member.node.at, index, Some(&member.name)))
    }
}

/// The elements of a list. Those that were refused before are skipped.
struct Elements<'n> {
    rest: std::iter::Enumerate<std::slice::Iter<'n, Node>>,
}

impl<'n> SeqAccess<'n> for Elements<'n> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some((index, node)) = self.rest.find(|(_, node)| !node.is_refused()) else {
            return Ok(None);
        };
        let element = seed.deserialize(Reading::of(node));
        element
            .map(Some)
            .map_err(|misfit| misfit.within(node.at, index, None))
    }
}

fn text_of(text: &str) -> BorrowedStrDeserializer<'_, Misfit> {
    BorrowedStrDeserializer::new(text)
}
