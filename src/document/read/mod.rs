//! From the tree to the catalog: what each field must be, and then the rules
//! that hold between them.

mod entities;
mod fields;
mod key;
mod metadata;
mod owner;
mod rules;
mod time;

use crate::catalog::{Catalog, CatalogBuilder};
use crate::document::Environment;
use crate::document::error::Issues;
use crate::document::tree::Node;

use fields::{Fields, Kind, Subject};

pub(super) use key::{
    field as key_field, from_environment as key_from_environment, from_text as key_from_text,
};
pub(super) use owner::owner;
pub(super) use time::parse as time;

const APIS: &str = "apis";
const PRODUCTS: &str = "products";
const SUBSCRIPTIONS: &str = "subscriptions";

/// The catalog of that document. Issues may have been found even so.
pub(super) fn catalog(
    root: &Node,
    environment: Environment<'_>,
    issues: &mut Issues,
) -> Option<Catalog> {
    let mut reader = Reader {
        environment,
        issues,
        builder: Catalog::builder(),
        places: Places::default(),
    };
    reader.document(root)?;
    let Reader {
        builder, places, ..
    } = reader;
    match builder.build() {
        Ok(catalog) => Some(catalog),
        Err(error) => {
            rules::tell(&error, root, &places, issues);
            None
        }
    }
}

struct Reader<'e, 'i> {
    environment: Environment<'e>,
    issues: &'i mut Issues,
    builder: CatalogBuilder,
    places: Places,
}

/// Where in its list each entry of the builder stands. One that is no table is in
/// the document and not in the builder.
#[derive(Default)]
struct Places {
    apis: Vec<usize>,
    products: Vec<usize>,
    subscriptions: Vec<usize>,
}

impl Reader<'_, '_> {
    fn document(&mut self, root: &Node) -> Option<()> {
        let mut fields = Fields::of(Subject::document(), root, self.issues)?;
        fields.only(&[APIS, PRODUCTS, SUBSCRIPTIONS]);
        let apis = fields.list(APIS);
        let products = fields.list(PRODUCTS);
        let subscriptions = fields.list(SUBSCRIPTIONS);
        self.entries(Kind::Api, apis, Self::api);
        self.entries(Kind::Product, products, Self::product);
        self.entries(Kind::Subscription, subscriptions, Self::subscription);
        Some(())
    }

    /// Every entry goes into the builder as far as it could be read, the faulty
    /// ones too: what refers to them must not be refused because of them.
    fn entries(&mut self, kind: Kind, nodes: &[Node], read: fn(&mut Self, Subject<'_>, &Node)) {
        for (place, node) in nodes.iter().enumerate() {
            read(self, Subject::entry(kind, place, node), node);
        }
    }
}
