//! From what was read to a catalog, or to an error with the position of everything
//! that is wrong.

use std::collections::BTreeSet;
use std::path::Path;

use crate::catalog::{Catalog, CatalogError, Entity, EntityKind, Field, Issue, IssueKind};
use crate::document::Source;
use crate::document::error::{DocumentError, DocumentIssue, Position, file_name};
use crate::document::explain::{
    MAX_ENTRY_BYTES, MAX_NOTES, Node, Note, Notes, Place, Subject, Value, json, positions,
};
use crate::document::reader::{Read, list_name, skip};

/// A document that was read, as far as explaining it needs it.
pub(super) struct Document<'t> {
    pub(super) name: &'t Path,
    /// The text without a byte order mark.
    pub(super) text: &'t str,
    /// Its tree, if the format was read by way of one.
    pub(super) tree: Option<Node>,
}

/// Everything that is wrong with one or several documents, still without lines and
/// columns. It does not hold their entries.
#[derive(Default)]
pub(crate) struct Findings {
    notes: Vec<Note>,
    more: usize,
    relations: Vec<Issue>,
    /// For each document and list, where the entries are.
    places: Vec<[Vec<usize>; 3]>,
    /// The ids of APIs and of products.
    ids: [Vec<String>; 2],
}

/// Builds the catalog of what was read.
pub(super) fn build(reads: Vec<Read>) -> Result<(Catalog, BTreeSet<String>), Box<Findings>> {
    let mut builder = Catalog::builder();
    let mut ignored = BTreeSet::new();
    let mut findings = Findings::default();
    for (source, read) in reads.into_iter().enumerate() {
        if let Some(newer) = read.newer {
            // Nothing else that is found in it says anything.
            let newer = Note {
                source,
                ..Note::newer(newer)
            };
            let notes = vec![newer];
            return Err(Box::new(Findings {
                notes,
                ..Findings::default()
            }));
        }
        findings.more += read.notes.more;
        let notes = read.notes.list.into_iter();
        findings
            .notes
            .extend(notes.map(|note| Note { source, ..note }));
        findings.places.push(read.places);
        ignored.extend(read.ignored);
        builder.append(read.builder);
    }
    findings.ids = builder.definition_ids();
    match builder.build() {
        Ok(catalog) if findings.notes.is_empty() && findings.more == 0 => {
            return Ok((catalog, ignored));
        }
        Ok(_) => {}
        Err(error) => findings.relate(&error),
    }
    Err(Box::new(findings))
}

impl Findings {
    pub(super) fn of(notes: Notes) -> Self {
        Self {
            notes: notes.list,
            more: notes.more,
            ..Self::default()
        }
    }

    fn relate(&mut self, error: &CatalogError) {
        let issues = error.issues().iter();
        // That something could not be read was noted before.
        let is_noted = !self.notes.is_empty();
        let issues = issues.filter(|issue| !is_noted || issue.kind != IssueKind::Incomplete);
        let left = MAX_NOTES.saturating_sub(self.notes.len());
        self.relations = issues.clone().take(left).cloned().collect();
        self.more += issues.count() - self.relations.len() + error.more();
    }

