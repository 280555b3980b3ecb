use std::fmt;

use crate::words::words;

words! {
    /// The kinds of records.
    #[non_exhaustive]
    pub enum RecordKind: "a kind of record" {
        /// An API.
        Api = "api",
        /// A product.
        Product = "product",
        /// A subscription.
        Subscription = "subscription",
        /// The catalog as a whole: what an import was to change.
        Catalog = "catalog",
    }
}

/// A record by its kind and id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordRef {
    /// The kind.
    pub kind: RecordKind,
    /// The id.
    pub id: String,
}

impl RecordRef {
    /// The API with the given id.
    pub fn api(id: impl Into<String>) -> Self {
        Self::of(RecordKind::Api, id.into())
    }

    /// The product with the given id.
    pub fn product(id: impl Into<String>) -> Self {
        Self::of(RecordKind::Product, id.into())
    }

    /// The subscription with the given id.
    pub fn subscription(id: impl Into<String>) -> Self {
        Self::of(RecordKind::Subscription, id.into())
    }

    /// The catalog as a whole.
    pub(crate) fn catalog() -> Self {
        Self::of(RecordKind::Catalog, String::new())
    }

    fn of(kind: RecordKind, id: String) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == RecordKind::Catalog {
            return f.write_str("the catalog");
        }
        write!(f, "{} {:?}", self.kind, self.id)
    }
}
