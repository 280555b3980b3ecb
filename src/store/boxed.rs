use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::access::Access;
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::{Answer, Holdings, SubscriptionStore};

/// Any store, chosen at run time.
///
/// ```
/// use tower_subscription_key::catalog::{Api, Catalog};
/// use tower_subscription_key::{BoxStore, MemoryStore, SubscriptionKeyLayer};
///
/// let catalog = Catalog::builder().api(Api::new("echo", "/echo")).build()?;
/// let store: BoxStore = BoxStore::new(MemoryStore::new(catalog));
/// let keys: SubscriptionKeyLayer<BoxStore> = SubscriptionKeyLayer::new(store);
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
pub struct BoxStore(Box<dyn DynStore>);

impl BoxStore {
    /// Boxes a store.
    pub fn new(store: impl SubscriptionStore) -> Self {
        Self(Box::new(store))
    }
}

impl fmt::Debug for BoxStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxStore(..)")
    }
}

/// The error of the store in the box, which is its [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[error("the store could not answer")]
pub struct BoxStoreError(#[source] Box<dyn Error + Send + Sync>);

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The object-safe form of [`SubscriptionStore`].
trait DynStore: Send + Sync {
    fn lookup<'a>(&'a self, key: &'a KeyDigest) -> BoxFuture<'a, Result<Answer, BoxStoreError>>;
    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer>;
    fn holdings(&self) -> Result<Holdings, BoxStoreError>;
    fn record_use(&self, access: &Access);
}

fn boxed(error: impl Error + Send + Sync + 'static) -> BoxStoreError {
    BoxStoreError(Box::new(error))
}

impl<S: SubscriptionStore> DynStore for S {
    fn lookup<'a>(&'a self, key: &'a KeyDigest) -> BoxFuture<'a, Result<Answer, BoxStoreError>> {
        Box::pin(async move { SubscriptionStore::lookup(self, key).await.map_err(boxed) })
    }

    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        SubscriptionStore::lookup_cached(self, key)
    }

    fn holdings(&self) -> Result<Holdings, BoxStoreError> {
        SubscriptionStore::holdings(self).map_err(boxed)
    }

    fn record_use(&self, access: &Access) {
        SubscriptionStore::record_use(self, access);
    }
}

impl SubscriptionStore for BoxStore {
    type Error = BoxStoreError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, BoxStoreError> {
        Ok(self.0.lookup(key).await?.into_owner())
    }

    async fn lookup(&self, key: &KeyDigest) -> Result<Answer, BoxStoreError> {
        self.0.lookup(key).await
    }

    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        self.0.lookup_cached(key)
    }

    fn holdings(&self) -> Result<Holdings, BoxStoreError> {
        self.0.holdings()
    }

    fn record_use(&self, access: &Access) {
        self.0.record_use(access);
    }
}
