use std::fmt;

use crate::catalog::{Field, KeySlot};
use crate::document::explain::node::Node;

/// A field of an entry: `owner`, `scopes` at 2, or `primary_key` with `sha256` in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) field: &'static str,
    pub(crate) index: Option<usize>,
    pub(crate) inner: &'static str,
}

impl Place {
    pub(crate) fn of(field: &'static str) -> Self {
        Self {
            field,
            ..Self::default()
        }
    }

    pub(crate) fn at(self, index: usize) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }

    pub(crate) fn inside(self, inner: &'static str) -> Self {
        Self { inner, ..self }
    }

    /// The place of a field of the catalog in the entry.
    pub(crate) fn of_field(field: Field, entry: &Node) -> Self {
        match field {
            Field::Id => Self::of("id"),
            Field::DisplayName => Self::of("display_name"),
            Field::Metadata => Self::of("metadata"),
            Field::Path => Self::of("path"),
            Field::Apis(at) => Self::of("apis").at(at),
            Field::SubscriptionRequired => Self::of("subscription_required"),
            Field::Scope(at) => {
                let has = |field| entry.get(field).is_some_and(|node| !node.is_null());
                let before = usize::from(has("scope"));
                match has("scopes") {
                    true if at >= before => Self::of("scopes").at(at - before),
                    _ if before > 0 => Self::of("scope"),
                    _ => Self::default(),
                }
            }
            Field::Key(KeySlot::Primary) => Self::of("primary_key"),
            Field::Key(KeySlot::Secondary) => Self::of("secondary_key"),
            Field::RetiredKey(slot) => {
                let place = Self::of("retired_keys");
                // If a slot has several, the last one counts.
                let fits =
                    |key: &&Node| key.get("slot").and_then(Node::text) == Some(slot.as_str());
                let keys = entry
                    .get("retired_keys")
                    .into_iter()
                    .flat_map(Node::elements);
                let last = keys.enumerate().filter(|(_, key)| fits(key)).last();
                last.map_or(place, |(index, _)| place.at(index))
            }
            _ => Self::default(),
        }
    }

    /// The value there, or the closest one around it if it is missing.
    pub(crate) fn find(self, entry: &Node) -> &Node {
        let Some(mut node) = entry.get(self.field) else {
            return entry;
        };
        if let Some(index) = self.index {
            node = node.elements().nth(index).unwrap_or(node);
        }
        node.get(self.inner).unwrap_or(node)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field)?;
        match self.inner {
            "" => Ok(()),
            inner => write!(f, ", {inner}"),
        }
    }
}
