//! The quick way through a good JSON document: from its text straight into the
//! builder, without a tree, and in parts side by side where it is long.
//!
//! A million subscriptions are read in a fraction of the time and memory. It
//! explains nothing: at the first complaint everything is thrown away, and the
//! tree is asked. So it may refuse too much, but must never take what the tree
//! refuses.

mod entities;
mod key;
mod part;
mod parts;
mod values;

use std::convert::Infallible;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};

use crate::catalog::CatalogBuilder;
use crate::document::Environment;

use part::{Border, Part};
use values::OneOf;

pub(crate) use parts::PART_BYTES;
#[cfg(test)]
pub(super) use parts::cut;
#[cfg(feature = "file")]
pub(crate) use parts::last_cut;
#[cfg(feature = "file")]
pub(super) use parts::read as builder_of_parts;

/// Never seen by anyone.
const COMPLAINT: &str = "refused";

/// What is in the document, unless there is anything to complain about. The rules
/// between its entries are the builder's.
pub(super) fn builder(document: &[u8], environment: Environment<'_>) -> Option<CatalogBuilder> {
    builder_by(document, PART_BYTES, environment)
}

/// The same, in parts of about that many bytes.
pub(super) fn builder_by(
    document: &[u8],
    bytes: usize,
    environment: Environment<'_>,
) -> Option<CatalogBuilder> {
    if document.len() > 2 * bytes {
        let parts = parts::cut(document, bytes).map(Ok::<_, Infallible>);
        if let Ok(Some(builder)) = parts::read(parts, environment, |_, _| {}) {
            return Some(builder);
        }
        // It need not be the document: a guess where to cut it may have been wrong.
    }
    Part::read(document, Border::Document, environment)?.whole()
}

/// One table of the document while it is read.
trait Fields<'de>: Default {
    const NAMES: &'static [&'static str];

    /// Reads the value of the field at that place in `NAMES`. Each comes once.
    fn read<A: MapAccess<'de>>(
        &mut self,
        field: usize,
        map: &mut A,
        environment: Environment<'_>,
    ) -> Result<(), A::Error>;
}

/// An entry of one of the three lists.
trait Entry<'de>: Fields<'de> {
    /// `None` where something is missing, or too much.
    fn enter(self, builder: &mut CatalogBuilder) -> Option<()>;
}

/// Reads a table whose fields are all known and all different, into its place:
/// it is large, and would be copied from hand to hand.
struct Table<'e, 'f, F> {
    environment: Environment<'e>,
    fields: &'f mut F,
}

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Table<'_, '_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Table<'_, '_, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u32;
        while let Some(field) = map.next_key_seed(OneOf(F::NAMES))? {
            if seen & 1 << field != 0 {
                return Err(complaint());
            }
            seen |= 1 << field;
            self.fields.read(field, &mut map, self.environment)?;
        }
        Ok(())
    }
}

fn complaint<E: Error>() -> E {
    E::custom(COMPLAINT)
}
