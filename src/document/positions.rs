use crate::catalog::{Entity, Field};
use crate::document::error::{DocumentError, Position};
use crate::document::findings::Document;
use crate::document::reader::{List, Rules};
use crate::document::{Format, Source, read, utf8};

/// The positions of all entries and fields of a document that is accepted, to say
/// where something about them was found.
///
/// ```
/// use tower_subscription_key::catalog::{Entity, Field};
/// use tower_subscription_key::document::{Format, Positions};
///
/// # #[cfg(feature = "toml")] {
/// let positions = Positions::of("[[apis]]\nid = 'echo'\npath = '/echo'\n", Format::Toml)?;
/// let echo = Entity::Api { index: 0, id: "echo".into() };
/// let path = positions.find(&echo, Field::Path).map(|found| (found.line, found.column));
/// assert_eq!(path, Some((3, 8)));
/// # }
/// # Ok::<(), tower_subscription_key::document::DocumentError>(())
/// ```
pub struct Positions<'t> {
    document: Document<'t>,
    /// For each list, where its entries are.
    entries: [Vec<usize>; 3],
}

impl<'t> Positions<'t> {
    /// Reads the positions of a document.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] if the document is not UTF-8. Of a document that
    /// [`parse`](super::parse) refuses, not all positions are known.
    pub fn of(
        document: &'t (impl AsRef<[u8]> + ?Sized),
        format: Format,
    ) -> Result<Self, DocumentError> {
        let source = Source::new("", format, document.as_ref());
        let text = utf8(&source)?;
        let (read, tree) = read(format, text, Rules::of_machine());
        Ok(Self {
            document: Document::new(&source, text, tree),
            entries: read.places,
        })
    }

    /// Returns the position of a field, or of the entry if the field is not there.
    /// `None` if there is no such entry.
    #[must_use]
    pub fn find(&self, entity: &Entity, field: Field) -> Option<Position> {
        let (list, index) = match entity {
            Entity::Api { index, .. } => (List::Apis, *index),
            Entity::Product { index, .. } => (List::Products, *index),
            Entity::Subscription { index, .. } => (List::Subscriptions, *index),
            _ => return None,
        };
        let at = *self.entries[list as usize].get(index)?;
        let entry = self.document.entry(list, at)?;
        self.document.position(&entry, field)
    }
}

/// Prints no text: it may hold keys.
impl std::fmt::Debug for Positions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Positions").finish_non_exhaustive()
    }
}
