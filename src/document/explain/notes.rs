use std::fmt;

use crate::catalog::EntityKind;
use crate::document::explain::node::Node;
use crate::document::schema::FORMAT;

/// What a problem is about.
#[derive(Debug, Clone, Default)]
pub(crate) enum Subject {
    /// The syntax, or a field that is named instead.
    #[default]
    Nothing,
    Document,
    /// An entry, by its place in the list, from 0.
    Entry {
        kind: EntityKind,
        place: usize,
        id: Option<String>,
    },
}

impl Subject {
    pub(crate) fn entry(kind: EntityKind, place: usize, entry: &Node) -> Self {
        let id = entry.get("id").and_then(Node::text).map(str::to_owned);
        Self::Entry { kind, place, id }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A text that is far too long for an id is cut.
        const LONGEST: usize = 300;
        let (kind, place, id) = match self {
            Self::Nothing => return Ok(()),
            Self::Document => return f.write_str("the document"),
            Self::Entry { kind, place, id } => (kind, place, id),
        };
        match id {
            None => write!(f, "{kind} number {}", place + 1),
            Some(id) => match id.char_indices().nth(LONGEST) {
                None => write!(f, "{kind} {id:?}"),
                Some((end, _)) => write!(f, "{kind} {:?}…", &id[..end]),
            },
        }
    }
}

/// The most problems of a document that are described. The others are counted.
pub(crate) const MAX_NOTES: usize = 1_000;

/// A problem and its position.
#[derive(Debug)]
pub(crate) struct Note {
    /// The document, if there are several.
    pub(crate) source: usize,
    /// The byte in the document.
    pub(crate) at: usize,
    pub(crate) subject: Subject,
    /// The field in it, like `key_names, header`. Empty: all of it.
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) advice: Option<String>,
    /// A text that was given where a scope should be. It may be the id of a product
    /// or an API, and is never shown otherwise.
    pub(crate) scope: Option<String>,
}

impl Note {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            source: 0,
            at,
            subject: Subject::Nothing,
            field: String::new(),
            message: message.into(),
            advice: None,
            scope: None,
        }
    }

    /// The document is newer than this reader.
    pub(crate) fn newer(format: u64) -> Self {
        let what = format!(
            "format: this document has format {format}, and {FORMAT} is the highest that can be read"
        );
        Self {
            advice: Some("update this service".into()),
            ..Self::new(0, what)
        }
    }
}

/// Problems in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) list: Vec<Note>,
    pub(crate) more: usize,
}

impl Notes {
    pub(crate) fn push(&mut self, at: usize, message: impl Into<String>) {
        self.add(Note::new(at, message));
    }

    pub(crate) fn add(&mut self, note: Note) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.list.push(note);
        }
    }

    pub(crate) fn extend(&mut self, notes: impl IntoIterator<Item = Note>) {
        notes.into_iter().for_each(|note| self.add(note));
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_NOTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.more == 0
    }
}
