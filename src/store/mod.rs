//! Sources of subscriptions: the [`SubscriptionStore`] trait, and the stores
//! of this crate.
//!
//! | store | for |
//! |---|---|
//! | [`MemoryStore`] | catalogs made in code, changed live through methods |
//! | `FileStore` (feature `file`) | a catalog file, watched for changes |
//! | `CachedStore` (feature `cache`) | any slow store behind a bounded cache |
//! | `HttpStore` (feature `http`) | a whole catalog fetched over HTTP and kept up to date |
//! | `HttpLookupStore` (feature `http`) | keys looked up over HTTP one by one |
//! | `RedisStore` (feature `redis`) | many instances: a catalog in Redis, changes pushed to each of them |
//! | `SqlStore` (feature `sqlite` or `postgres`) | many instances: a database that [`manage`](crate::guide::manage) changes, copied into memory |
//! | `SqlLookupStore` (feature `sqlite` or `postgres`) | the same database if it is larger than memory |
//! | [`BoxStore`] | a store chosen at run time |
//! | your own | everything else: one `async fn` |
//!
//! # A store of your own
//!
//! ```
//! use std::collections::HashMap;
//! use std::convert::Infallible;
//! use std::sync::Arc;
//! use tower_subscription_key::catalog::{KeyOwner, KeySlot, Subscription};
//! use tower_subscription_key::store::SubscriptionStore;
//! use tower_subscription_key::KeyDigest;
//!
//! struct Partners(HashMap<KeyDigest, Arc<Subscription>>);
//!
//! impl SubscriptionStore for Partners {
//!     type Error = Infallible;
//!
//!     async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
//!         let partner = self.0.get(key);
//!         Ok(partner.map(|partner| KeyOwner::new(partner.clone(), KeySlot::Primary)))
//!     }
//! }
//! ```
//!
//! This store knows keys only. The APIs and products that its subscriptions refer to
//! are set on the layer: [`catalog`](crate::SubscriptionKeyLayer::catalog) or
//! [`single_api`](crate::SubscriptionKeyLayer::single_api).
//!
//! [`SubscriptionStore`] lists the requirements for a store.
//! The feature `conformance` has a test suite that checks them for your own store.

#[cfg(any(feature = "cache", feature = "http", feature = "sql"))]
pub(crate) mod backoff;
mod boxed;
#[cfg(feature = "cache")]
mod cached;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "cache")]
mod invalidation;
mod memory;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "file", feature = "http", feature = "redis", feature = "sql"))]
pub(crate) mod replica;
#[cfg(any(feature = "http", feature = "sql"))]
pub(crate) mod save;
#[cfg(feature = "document")]
pub mod snapshot;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;

use std::future::Future;
use std::sync::Arc;

use crate::access::Access;
use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;

pub use boxed::{BoxStore, BoxStoreError};
#[cfg(feature = "cache")]
pub use cached::{CacheConfigError, CacheStats, CachedStore, CachedStoreBuilder, CachedStoreError};
#[cfg(feature = "cache")]
pub use invalidation::Invalidation;
pub use memory::MemoryStore;
#[cfg(any(feature = "file", feature = "http", feature = "redis", feature = "sql"))]
pub use replica::{CatalogUnavailable, Origin, StoreStatus};

