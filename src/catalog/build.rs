use crate::catalog::definitions::Place;
use crate::catalog::packed::Packer;
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
    apis: Vec<Place<Api>>,
    products: Vec<Place<Product>>,
    subscriptions: Packer,
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

    /// Adds an API to a builder that stays in its place.
    pub fn push_api(&mut self, api: Api) {
        self.apis.push(api.into());
    }

    /// Adds a product to a builder that stays in its place.
    pub fn push_product(&mut self, product: Product) {
        self.products.push(product.into());
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
        self.apis.extend(other.apis);
        self.products.extend(other.products);
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
        if self.apis.is_empty() {
            issues.push(Issue {
                entity: Entity::Catalog,
                field: Field::Whole,
                kind: IssueKind::NoApis,
            });
        }
        let definitions = Definitions::build(self.apis, self.products, &mut issues);
        let subscriptions = self.subscriptions.finish(&definitions, &mut issues);
        CatalogError::check(issues)?;
        Ok(Catalog::new(definitions, subscriptions))
    }
}
