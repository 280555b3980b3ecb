use std::fmt::Display;
use std::str::FromStr;
use std::time::SystemTime;

use crate::catalog::{Field, KeySlot, MAX_ID_CHARS, Scope};
use crate::document::explain::{NOTHING, Node, Note, Place, Subject};
use crate::document::schema::{Moment, Text};
use crate::document::time;

/// What is wrong with an entry that fits the schema.
pub(super) struct Problems<'n> {
    /// The entry, with the positions of everything in it.
    entry: &'n Node,
    subject: Subject,
    pub(super) notes: Vec<Note>,
    /// The fields that have no value because of them.
    pub(super) unread: Vec<Field>,
}

const ID_ADVICE: &str = "give it one, like `orders`";
pub(super) const SLOTS: &str = "a slot is `primary` or `secondary`";

impl<'n> Problems<'n> {
    /// For a reader that only asks whether there are any.
    pub(super) fn without_places() -> Self {
        Self::of(&NOTHING, Subject::Nothing)
    }

    pub(super) fn of(entry: &'n Node, subject: Subject) -> Self {
        Self {
            entry,
            subject,
            notes: Vec::new(),
            unread: Vec::new(),
        }
    }

    /// The problems of a table in it.
    pub(super) fn inside(&self, field: &'static str) -> Self {
        let table = Place::of(field).find(self.entry);
        Self::of(table, self.subject.clone())
    }

    /// Takes the notes about something inside a place as notes about the place.
    pub(super) fn extend(&mut self, place: Place, notes: Vec<Note>) {
        let (at, field) = (place.find(self.entry).at, place.to_string());
        let notes = notes.into_iter();
        self.notes.extend(notes.map(|note| Note {
            at,
            field: field.clone(),
            ..note
        }));
    }

    fn note(&self, place: Place, message: impl Display) -> Note {
        Note {
            subject: self.subject.clone(),
            field: place.to_string(),
            ..Note::new(place.find(self.entry).at, message.to_string())
        }
    }

    pub(super) fn add(&mut self, place: Place, message: impl Display) {
        self.notes.push(self.note(place, message));
    }

    pub(super) fn add_with(
        &mut self,
        place: Place,
        message: impl Display,
        advice: impl Into<String>,
    ) {
        let advice = Some(advice.into());
        let note = self.note(place, message);
        self.notes.push(Note { advice, ..note });
    }

    /// Whether the table at the place has one of the fields, with a value that does not
    /// fit the schema. The field is then not missing.
    pub(super) fn has_refused(&self, place: Place, fields: &[&str]) -> bool {
        let table = place.find(self.entry);
        let mut fields = fields.iter().filter_map(|field| table.get(field));
        fields.any(Node::is_refused)
    }

    pub(super) fn missing<T>(&mut self, place: Place, field: &str, advice: &str) -> Option<T> {
        if !self.has_refused(place, &[field]) {
            self.add_with(place, format!("`{field}` is missing"), advice);
        }
        None
    }

    pub(super) fn id(&mut self, id: Option<Text<'_>>) -> String {
        self.required(id, "id", Field::Id, ID_ADVICE)
    }

    /// The text of a field, or an empty one if it is missing.
    pub(super) fn required(
        &mut self,
        text: Option<Text<'_>>,
        name: &str,
        field: Field,
        advice: &str,
    ) -> String {
        let text = text.or_else(|| {
            self.unread.push(field);
            self.missing(Place::default(), name, advice)
        });
        text.map_or_else(String::new, |Text(text)| text.into_owned())
    }

    /// Adds a scope to the others. One that cannot be read keeps its place.
    pub(super) fn scope(&mut self, scopes: &mut Vec<Scope>, place: Place, text: &str) {
        let scope = text.parse().unwrap_or_else(|error| {
            let scope = (text.len() <= MAX_ID_CHARS).then(|| text.to_owned());
            let note = self.note(place, error);
            self.notes.push(Note { scope, ..note });
            self.unread.push(Field::Scope(scopes.len()));
            Scope::Service
        });
        scopes.push(scope);
    }

    /// Parses the text into a value.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        place: Place,
        text: &str,
    ) -> Option<T> {
        text.parse().map_err(|error| self.add(place, error)).ok()
    }

    pub(super) fn moment(&mut self, place: Place, moment: &Moment<'_>) -> Option<SystemTime> {
        let time = time::parse(&moment.0);
        time.map_err(|error| self.add(place, error)).ok()
    }

    pub(super) fn slot(&mut self, place: Place, slot: &str) -> Option<KeySlot> {
        let mut slots = [KeySlot::Primary, KeySlot::Secondary].into_iter();
        let slot = slots.find(|known| known.as_str() == slot);
        if slot.is_none() {
            self.add(place, SLOTS);
        }
        slot
    }
}
