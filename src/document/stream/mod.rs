//! The quick way through a good JSON document: from its text straight into the
//! builder, without a tree.
//!
//! A million subscriptions are read in a fraction of the time and memory. It
//! explains nothing: at the first complaint everything is thrown away, and the
//! tree is asked. So it may refuse too much, but must never take what the tree
//! refuses.

mod entities;
mod key;
mod values;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use crate::catalog::{Catalog, CatalogBuilder};
use crate::document::{Environment, LoadProgress, Progress};

use entities::{ApiFields, ProductFields, SubscriptionFields};
use values::OneOf;

/// Never seen by anyone.
const COMPLAINT: &str = "refused";

/// What is in the document, unless there is anything to complain about. The rules
/// between its entries are the builder's.
pub(super) fn builder(
    text: &str,
    environment: Environment<'_>,
    progress: Progress<'_>,
) -> Option<CatalogBuilder> {
    let mut builder = Catalog::builder();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let context = Context {
        text,
        environment,
        progress,
    };
    let document = Document {
        builder: &mut builder,
        context,
    };
    document.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(builder)
}

/// What reading needs besides the text that is next.
#[derive(Clone, Copy)]
struct Context<'e> {
    text: &'e str,
    environment: Environment<'e>,
    progress: Progress<'e>,
}

/// So many entries take some hundredths of a second.
const BETWEEN_REPORTS: u64 = 1 << 14;

impl Context<'_> {
    /// Tells how far the reading has come, now that the entry with that id is read.
    fn report(self, entries: u64, id: Option<&str>) {
        // An id without escapes is borrowed from the text, and tells its place.
        let place = id.map(|id| id.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr()));
        if let Some(read) = place.filter(|place| *place <= self.text.len()) {
            (self.progress)(LoadProgress {
                entries,
                read: read as u64,
                length: self.text.len() as u64,
            });
        }
    }
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
    fn id(&self) -> Option<&str>;

    /// `None` where something is missing, or too much.
    fn enter(self, builder: &mut CatalogBuilder) -> Option<()>;
}

/// Reads a table whose fields are all known and all different.
struct Table<'e, F> {
    environment: Environment<'e>,
    fields: F,
}

impl<'e, F: Default> Table<'e, F> {
    fn new(environment: Environment<'e>) -> Self {
        let fields = F::default();
        Self {
            environment,
            fields,
        }
    }
}

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Table<'_, F> {
    type Value = F;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<F, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Table<'_, F> {
    type Value = F;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<F, A::Error> {
        let mut seen = 0_u32;
        while let Some(field) = map.next_key_seed(OneOf(F::NAMES))? {
            if seen & 1 << field != 0 {
                return Err(complaint());
            }
            seen |= 1 << field;
            self.fields.read(field, &mut map, self.environment)?;
        }
        Ok(self.fields)
    }
}

fn complaint<E: Error>() -> E {
    E::custom(COMPLAINT)
}

/// What a document holds, in any order.
const LISTS: [&str; 3] = ["apis", "products", "subscriptions"];

struct Document<'b, 'e> {
    builder: &'b mut CatalogBuilder,
    context: Context<'e>,
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = [false; LISTS.len()];
        while let Some(list) = map.next_key_seed(OneOf(&LISTS))? {
            if std::mem::replace(&mut seen[list], true) {
                return Err(complaint());
            }
            let (builder, context) = (&mut *self.builder, self.context);
            match list {
                0 => map.next_value_seed(List::<ApiFields>::new(builder, context))?,
                1 => map.next_value_seed(List::<ProductFields>::new(builder, context))?,
                _ => map.next_value_seed(List::<SubscriptionFields>::new(builder, context))?,
            }
        }
        Ok(())
    }
}

/// A list of entries, each of which goes into the builder when it has ended.
struct List<'b, 'e, F> {
    builder: &'b mut CatalogBuilder,
    context: Context<'e>,
    entry: std::marker::PhantomData<F>,
}

impl<'b, 'e, F> List<'b, 'e, F> {
    fn new(builder: &'b mut CatalogBuilder, context: Context<'e>) -> Self {
        let entry = std::marker::PhantomData;
        Self {
            builder,
            context,
            entry,
        }
    }
}

impl<'de, F: Entry<'de>> DeserializeSeed<'de> for List<'_, '_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: Entry<'de>> Visitor<'de> for List<'_, '_, F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut entries = 0;
        let environment = self.context.environment;
        while let Some(entry) = list.next_element_seed(Table::<F>::new(environment))? {
            entries += 1;
            if entries % BETWEEN_REPORTS == 0 {
                self.context.report(entries, entry.id());
            }
            entry.enter(self.builder).ok_or_else(complaint)?;
        }
        Ok(())
    }
}
