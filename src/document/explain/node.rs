use std::collections::HashSet;

use serde_json::Number;
use zeroize::Zeroizing;

use crate::document::explain::Notes;
use crate::document::explain::quoted;

/// How deep tables and lists may nest. A catalog needs four levels; metadata may
/// need more. Trees are walked and dropped by recursion.
pub(crate) const MAX_DEPTH: usize = 64;

pub(crate) const TOO_DEEP: &str = "tables and lists nest too deep: 64 levels are the most";

/// Larger entries are not explained, because a tree takes many times the size.
pub(crate) const MAX_ENTRY_BYTES: usize = 1 << 20;

/// An entry that could not be read at all.
pub(crate) static NOTHING: Node = Node {
    at: 0,
    value: Value::Null,
};

/// Text of a document. Any of it may be a key, so that all of it is wiped.
pub(crate) type Text = Zeroizing<String>;

/// A value of any format, and its byte in the document.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) value: Value,
}

#[derive(Clone)]
pub(crate) enum Value {
    /// Something that was complained about already: say no more.
    Refused,
    Null,
    Bool(bool),
    Number(Number),
    /// A number that JSON does not have: too large, infinite, or not a number.
    Unbounded,
    /// A date, a time or both (TOML).
    #[cfg_attr(not(feature = "toml"), allow(dead_code))]
    Time(String),
    Text(Text),
    List(Vec<Node>),
    Table(Vec<Member>),
}

/// A name and its value in a table.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) at: usize,
    pub(crate) name: Text,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn new(at: usize, value: Value) -> Self {
        Self { at, value }
    }

    /// A table of those members. Of those with one name the first stays.
    pub(crate) fn table(at: usize, members: Vec<Member>, notes: &mut Notes) -> Self {
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
                notes.push(member.at, duplicate(&member.name));
            }
        }
        Self::new(at, Value::Table(kept))
    }

    /// The value of that name, if this is a table.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.member(name).map(|member| &member.node)
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| *member.name == name)
    }

    pub(crate) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Table(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn list(&self) -> &[Node] {
        match &self.value {
            Value::List(nodes) => nodes,
            _ => &[],
        }
    }

    /// The elements of a list that fit the schema.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Node> {
        self.list().iter().filter(|node| !node.is_refused())
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Whether a problem with it was already reported, so that it is left out.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.value, Value::Refused)
    }

    /// Leaves out the value at the end of the path. The steps of the path are places in
    /// tables and lists, the last one first.
    pub(crate) fn refuse(&mut self, path: &[usize]) {
        let Some((step, inner)) = path.split_last() else {
            self.value = Value::Refused;
            return;
        };
        let node = match &mut self.value {
            Value::List(nodes) => nodes.get_mut(*step),
            Value::Table(members) => members.get_mut(*step).map(|member| &mut member.node),
            _ => None,
        };
        if let Some(node) = node {
            node.refuse(inner);
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

pub(crate) fn duplicate(name: &str) -> String {
    match quoted(name) {
        Some(name) => format!("{name} occurs in this table twice: remove one"),
        None => "this name occurs in its table twice: remove one".into(),
    }
}

impl Value {
    pub(crate) fn number(number: Option<Number>) -> Self {
        number.map_or(Self::Unbounded, Self::Number)
    }

    /// What it is, for "must be …, not …".
    pub(crate) fn kind(&self) -> &'static str {
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
