use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::catalog::Catalog;

/// The version of a catalog that is in use.
#[derive(Debug)]
pub(super) struct CatalogCell(ArcSwap<Catalog>);

impl CatalogCell {
    pub(super) fn new(catalog: Catalog) -> Self {
        Self(ArcSwap::from_pointee(catalog))
    }

    pub(super) fn load(&self) -> Arc<Catalog> {
        self.0.load_full()
    }

    pub(super) fn store(&self, catalog: Catalog) {
        self.0.store(Arc::new(catalog));
    }
}
