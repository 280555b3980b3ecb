use std::convert::Infallible;
use std::sync::Arc;

use crate::catalog::{
    Api, Catalog, CatalogError, Change, KeyOwner, Live, Product, Scope, Subscription,
    SubscriptionKey,
};
use crate::key::KeyDigest;
use crate::store::{Holdings, SubscriptionStore};

/// A catalog in memory, changed live through its methods.
///
/// A clone is another handle to the same store: give one to the layer and keep
/// one. Every change makes a new version of the whole catalog. Requests that are
/// in progress finish on the version that they began with. A change that breaks a
/// rule is refused and changes nothing.
///
/// ```
/// use tower_subscription_key::catalog::{Api, Catalog, Scope, State, Subscription};
/// use tower_subscription_key::MemoryStore;
///
/// let store = MemoryStore::new(Catalog::builder().api(Api::new("echo", "/echo")).build()?);
/// store.put_subscription(
///     Subscription::new("contoso")
///         .with_scope(Scope::api("echo"))
///         .with_primary_key("264a41411c0b43e782f483eb6f3eaeab"),
/// )?;
/// store.update_subscription("contoso", |contoso| contoso.with_state(State::Suspended))?;
/// assert!(store.remove_subscription("contoso"));
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    live: Arc<Live>,
}

impl MemoryStore {
    /// A store that begins with the given catalog.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        let live = Arc::new(Live::new(catalog));
        Self { live }
    }

    /// A store for a service with a single API, with a subscription for each name and
    /// key.
    ///
    /// The API has the id `api` and takes every path. The subscriptions have the
    /// scope `/apis`.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if two names or keys are equal, or one is invalid.
    ///
    /// ```
    /// use tower_subscription_key::MemoryStore;
    ///
    /// let store = MemoryStore::of_keys([
    ///     ("contoso", "264a41411c0b43e782f483eb6f3eaeab"),
    ///     ("fabrikam", "8c1d3a0de5b14b6a9a6f2f7a4d7e9b10"),
    /// ])?;
    /// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
    /// ```
    pub fn of_keys<N, K>(keys: impl IntoIterator<Item = (N, K)>) -> Result<Self, CatalogError>
    where
        N: Into<String>,
        K: Into<SubscriptionKey>,
    {
        let mut builder = Catalog::builder().api(Api::new("api", ""));
        for (name, key) in keys {
            let subscription = Subscription::new(name).with_scope(Scope::AllApis);
            builder.push_subscription(subscription.with_primary_key(key));
        }
        Ok(Self::new(builder.build()?))
    }

    /// The current version.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.live.load()
    }

    /// Replaces the whole catalog.
    pub fn replace(&self, catalog: Catalog) {
        self.live.publish(catalog);
    }

    /// Applies all changes as one new version, or none of them.
    ///
    /// A change to a subscription takes some microseconds, however many there
    /// are. From time to time, the changed subscriptions are packed with all
    /// others, which takes up to a second for each million. Requests never wait
    /// for it.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if the result breaks a rule. See [`Catalog::apply`].
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<(), CatalogError> {
        self.update(|_| Ok(changes))
    }

    /// Applies the changes that the closure derives from the current version.
    ///
    /// No other change comes between reading and changing: a rotation cannot undo
    /// a concurrent suspension. The closure must not change this
    /// store itself, which would wait for itself for ever.
    ///
    /// # Errors
    ///
    /// The closure's error, or a [`CatalogError`] if the result breaks a rule.
    /// Then nothing is changed.
    pub fn update<C, E>(&self, changes: impl FnOnce(&Catalog) -> Result<C, E>) -> Result<(), E>
    where
        C: IntoIterator<Item = Change>,
        E: From<CatalogError>,
    {
        let next = |catalog: &Catalog| Ok(catalog.apply(changes(catalog)?)?);
        self.live.update(next).map(drop)
    }

    /// Changes the subscription with the given id from its current version.
    /// Returns `false` if no such subscription exists.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if the result breaks a rule.
    pub fn update_subscription(
        &self,
        id: &str,
        change: impl FnOnce(Subscription) -> Subscription,
    ) -> Result<bool, CatalogError> {
        let mut found = false;
        self.update(|catalog| {
            let before = catalog.subscription(id);
            found = before.is_some();
            Ok(before.map(|before| Change::PutSubscription(change(before))))
        })?;
        Ok(found)
    }

    /// Adds a subscription, or replaces the one with its id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if it breaks a rule, names an unknown API or product, or
    /// has a key of another subscription.
    pub fn put_subscription(&self, subscription: Subscription) -> Result<(), CatalogError> {
        self.apply([Change::PutSubscription(subscription)])
    }

    /// Removes a subscription. Returns `false` if no subscription has the given id.
    pub fn remove_subscription(&self, id: &str) -> bool {
        let is_there = |catalog: &Catalog| catalog.has_subscription(id);
        let removed = self.remove(is_there, Change::RemoveSubscription(id.to_owned()));
        removed.unwrap_or(false)
    }

    /// Adds an API after the others, or replaces the one with its id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if its id or path breaks a rule, or another API has the path.
    pub fn put_api(&self, api: Api) -> Result<(), CatalogError> {
        self.apply([Change::PutApi(api)])
    }

    /// Removes an API. Returns `Ok(false)` if no API has the given id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if a product or a subscription still names it, or it is
    /// the only one.
    pub fn remove_api(&self, id: &str) -> Result<bool, CatalogError> {
        let is_there = |catalog: &Catalog| catalog.api(id).is_some();
        self.remove(is_there, Change::RemoveApi(id.to_owned()))
    }

    /// Adds a product after the others, or replaces the one with its id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if its id breaks a rule, it names an unknown API, or one
    /// of its APIs would be in two open products.
    pub fn put_product(&self, product: Product) -> Result<(), CatalogError> {
        self.apply([Change::PutProduct(product)])
    }

    /// Removes a product. Returns `Ok(false)` if no product has the given id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if a subscription still names it.
    pub fn remove_product(&self, id: &str) -> Result<bool, CatalogError> {
        let is_there = |catalog: &Catalog| catalog.product(id).is_some();
        self.remove(is_there, Change::RemoveProduct(id.to_owned()))
    }

    #[cfg(test)]
    fn pack(&self) {
        let _: Result<u64, Infallible> = self.live.update(|catalog| Ok(catalog.pack()));
    }

    fn remove(
        &self,
        is_there: impl FnOnce(&Catalog) -> bool,
        change: Change,
    ) -> Result<bool, CatalogError> {
        let mut found = false;
        self.update(|catalog| {
            found = is_there(catalog);
            Ok(found.then_some(change))
        })?;
        Ok(found)
    }
}

impl SubscriptionStore for MemoryStore {
    type Error = Infallible;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
        Ok(self.live.owner(key))
    }

    fn holdings(&self) -> Result<Holdings, Infallible> {
        Ok(Holdings::Everything(self.live.load()))
    }
}

#[cfg(test)]
mod tests;