/// A source of subscriptions: looks up the subscription that owns a key.
///
/// To choose a store at run time, use [`BoxStore`]: `Arc<dyn SubscriptionStore>`
/// does not exist, because [`find`](Self::find) is an `async fn`.
///
/// Only [`find`](Self::find) is required. A store that also knows APIs and products
/// implements [`holdings`](Self::holdings). If it also knows to which version of these
/// an answer belongs, it implements [`lookup`](Self::lookup). A store that keeps
/// answers in memory implements [`lookup_cached`](Self::lookup_cached).
///
/// Implementations must
///
/// - return an error if they cannot answer, never `None`: `None` denies a caller
///   with a good key;
/// - return a subscription in any state: the decision denies one that is not active,
///   and the log gives the reason;
/// - accept any digest: it is computed from untrusted input;
/// - tolerate cancellation: the future of a lookup is dropped when the client
///   disconnects;
/// - update what [`holdings`](Self::holdings) returns before they return an owner from
///   a newer version of the APIs and products, or add this version to the answer
///   ([`Answer::with_definitions`]).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store of subscriptions",
    label = "not a `SubscriptionStore`",
    note = "use `MemoryStore`, `FileStore` or `BoxStore`, or implement `SubscriptionStore`: \
            its one required method is `async fn find`"
)]
pub trait SubscriptionStore: Send + Sync + 'static {
    /// Why the store cannot answer. It never means "no such key".
    type Error: std::error::Error + Send + Sync + 'static;

    /// The subscription that owns the key, or `None` if no subscription has it.
    ///
    /// # Errors
    ///
    /// If the store cannot answer. The client then gets a 503.
    fn find(
        &self,
        key: &KeyDigest,
    ) -> impl Future<Output = Result<Option<KeyOwner>, Self::Error>> + Send;

    /// Same as [`find`](Self::find), with the definitions (APIs and products) that the
    /// answer belongs to, if the store knows them. The layer calls this method if the
    /// catalog in memory does not have all keys and
    /// [`lookup_cached`](Self::lookup_cached) has no answer that it can use.
    ///
    /// A request is decided on one version of the catalog. If an answer carries
    /// definitions, the request is decided on these. If it carries none, it is used
    /// only if [`holdings`](Self::holdings) still returns the same definitions as
    /// before the lookup. Otherwise the key is looked up again. After four lookups in
    /// total, the client gets a 503. Definitions that are set on the layer never
    /// change.
    ///
    /// Default: the answer of [`find`](Self::find), without definitions.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find).
    fn lookup(&self, key: &KeyDigest) -> impl Future<Output = Result<Answer, Self::Error>> + Send {
        async { Ok(Answer::new(self.find(key).await?)) }
    }

    /// Non-blocking lookup: returns the answer if it is already in memory, and
    /// `None` if a [`lookup`](Self::lookup) is needed. A request that is answered here
    /// does not wait, and its lookup allocates nothing.
    ///
    /// Default: `None`.
    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        let _ = key;
        None
    }

    /// What the store holds in memory. The layer calls this method first for every
    /// request.
    ///
    /// Default: [`Holdings::Keys`].
    ///
    /// # Errors
    ///
    /// If the store knows APIs and products but cannot return them, for example
    /// because it never reached its source. The client then gets a 503.
    fn holdings(&self) -> Result<Holdings, Self::Error> {
        Ok(Holdings::Keys)
    }

    /// Records an allowed request. The layer calls this method for each one.
    ///
    /// Implementations must return at once and not allocate. A store that reports the
    /// last use of keys notes the use in memory here and writes it later.
    ///
    /// Default: does nothing.
    fn record_use(&self, access: &Access) {
        let _ = access;
    }
}

/// The answer of a store about a key: the key owner, if there is one, and the
/// definitions that the answer belongs to, if the store knows them.
#[derive(Debug, Clone)]
pub struct Answer {
    owner: Option<KeyOwner>,
    definitions: Option<Arc<Catalog>>,
}

impl Answer {
    /// An answer without definitions. `None`: no subscription has the key.
    #[must_use]
    pub fn new(owner: Option<KeyOwner>) -> Self {
        Self {
            owner,
            definitions: None,
        }
    }

    /// Adds the APIs and products that the answer belongs to. Subscriptions in this
    /// catalog are ignored.
    #[must_use]
    pub fn with_definitions(mut self, definitions: Arc<Catalog>) -> Self {
        self.definitions = Some(definitions);
        self
    }

    /// The owner of the key.
    #[must_use]
    pub fn owner(&self) -> Option<&KeyOwner> {
        self.owner.as_ref()
    }

    /// Same as [`owner`](Self::owner), by value.
    #[must_use]
    pub fn into_owner(self) -> Option<KeyOwner> {
        self.owner
    }

    /// The APIs and products that the answer belongs to.
    #[must_use]
    pub fn definitions(&self) -> Option<&Arc<Catalog>> {
        self.definitions.as_ref()
    }

    pub(crate) fn into_parts(self) -> (Option<KeyOwner>, Option<Arc<Catalog>>) {
        (self.owner, self.definitions)
    }
}

/// What a store holds in memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Holdings {
    /// Keys only. The APIs and products are set on the layer.
    Keys,
    /// APIs and products. Subscriptions are looked up one by one.
    ///
    /// Until they change, return the same catalog or a clone of it: a catalog that is
    /// built again counts as another version, even if it is equal.
    Definitions(Arc<Catalog>),
    /// Everything: no key is looked up, because the catalog has them all.
    Everything(Arc<Catalog>),
}

/// Forwards every method to the shared store.
impl<S: SubscriptionStore> SubscriptionStore for Arc<S> {
    type Error = S::Error;

    fn find(
        &self,
        key: &KeyDigest,
    ) -> impl Future<Output = Result<Option<KeyOwner>, Self::Error>> + Send {
        S::find(self, key)
    }

    fn lookup(&self, key: &KeyDigest) -> impl Future<Output = Result<Answer, Self::Error>> + Send {
        S::lookup(self, key)
    }

    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        S::lookup_cached(self, key)
    }

    fn holdings(&self) -> Result<Holdings, Self::Error> {
        S::holdings(self)
    }

    fn record_use(&self, access: &Access) {
        S::record_use(self, access);
    }
}
