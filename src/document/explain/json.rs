use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Number;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::document::explain::Notes;
use crate::document::explain::node::{MAX_DEPTH, Member, Node, TOO_DEEP, Text, Value};

const SURROGATE: &str = "half a `\\u` pair in text: write both halves, or the character itself";

/// Where the text stops being JSON, and why, if it does. Of the parser's messages, only
/// those for broken syntax are used: the others could quote the text.
pub(crate) fn syntax_error(text: &str) -> Option<(usize, String)> {
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    let message = match error.classify() {
        Category::Syntax | Category::Eof => {
            let message = error.to_string();
            let end = message.rfind(" at line ").unwrap_or(message.len());
            format!("this is not JSON: {}", &message[..end])
        }
        Category::Data | Category::Io => "this is not JSON".into(),
    };
    // The parser counts bytes up to and including the one it stumbled on. Only here
    // the byte itself is not counted.
    let is_behind = message.contains("control character");
    let lines = text.split_inclusive('\n').map(str::len);
    let before: usize = lines.take(error.line().saturating_sub(1)).sum();
    let at = (before + error.column() + usize::from(is_behind)).saturating_sub(1);
    Some((at.min(text.len()), message))
}

/// The tree of a whole document. `None`: its syntax is broken.
pub(crate) fn tree(text: &str, notes: &mut Notes) -> Option<Node> {
    match syntax_error(text) {
        Some((at, what)) => {
            notes.push(at, what);
            None
        }
        None => part(text, 0, notes),
    }
}

/// The tree of a value with valid syntax, which is at `base` in its document. `None`: it
/// nests too deep, or a string in it is not valid Unicode.
pub(crate) fn part(text: &str, base: usize, notes: &mut Notes) -> Option<Node> {
    let value = serde_json::from_str(text).ok()?;
    Tree { text, base, notes }.node(value, 1)
}

struct Tree<'i> {
    text: &'i str,
    base: usize,
    notes: &'i mut Notes,
}

/// The members of a table as they are written, with duplicates.
struct Members<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl Tree<'_> {
    fn node(&mut self, raw: &RawValue, depth: usize) -> Option<Node> {
        let (at, text) = (self.at(raw), raw.get());
        let value = match text.as_bytes().first()? {
            b'n' => Value::Null,
            b't' => Value::Bool(true),
            b'f' => Value::Bool(false),
            b'"' => Value::Text(self.text(raw)?),
            b'[' | b'{' if depth > MAX_DEPTH => {
                self.notes.push(at, TOO_DEEP);
                return None;
            }
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let elements = elements.into_iter();
                let nodes = elements.map(|element| self.node(element, depth + 1));
                Value::List(nodes.collect::<Option<_>>()?)
            }
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let members = members.into_iter().map(|(name, value)| {
                    Some(Member {
                        at: self.at(name),
                        name: self.text(name)?,
                        node: self.node(value, depth + 1)?,
                    })
                });
                let members = members.collect::<Option<_>>()?;
                return Some(Node::table(at, members, self.notes));
            }
            _ => Value::number(number(text)),
        };
        Some(Node::new(at, value))
    }

    /// Where in the document a part of the text is.
    fn at(&self, part: &RawValue) -> usize {
        self.base + part.get().as_ptr().addr() - self.text.as_ptr().addr()
    }

    fn text(&mut self, raw: &RawValue) -> Option<Text> {
        let error = match serde_json::from_str(raw.get()) {
            Ok(text) => return Some(Text::new(text)),
            Err(error) => error,
        };
        let read = raw.get().get(..error.column()).unwrap_or_default();
        let escape = read.rfind("\\ud").max(read.rfind("\\uD"));
        let at = self.at(raw) + escape.unwrap_or_default();
        self.notes.push(at, SURROGATE);
        None
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

/// A fraction is read by the standard library: only that gives back exactly the
/// number that was written.
fn number(literal: &str) -> Option<Number> {
    if literal.contains(['.', 'e', 'E']) {
        Number::from_f64(literal.parse().ok()?)
    } else {
        literal.parse().ok()
    }
}
