use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::catalog::KeyOwner;
use crate::catalog::live::Live;
use crate::catalog::{Api, Catalog, CatalogError, Product, Subscription};
use crate::key::KeyDigest;
use crate::store::{Holdings, SubscriptionStore};

/// A catalog in memory, changed live through its methods.
///
/// A clone is another handle to the same store: give one to the layer and keep
/// one. Every change is a new version of the whole catalog; requests that are
/// under way finish on the one they met. A change that does not fit is refused
/// and changes nothing.
///
/// ```
/// use tower_subscription_key::catalog::{Api, Catalog, Scope, State, Subscription};
/// use tower_subscription_key::MemoryStore;
///
/// let store = MemoryStore::new(Catalog::builder().api(Api::new("echo", "/echo")).build()?);
/// let contoso = Subscription::new("contoso")
///     .with_scope(Scope::Api("echo".into()))
///     .with_primary_key("264a41411c0b43e782f483eb6f3eaeab");
/// store.put_subscription(contoso.clone())?;
/// store.put_subscription(contoso.with_state(State::Suspended))?;
/// assert!(store.remove_subscription("contoso"));
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    catalog: Live,
    packing: AtomicBool,
}

/// Below this many single changes, packing them saves requests nothing worth
/// the work.
const FEW_CHANGES: usize = 4096;

impl MemoryStore {
    /// A store that begins with that catalog.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        let shared = Shared {
            catalog: Live::new(catalog),
            packing: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The current version.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        self.shared.catalog.snapshot()
    }

    /// Puts another catalog in the place of the whole current one.
    pub fn replace(&self, catalog: Catalog) {
        self.shared.catalog.publish(catalog);
    }

    /// Adds a subscription, or puts it in the place of the one with its id.
    ///
    /// Takes some microseconds, however many subscriptions there are.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] where it breaks a rule, names an API or product that is
    /// not there, or has a key of another subscription.
    pub fn put_subscription(&self, subscription: Subscription) -> Result<(), CatalogError> {
        self.shared
            .update(|catalog| catalog.with_subscription(subscription))?;
        self.pack_many_changes();
        Ok(())
    }

    /// Removes a subscription. `false` where there is none with that id.
    pub fn remove_subscription(&self, id: &str) -> bool {
        let removed = self
            .shared
            .update(|catalog| catalog.without_subscription(id).ok_or(Absent));
        self.pack_many_changes();
        removed.is_ok()
    }

    /// Adds an API after the others, or puts it in the place of the one with its id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] where its id or path breaks a rule or another API has the path.
    pub fn put_api(&self, api: Api) -> Result<(), CatalogError> {
        self.shared.update(|catalog| catalog.with_api(api))
    }

    /// Removes an API. `Ok(false)` where there is none with that id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] where a product or a subscription still names it, or it is
    /// the only one: a catalog without any API is none.
    pub fn remove_api(&self, id: &str) -> Result<bool, CatalogError> {
        self.shared.remove(|catalog| catalog.without_api(id))
    }

    /// Adds a product after the others, or puts it in the place of the one with
    /// its id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] where its id breaks a rule, or it names an API that is not
    /// there or would be in a second open product.
    pub fn put_product(&self, product: Product) -> Result<(), CatalogError> {
        self.shared.update(|catalog| catalog.with_product(product))
    }

    /// Removes a product. `Ok(false)` where there is none with that id.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] where a subscription still names it.
    pub fn remove_product(&self, id: &str) -> Result<bool, CatalogError> {
        self.shared.remove(|catalog| catalog.without_product(id))
    }

    /// Single changes lie in a map beside the packed subscriptions. When they
    /// are many, a thread packs them, and only the changes that came meanwhile
    /// remain.
    fn pack_many_changes(&self) {
        let catalog = self.shared.catalog.snapshot();
        if catalog.change_count() <= FEW_CHANGES.max(catalog.packed_count() / 4)
            || self.shared.packing.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let packing = std::thread::Builder::new()
            .name("subscriptions-pack".into())
            .spawn(move || {
                shared.pack(&catalog);
                shared.packing.store(false, Ordering::Release);
            });
        if packing.is_err() {
            self.shared.packing.store(false, Ordering::Release);
        }
    }
}

struct Absent;

impl Shared {
    fn update<E>(&self, next: impl FnOnce(&Catalog) -> Result<Catalog, E>) -> Result<(), E> {
        self.catalog.update(next).map(drop)
    }

    fn remove(
        &self,
        next: impl FnOnce(&Catalog) -> Option<Result<Catalog, CatalogError>>,
    ) -> Result<bool, CatalogError> {
        let removed = self.catalog.update(|catalog| match next(catalog) {
            Some(next) => next.map_err(Some),
            None => Err(None),
        });
        match removed {
            Ok(_) => Ok(true),
            Err(None) => Ok(false),
            Err(Some(error)) => Err(error),
        }
    }

    fn pack(&self, before: &Catalog) {
        let packed = before.pack();
        let _: Result<(), Absent> = self.update(|now| now.repacked(before, &packed).ok_or(Absent));
    }
}

impl SubscriptionStore for MemoryStore {
    type Error = Infallible;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
        Ok(self.shared.catalog.owner(key))
    }

    fn holdings(&self) -> Result<Holdings, Infallible> {
        Ok(Holdings::Everything(self.shared.catalog.load()))
    }
}

#[cfg(test)]
mod tests;