    /// Says where everything is. The documents are those that were read.
    pub(super) fn explain(mut self, documents: &[Document<'_>]) -> DocumentError {
        let relations = self.relations.iter();
        let relations = relations.filter_map(|issue| self.note(issue, documents));
        let mut notes: Vec<Note> = relations.collect();
        notes.extend(std::mem::take(&mut self.notes));
        notes.sort_by_key(|note| (note.source, note.at));
        let mut issues = Vec::with_capacity(notes.len());
        for (source, document) in documents.iter().enumerate() {
            let file = file_name(document.name);
            let own = || notes.iter().filter(|note| note.source == source);
            let positions = positions(document.text, own().map(|note| note.at));
            for (note, position) in own().zip(positions) {
                issues.push(DocumentIssue {
                    file: file.clone(),
                    position,
                    subject: note.subject.to_string(),
                    field: note.field.clone(),
                    message: note.message.clone(),
                    advice: self.advice(note),
                });
            }
        }
        DocumentError {
            issues,
            more: self.more,
        }
    }

    /// The advice of a note. A text in the place of a scope is shown if it is the id
    /// of something.
    fn advice(&self, note: &Note) -> Option<String> {
        let text = note.scope.as_deref();
        let scope = text.and_then(|text| {
            let mut both = self.ids.iter().zip(["/apis/", "/products/"]).rev();
            let (_, kind) = both.find(|(ids, _)| ids.iter().any(|id| id == text))?;
            Some(format!("did you mean `{kind}{text}`?"))
        });
        scope.or_else(|| note.advice.clone())
    }

    /// The issue as a note.
    fn note(&self, issue: &Issue, documents: &[Document<'_>]) -> Option<Note> {
        let Some(Entity { kind, index, .. }) = issue.entity else {
            let at = documents.first()?.list_at(EntityKind::Api);
            return Some(Note::new(at, issue.kind.to_string()));
        };
        let (source, place, entry) = self.entry(kind, index, documents)?;
        let field = Place::of_field(issue.field, &entry);
        let mut message = issue.kind.to_string();
        if names_another(&issue.kind) {
            message = message.replace("\"\"", "without id");
        }
        Some(Note {
            source,
            subject: Subject::entry(kind, place, &entry),
            field: field.to_string(),
            ..Note::new(field.find(&entry).at, message)
        })
    }

    /// The entry of the builder at that index: its document, its place in the list
    /// there, and its tree.
    fn entry(
        &self,
        list: EntityKind,
        mut index: usize,
        documents: &[Document<'_>],
    ) -> Option<(usize, usize, Node)> {
        for (source, places) in self.places.iter().enumerate() {
            let own = &places[list as usize];
            match own.get(index) {
                None => index -= own.len(),
                Some(at) => {
                    let entry = documents.get(source)?.entry(list, *at)?;
                    return Some((source, index, entry));
                }
            }
        }
        None
    }
}

/// Whether the text names another entry, which may have no id.
fn names_another(kind: &IssueKind) -> bool {
    matches!(
        kind,
        IssueKind::DuplicatePath { .. }
            | IssueKind::SamePathReading { .. }
            | IssueKind::SecondOpenProduct { .. }
            | IssueKind::DuplicateKey { .. }
    )
}

impl<'t> Document<'t> {
    pub(super) fn new(source: &Source<'t>, text: &'t str, tree: Option<Node>) -> Self {
        let name = source.name;
        Self { name, text, tree }
    }

    /// The tree of the entry at that place: a byte, or a place in the tree's list.
    pub(super) fn entry(&self, list: EntityKind, at: usize) -> Option<Node> {
        if let Some(tree) = &self.tree {
            return tree.get(list_name(list))?.list().get(at).cloned();
        }
        self.json_entry(at)
    }

    fn json_entry(&self, at: usize) -> Option<Node> {
        let text = self.text.get(at..)?;
        let text = text.get(..skip(text).ok()?)?;
        if text.len() > MAX_ENTRY_BYTES {
            return Some(Node::new(at, Value::Table(Vec::new())));
        }
        let mut notes = Notes::default();
        json::part(text, at, &mut notes)
    }

    /// Where the list is, or else the document.
    fn list_at(&self, list: EntityKind) -> usize {
        let tree = self.tree.as_ref();
        let list = tree.and_then(|tree| tree.get(list_name(list)));
        list.or(tree).map_or(0, |node| node.at)
    }

    /// The position of a field of the entry.
    pub(super) fn position(&self, entry: &Node, field: Field) -> Option<Position> {
        let at = Place::of_field(field, entry).find(entry).at;
        positions(self.text, [at]).into_iter().next()
    }
}
