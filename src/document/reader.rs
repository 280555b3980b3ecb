//! Reads entries into a catalog builder. What does not fit is described by way of a
//! tree of the entry alone, so that a document of a million good entries and a bad
//! one costs little more than a good document.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::{Deserialize, IgnoredAny};

use crate::catalog::validate::Draft;
use crate::catalog::{Api, CatalogBuilder, EntityKind, Field, KeySlot, Product, Subscription};
use crate::document::entry::Listed;
use crate::document::explain::{
    MAX_ENTRY_BYTES, Member, Node, Note, Notes, Reading, Subject, Value, fit, json, quoted,
    unknown_field,
};
use crate::document::key::{KeyReader, KeySources};
use crate::document::problems::Problems;
use crate::document::schema::{DOCUMENT, FORMAT, FORMAT_FIELD};

/// The name of the list with all entries of a kind.
pub(super) fn list_name(kind: EntityKind) -> &'static str {
    DOCUMENT[kind as usize]
}

/// The list with that name.
pub(super) fn list_of(name: &str) -> Option<EntityKind> {
    EntityKind::ALL
        .into_iter()
        .find(|kind| list_name(*kind) == name)
}

/// How a document is read.
#[derive(Clone, Copy)]
pub(super) struct Rules<'k> {
    /// Whether fields that are not known are ignored.
    pub(super) tolerant: bool,
    pub(super) keys: Option<&'k dyn KeySources>,
    /// The path of the document, to which the paths of key files are relative.
    pub(super) path: &'k Path,
}

impl<'k> Rules<'k> {
    /// For documents that people write.
    pub(super) fn of_files(keys: Option<&'k dyn KeySources>) -> Self {
        Self {
            tolerant: false,
            keys,
            path: Path::new(""),
        }
    }

    /// For documents that other machines send.
    pub(super) fn of_machine() -> Self {
        Self {
            tolerant: true,
            keys: None,
            path: Path::new(""),
        }
    }
}

/// Further ignored fields are not reported.
const MOST_IGNORED: usize = 16;

/// What was read of a document, or of a part of it.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) builder: CatalogBuilder,
    /// Where in the document the entries are: the byte, or the place in the list of
    /// the document's tree.
    pub(super) places: [Vec<usize>; 3],
    pub(super) notes: Notes,
    /// Fields that are not known and were ignored.
    pub(super) ignored: BTreeSet<String>,
    /// The version of the document's shape, if it is a higher one.
    pub(super) newer: Option<u64>,
}

impl Read {
    /// Adds what was read of the text after this.
    pub(super) fn append(&mut self, next: Self) {
        for mut note in next.notes.list {
            if let Subject::Entry { kind, place, .. } = &mut note.subject {
                *place += self.places[*kind as usize].len();
            }
            self.notes.add(note);
        }
        self.notes.more += next.notes.more;
        for (places, next) in self.places.iter_mut().zip(next.places) {
            places.extend(next);
        }
        self.builder.append(next.builder);
        self.newer = self.newer.or(next.newer);
        let left = MOST_IGNORED.saturating_sub(self.ignored.len());
        self.ignored.extend(next.ignored.into_iter().take(left));
    }

    /// A document of which nothing can be read.
    pub(super) fn broken(note: Note) -> Self {
        let mut read = Self::default();
        read.notes.add(note);
        read.lacks_everything();
        read
    }

    /// What refers to an entry of this document is not wrong because of it.
    pub(super) fn lacks_everything(&mut self) {
        for list in EntityKind::ALL {
            self.builder.lacks(list);
        }
    }

    fn ignore(&mut self, field: &str, of: &str) {
        if self.ignored.len() < MOST_IGNORED {
            let field = quoted(field).unwrap_or_else(|| "a field".into());
            self.ignored.insert(format!("{field} in {of}"));
        }
    }
}

/// A text that is not JSON.
#[derive(Debug)]
pub(super) struct Broken;

pub(super) struct Reader<'k> {
    keys: KeyReader<'k>,
    tolerant: bool,
    pub(super) read: Read,
}

impl<'k> Reader<'k> {
    pub(super) fn new(rules: Rules<'k>) -> Self {
        Self {
            keys: KeyReader::new(rules.keys, rules.path),
            tolerant: rules.tolerant,
            read: Read::default(),
        }
    }

