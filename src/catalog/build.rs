use crate::catalog::error::Issues;
use crate::catalog::packed::Packer;
use crate::catalog::places::Places;
use crate::catalog::validate::{self, Draft, Unread};
use crate::catalog::{
    Api, Catalog, CatalogError, Definitions, Entity, EntityKind, Issue, IssueKind, Product,
    Subscription,
};

/// Builds a [`Catalog`]. Made by [`Catalog::builder`].
///
/// The order of calls is the order of the catalog. A product may name APIs, and a
/// subscription products, that come later.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct CatalogBuilder {
    apis: Places<Api>,
    products: Places<Product>,
    subscriptions: Packer,
    allows_no_apis: bool,
    unread: Unread,
    issues: Issues,
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

    /// Adds an API to a borrowed builder.
    pub fn push_api(&mut self, api: Api) {
        self.push_api_draft(api.into());
    }

    /// Adds a product to a borrowed builder.
    pub fn push_product(&mut self, product: Product) {
        self.push_product_draft(product.into());
    }

    /// Adds a subscription to a borrowed builder.
    ///
    /// It is packed at once: a million of them never lie in memory unpacked.
    pub fn push_subscription(&mut self, subscription: Subscription) {
        self.push_subscription_draft(subscription.into());
    }

    /// Adds an API of which some fields could not be read.
    pub(crate) fn push_api_draft(&mut self, api: Draft<Api>) {
        let index = self.apis.len();
        let findings = validate::api(&api.value, &api.unread);
        let entity = || Entity::new(EntityKind::Api, index, api.value.id());
        self.issues.extend(findings, entity);
        self.unread.insert(EntityKind::Api, index, api.unread);
        self.apis.push(api.value);
    }

    /// Adds a product of which some fields could not be read.
    pub(crate) fn push_product_draft(&mut self, product: Draft<Product>) {
        let index = self.products.len();
        let findings = validate::product(&product.value, &product.unread);
        let entity = || Entity::new(EntityKind::Product, index, product.value.id());
        self.issues.extend(findings, entity);
        self.unread
            .insert(EntityKind::Product, index, product.unread);
        self.products.push(product.value);
    }

    /// Adds a subscription of which some fields could not be read.
    pub(crate) fn push_subscription_draft(&mut self, subscription: Draft<Subscription>) {
        let index = self.subscriptions.len();
        let findings = validate::subscription(&subscription.value, &subscription.unread);
        let entity = || Entity::new(EntityKind::Subscription, index, subscription.value.id());
        self.issues.extend(findings, entity);
        self.unread
            .insert(EntityKind::Subscription, index, subscription.unread);
        self.subscriptions
            .push(&subscription.value, &mut self.issues);
    }

    /// Notes that a whole list, or an entry of it, could not be read.
    #[cfg(feature = "document")]
    pub(crate) fn lacks(&mut self, kind: EntityKind) {
        self.unread.insert_ids(kind);
    }

    /// How many APIs, products and subscriptions there are.
    #[cfg(feature = "document")]
    pub(crate) fn len(&self) -> usize {
        self.apis.len() + self.products.len() + self.subscriptions.len()
    }

    /// The ids of the APIs and of the products.
    #[cfg(feature = "document")]
    pub(crate) fn definition_ids(&self) -> [Vec<String>; 2] {
        let apis = self.apis.in_order().map(|(_, api)| api.id().to_owned());
        let products = self.products.in_order();
        let products = products.map(|(_, product)| product.id().to_owned());
        [apis.collect(), products.collect()]
    }

    /// Adds everything that is in another builder.
    #[cfg(feature = "document")]
    pub(crate) fn append(&mut self, other: Self) {
        let first = |kind| match kind {
            EntityKind::Api => self.apis.len(),
            EntityKind::Product => self.products.len(),
            EntityKind::Subscription => self.subscriptions.len(),
        };
        self.issues.append(other.issues.moved(first));
        self.unread.append(other.unread, first);
        self.apis.append(other.apis);
        self.products.append(other.products);
        self.subscriptions
            .append(other.subscriptions, &mut self.issues);
    }

    /// The catalog, if everything in it fits together.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] with every issue at once: invalid or repeated ids, invalid
    /// or equal paths, references to what does not exist, a second open product
    /// for an API, invalid, missing or repeated keys, metadata beyond its limits,
    /// and no API at all.
    pub fn build(self) -> Result<Catalog, CatalogError> {
        let mut issues = self.issues;
        if self.apis.len() == 0 && !self.allows_no_apis && !self.unread.lacks_api_ids() {
            issues.push(Issue::of_catalog(IssueKind::NoApis));
        }
        let definitions = Definitions::build(self.apis, self.products, &self.unread, &mut issues);
        let packed = self
            .subscriptions
            .finish(&definitions, &self.unread, &mut issues);
        if issues.is_empty() && !self.unread.is_empty() {
            issues.push(Issue::of_catalog(IssueKind::Incomplete));
        }
        issues.sort();
        issues.into_result()?;
        Ok(Catalog::new(definitions, packed, self.allows_no_apis))
    }
}
