use crate::catalog::packed::Packer;
use crate::catalog::places::Places;
use crate::catalog::{
    Api, Catalog, CatalogError, Definitions, Entity, Field, Issue, IssueKind, Product, Subscription,
};

/// Puts a [`Catalog`] together. Made by [`Catalog::builder`].
///
/// The order of calls is the order of the catalog; a product may name APIs, and
/// a subscription products, that come later.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct CatalogBuilder {
    apis: Places<Api>,
    products: Places<Product>,
    subscriptions: Packer,
    allows_no_apis: bool,
}

impl CatalogBuilder {
    /// Adds an API.
    pub fn api(mut self, api: Api) -> Self {
        self.push_api(api);
        self
    }

    /// Adds a product.
    pub fn product(mut self, product: Product) -> Self {
        self.push_product(product);
        self
    }

    /// Adds a subscription.
    pub fn subscription(mut self, subscription: Subscription) -> Self {
        self.push_subscription(subscription);
        self
    }

    /// Accepts a catalog without any API, which denies every request.
    ///
    /// Default: a catalog without APIs is refused, because it is more often an
    /// emptied file than meant. A database begins without any.
    pub fn allow_no_apis(mut self) -> Self {
        self.allows_no_apis = true;
        self
    }

    /// Adds an API to a builder that stays in its place.
    pub fn push_api(&mut self, api: Api) {
        self.apis.push(api);
    }

    /// Adds a product to a builder that stays in its place.
    pub fn push_product(&mut self, product: Product) {
        self.products.push(product);
    }

    /// Adds a subscription to a builder that stays in its place.
    ///
    /// It is packed at once: of a million, none lies in memory unpacked.
    pub fn push_subscription(&mut self, subscription: Subscription) {
        self.subscriptions.push(subscription);
    }

    /// How many APIs, products and subscriptions there are.
    #[cfg(feature = "document")]
    pub(crate) fn len(&self) -> usize {
        self.apis.len() + self.products.len() + self.subscriptions.len()
    }

    /// Adds everything that is in another builder.
    #[cfg(feature = "document")]
    pub(crate) fn append(&mut self, other: Self) {
        self.apis.append(other.apis);
        self.products.append(other.products);
        self.subscriptions.append(other.subscriptions);
    }

    /// The catalog, if everything in it fits together.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] with every issue at once: ids that break the rule or
    /// repeat, dangling references, equal paths, a second open product for an
    /// API, keys that are too long, missing or repeated, and no API at all.
    pub fn build(self) -> Result<Catalog, CatalogError> {
        let mut issues = Vec::new();
        if self.apis.len() == 0 && !self.allows_no_apis {
            issues.push(Issue {
                entity: Entity::Catalog,
                field: Field::Whole,
                kind: IssueKind::NoApis,
            });
        }
        let definitions = Definitions::build(self.apis, self.products, &mut issues);
        let subscriptions = self.subscriptions.finish(&definitions, &mut issues);
        CatalogError::check(issues)?;
        Ok(Catalog::new(
            definitions,
            subscriptions,
            self.allows_no_apis,
        ))
    }
}
