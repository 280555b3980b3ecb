use hashbrown::HashSet;

use crate::catalog::{EntityKind, Field};

/// An API, product or subscription that may have been read only in part.
///
/// A required field that is missing, or a field that cannot be read, is *unread*: the
/// reader reports it, and the rules skip it and check the rest. The value then has an
/// arbitrary content in this field. A single element of a list can be unread, too: it
/// keeps its position.
#[derive(Debug)]
pub(crate) struct Draft<T> {
    pub(crate) value: T,
    pub(crate) unread: Vec<Field>,
}

impl<T> From<T> for Draft<T> {
    fn from(value: T) -> Self {
        let unread = Vec::new();
        Self { value, unread }
    }
}

/// The parts of a catalog that could not be read, for the rules between entities.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    fields: HashSet<(EntityKind, usize, Field)>,
    /// Ids are unknown, so that a reference to an unknown id is no finding.
    api_ids: bool,
    product_ids: bool,
    anything: bool,
}

impl Unread {
    pub(crate) fn insert(&mut self, kind: EntityKind, index: usize, fields: Vec<Field>) {
        for field in fields {
            self.anything = true;
            if field == Field::Id {
                self.insert_ids(kind);
            }
            self.fields.insert((kind, index, field));
        }
    }

    /// A whole list, or an entry of it, could not be read.
    pub(crate) fn insert_ids(&mut self, kind: EntityKind) {
        self.anything = true;
        match kind {
            EntityKind::Api => self.api_ids = true,
            EntityKind::Product => self.product_ids = true,
            EntityKind::Subscription => {}
        }
    }

    /// Takes what another builder could not read. Its lists come behind the own ones.
    pub(crate) fn append(&mut self, other: Self, first: impl Fn(EntityKind) -> usize) {
        self.api_ids |= other.api_ids;
        self.product_ids |= other.product_ids;
        self.anything |= other.anything;
        let fields = other.fields.into_iter();
        let moved = fields.map(|(kind, index, field)| (kind, index + first(kind), field));
        self.fields.extend(moved);
    }

    pub(crate) fn contains(&self, kind: EntityKind, index: usize, field: Field) -> bool {
        !self.fields.is_empty() && self.fields.contains(&(kind, index, field))
    }

    pub(crate) fn lacks_api_ids(&self) -> bool {
        self.api_ids
    }

    pub(crate) fn lacks_product_ids(&self) -> bool {
        self.product_ids
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.anything
    }
}
