use std::collections::HashSet;

use serde_json::Number;
use zeroize::Zeroizing;

use crate::document::error::Issues;
use crate::document::names::quoted;

/// Text of a document. Any of it may be a key, so that all of it is wiped.
pub(super) type Text = Zeroizing<String>;

/// A value of any format, and the byte offset at which it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Value,
}

#[derive(Clone)]
pub(super) enum Value {
    /// Something that was complained about already: say no more.
    Refused,
    Null,
    Bool(bool),
    Number(Number),
    /// A number that no JSON number stands for: too large, infinite, or none.
    Unbounded,
    /// A date, a time or both, where a format has them (TOML).
    #[cfg_attr(not(feature = "file"), allow(dead_code))]
    Time(String),
    Text(Text),
    List(Vec<Node>),
    Table(Vec<Member>),
}

/// A name and its value in a table.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) at: usize,
    pub(super) name: Text,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn new(at: usize, value: Value) -> Self {
        Self { at, value }
    }

    /// A table of those members. Of those with one name the first stays.
    pub(super) fn table(at: usize, members: Vec<Member>, issues: &mut Issues) -> Self {
        let mut seen = HashSet::with_capacity(members.len());
        let are_first: Vec<bool> = members
            .iter()
            .map(|member| seen.insert(member.name.as_str()))
            .collect();
        let mut kept = Vec::with_capacity(members.len());
        for (member, is_first) in members.into_iter().zip(are_first) {
            if is_first {
                kept.push(member);
            } else {
                issues.push(member.at, duplicate(&member.name));
            }
        }
        Self::new(at, Value::Table(kept))
    }

    /// The value of that name, where this is a table.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.member(name).map(|member| &member.node)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| *member.name == name)
    }

    pub(super) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Table(members) => members,
            _ => &[],
        }
    }

    pub(super) fn list(&self) -> &[Node] {
        match &self.value {
            Value::List(nodes) => nodes,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

pub(super) fn duplicate(name: &str) -> String {
    match quoted(name) {
        Some(name) => format!("{name} stands in this table twice: remove one"),
        None => "this name stands in its table twice: remove one".into(),
    }
}

impl Value {
    pub(super) fn number(number: Option<Number>) -> Self {
        number.map_or(Self::Unbounded, Self::Number)
    }

    /// What it is, for "must be …, not …".
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Refused => "nothing",
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) | Self::Unbounded => "a number",
            Self::Time(_) => "a date or time",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Prints no text: it may be a key.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}