    /// Reads the entry with which the text begins, and that is at `at` in its
    /// document. Returns its length.
    pub(super) fn json<T: Listed>(&mut self, text: &str, at: usize) -> Result<usize, Broken> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        if let Ok(entry) = T::Entry::deserialize(&mut deserializer) {
            let mut problems = Problems::without_places();
            let entry = T::read(entry, &self.keys, &mut problems);
            if problems.notes.is_empty() {
                self.push(entry.into(), at);
                return Ok(deserializer.into_iter::<IgnoredAny>().byte_offset());
            }
        }
        let length = skip(text)?;
        self.explain_json::<T>(&text[..length], at);
        Ok(length)
    }

    fn explain_json<T: Listed>(&mut self, text: &str, at: usize) {
        let notes = &mut self.read.notes;
        if notes.is_full() {
            notes.more += 1;
        } else if text.len() > MAX_ENTRY_BYTES {
            notes.push(
                at,
                "something in this entry is wrong, and it is too large to say what",
            );
        } else if let Some(mut node) = json::part(text, at, notes) {
            return self.node::<T>(&mut node, at);
        }
        self.push_unread::<T>(at);
    }

    /// Reads an entry from its tree. As far as it can be read, it is in the builder
    /// afterwards: what refers to it is not wrong because of it.
    pub(super) fn node<T: Listed>(&mut self, node: &mut Node, at: usize) {
        let place = self.read.places[T::LIST as usize].len();
        let subject = Subject::entry(T::LIST, place, node);
        let mut unread = Vec::new();
        let reads = |node: &Node| T::Entry::deserialize(Reading::of(node)).map(drop);
        fit(node, reads, "it has too many other problems", |misfit| {
            if let Some((name, _)) = misfit.unknown.as_deref() {
                if self.tolerant {
                    return self.read.ignore(name, list_name(T::LIST));
                }
            } else {
                unread.extend(misfit.names.last().and_then(|name| unread_field(name)));
            }
            self.read.notes.add(misfit.note(subject.clone()));
        });
        let Ok(entry) = T::Entry::deserialize(Reading::of(node)) else {
            return self.push_unread::<T>(at);
        };
        let mut problems = Problems::of(node, subject);
        let value = T::read(entry, &self.keys, &mut problems);
        self.read.notes.extend(problems.notes);
        unread.extend(problems.unread);
        self.push(Draft { value, unread }, at);
    }

    fn push<T: Listed>(&mut self, entry: Draft<T>, at: usize) {
        self.read.places[T::LIST as usize].push(at);
        T::push(entry, &mut self.read.builder);
    }

    /// Keeps the place of an entry of which nothing can be read.
    fn push_unread<T: Listed>(&mut self, at: usize) {
        let mut problems = Problems::without_places();
        let value = T::read(T::Entry::default(), &self.keys, &mut problems);
        let mut unread = problems.unread;
        unread.extend([UNREAD_SCOPE, Field::Key(KeySlot::Primary)]);
        self.push(Draft { value, unread }, at);
    }

    /// Reads a whole document from its tree.
    pub(super) fn tree(&mut self, root: &mut Node) {
        let Value::Table(members) = &mut root.value else {
            self.read.lacks_everything();
            return self.read.notes.add(Note {
                subject: Subject::Document,
                ..Note::new(
                    root.at,
                    format!("must be a table, not {}", root.value.kind()),
                )
            });
        };
        for Member { at, name, node } in members {
            self.member(name, *at, node);
        }
    }

    /// Reads a field of the document.
    pub(super) fn member(&mut self, name: &str, at: usize, node: &mut Node) {
        match (list_of(name), &mut node.value) {
            (_, Value::Null) if DOCUMENT.contains(&name) => {}
            (Some(list), Value::List(nodes)) => self.nodes(list, nodes),
            (Some(list), value) => {
                let in_brackets = matches!(value, Value::Table(_));
                self.read.builder.lacks(list);
                self.read.notes.add(Note {
                    field: name.into(),
                    advice: in_brackets.then(|| "put it in brackets".into()),
                    ..Note::new(node.at, format!("must be a list, not {}", value.kind()))
                });
            }
            (None, Value::Number(number)) if name == FORMAT_FIELD => match number.as_u64() {
                Some(format) if format > FORMAT => self.read.newer = Some(format),
                Some(1..) => {}
                _ => self.read.notes.push(node.at, WRONG_FORMAT),
            },
            (None, _) if name == FORMAT_FIELD => self.read.notes.push(node.at, WRONG_FORMAT),
            (None, _) if self.tolerant => self.read.ignore(name, "the document"),
            (None, _) => {
                let (message, advice) = unknown_field(name, &DOCUMENT, true);
                for list in EntityKind::ALL {
                    // It was probably meant to be that list.
                    if advice.contains(&format!("mean `{}`", list_name(list))) {
                        self.read.builder.lacks(list);
                    }
                }
                self.read.notes.add(Note {
                    subject: Subject::Document,
                    advice: Some(advice),
                    ..Note::new(at, message)
                });
            }
        }
    }

    /// Reads a list up to an entry that is not a table.
    pub(super) fn nodes(&mut self, kind: EntityKind, nodes: &mut [Node]) {
        for (at, node) in nodes.iter_mut().enumerate() {
            match &node.value {
                Value::Table(_) => {}
                Value::Refused => return,
                value => {
                    let place = self.read.places[kind as usize].len();
                    let id = None;
                    self.read.builder.lacks(kind);
                    return self.read.notes.add(Note {
                        subject: Subject::Entry { kind, place, id },
                        ..Note::new(node.at, format!("must be a table, not {}", value.kind()))
                    });
                }
            }
            match kind {
                EntityKind::Api => self.node::<Api>(node, at),
                EntityKind::Product => self.node::<Product>(node, at),
                EntityKind::Subscription => self.node::<Subscription>(node, at),
            }
        }
    }
}

const WRONG_FORMAT: &str = "format: must be 1 or left out";

/// The index that marks unreadable `scope` or `scopes` of an entry. No scope has this
/// index.
const UNREAD_SCOPE: Field = Field::Scope(usize::MAX);

/// The field of an entry that does not fit the schema.
fn unread_field(name: &str) -> Option<Field> {
    Some(match name {
        "id" => Field::Id,
        "path" => Field::Path,
        "scope" | "scopes" => UNREAD_SCOPE,
        "primary_key" => Field::Key(KeySlot::Primary),
        "secondary_key" => Field::Key(KeySlot::Secondary),
        _ => return None,
    })
}

/// The length of the JSON value with which the text begins.
pub(super) fn skip(text: &str) -> Result<usize, Broken> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(values.byte_offset()),
        _ => Err(Broken),
    }
}
