//! Where subscriptions are kept: the [`SubscriptionStore`] trait, and the stores
//! of this crate.
//!
//! | store | for |
//! |---|---|
//! | [`MemoryStore`] | catalogs made in code, changed live through methods |
//! | `FileStore` (feature `file`) | a catalog file, watched for changes |
//! | `CachedStore` (feature `cache`) | any slow store behind a bounded cache |
//! | `HttpStore` (feature `http`) | a catalog that is fetched as a whole over HTTP, and kept up to date |
//! | `HttpLookupStore` (feature `http`) | keys that are looked up over HTTP one by one |
//! | `RedisStore` (feature `redis`) | a fleet: a catalog in Redis, changes pushed to all |
//! | [`BoxStore`] | a store that is chosen at run time |
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
//! It only knows keys. The APIs and products that its subscriptions refer to are
//! given to the layer: [`catalog`](crate::SubscriptionKeyLayer::catalog) or
//! [`single_api`](crate::SubscriptionKeyLayer::single_api).
//!
//! # What a store must get right
//!
//! - *Cannot answer* is an error, never `None`: `None` tells a caller with a good
//!   key that it is wrong.
//! - The digest comes from whatever a client sent. It has 32 bytes, always.
//! - A subscription is returned as it stands, in whatever state: that it is
//!   suspended or expired is for the decision to find and for the operator to
//!   read.
//! - A store that has APIs and products exchanges them
//!   ([`holdings`](SubscriptionStore::holdings)) before it answers by the new ones:
//!   what `find` says belongs to what `holdings` says at that moment.
//! - [`find`](SubscriptionStore::find) is polled by the request's task and
//!   dropped when the client goes away: at any await.
//!
//! The feature `conformance` has a suite that checks these on a store of yours.

#[cfg(any(feature = "cache", feature = "http", feature = "sql"))]
pub(crate) mod backoff;
mod boxed;
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
mod cached;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
#[cfg(feature = "file")]
#[cfg_attr(docsrs, doc(cfg(feature = "file")))]
pub mod file;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub mod http;
mod memory;

#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
#[cfg(any(feature = "file", feature = "http", feature = "sql"))]
pub(crate) mod replica;
#[cfg(feature = "document")]
#[cfg_attr(docsrs, doc(cfg(feature = "document")))]
pub mod snapshot;

use std::future::Future;
use std::sync::Arc;

use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;

pub use boxed::{BoxStore, BoxStoreError};
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use cached::{CacheConfigError, CacheStats, CachedStore, CachedStoreBuilder, CachedStoreError};
#[cfg(feature = "file")]
#[cfg_attr(docsrs, doc(cfg(feature = "file")))]
pub use file::FileStore;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use http::{HttpLookupStore, HttpStore};
pub use memory::MemoryStore;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use redis::{RedisPublisher, RedisStore};
#[cfg(any(feature = "file", feature = "http", feature = "sql"))]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "file", feature = "http", feature = "sql")))
)]
pub use replica::{CatalogUnavailable, Origin, StoreStatus};
#[cfg(feature = "document")]
#[cfg_attr(docsrs, doc(cfg(feature = "document")))]
pub use snapshot::SnapshotFile;

/// Answers whose key that is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store of subscriptions",
    label = "not a `SubscriptionStore`",
    note = "use `MemoryStore`, `FileStore` or `BoxStore`, or implement `SubscriptionStore`: \
            its one needed method is `async fn find`"
)]
pub trait SubscriptionStore: Send + Sync + 'static {
    /// Why the store could not answer. Never "no such key".
    type Error: std::error::Error + Send + Sync + 'static;

    /// The subscription that owns the key, or `None` where none does.
    ///
    /// # Errors
    ///
    /// Where the store cannot tell. The client then gets a 503.
    fn find(
        &self,
        key: &KeyDigest,
    ) -> impl Future<Output = Result<Option<KeyOwner>, Self::Error>> + Send;

    /// The same, if the answer is at hand. A request that is answered here waits
    /// for nothing and allocates nothing for its lookup.
    fn find_cached(&self, key: &KeyDigest) -> Cached {
        let _ = key;
        Cached::Miss
    }

    /// What the store holds in memory besides. A request asks for it before
    /// anything else, and after it waited for [`find`](Self::find): where the APIs
    /// and products are no longer the same, what was found may belong to the new
    /// ones, and the request begins anew on them. So it is decided on one version.
    /// After four lookups that all ended so it gets a 503.
    ///
    /// Default: [`Holdings::Keys`], nothing.
    ///
    /// # Errors
    ///
    /// Where the store should know its APIs and cannot, for example because it
    /// never reached its source. The client then gets a 503.
    fn holdings(&self) -> Result<Holdings, Self::Error> {
        Ok(Holdings::Keys)
    }
}

/// What a store can say at once.
#[derive(Debug, Clone)]
pub enum Cached {
    /// The key's owner.
    Hit(KeyOwner),
    /// No subscription has the key.
    Absent,
    /// It has to look: ask [`SubscriptionStore::find`].
    Miss,
}

/// What a store holds in memory.
#[derive(Debug, Clone)]
pub enum Holdings {
    /// Keys only: APIs and products are the layer's.
    Keys,
    /// APIs and products. Subscriptions are asked for one by one.
    ///
    /// As long as they do not change, hand out the same catalog, or clones of it:
    /// one that is built anew passes for another version, and a request that waited
    /// meanwhile has its key looked up again.
    Definitions(Arc<Catalog>),
    /// Everything: no key is asked for, because the catalog has them all.
    Everything(Arc<Catalog>),
}

/// A shared store is the same store.
impl<S: SubscriptionStore> SubscriptionStore for Arc<S> {
    type Error = S::Error;

    fn find(
        &self,
        key: &KeyDigest,
    ) -> impl Future<Output = Result<Option<KeyOwner>, Self::Error>> + Send {
        S::find(self, key)
    }

    fn find_cached(&self, key: &KeyDigest) -> Cached {
        S::find_cached(self, key)
    }

    fn holdings(&self) -> Result<Holdings, Self::Error> {
        S::holdings(self)
    }
}
