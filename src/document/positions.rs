use crate::catalog::{Entity, Field};
use crate::document::error::{DocumentError, Position};
use crate::document::findings::Document;
use crate::document::reader::Rules;
use crate::document::{Format, Source, read, utf8};

/// The positions of all entries and fields of a document that is accepted, to say
/// where something about them was found.
///
/// ```
/// use tower_subscription_key::catalog::{Entity, EntityKind, Field};
/// use tower_subscription_key::document::{Format, Positions};
///
/// # #[cfg(feature = "toml")] {
/// let positions = Positions::of("[[apis]]\nid = 'echo'\npath = '/echo'\n", Format::Toml)?;
/// let echo = Entity::new(EntityKind::Api, 0, "echo");
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
        let at = *self.entries[entity.kind as usize].get(entity.index)?;
        let entry = self.document.entry(entity.kind, at)?;
        self.document.position(&entry, field)
    }
}

/// Prints no text: it may hold keys.
impl std::fmt::Debug for Positions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Positions").finish_non_exhaustive()
    }
}
