//! [`CachedStore`]: any slow store behind a bounded cache that is honest while
//! the store is down.

mod breaker;
mod clock;
#[cfg(feature = "document")]
mod contents;
mod entries;
mod error;
mod flights;
mod rate;
mod settings;
mod shared;
#[cfg(feature = "document")]
mod snapshot;
mod stats;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::access::Access;
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::{Answer, Holdings, SubscriptionStore};

pub use error::{CacheConfigError, CachedStoreError};
pub use settings::CachedStoreBuilder;
pub use stats::CacheStats;

use flights::Outcome;
use settings::Settings;
use shared::{Asked, Shared};

type LookupResult<E> = Result<Option<KeyOwner>, CachedStoreError<E>>;

/// A cache around a store that has to look keys up.
///
/// ```
/// # use std::convert::Infallible;
/// # use tower_subscription_key::catalog::KeyOwner;
/// # use tower_subscription_key::store::{SubscriptionStore};
/// # use tower_subscription_key::KeyDigest;
/// use std::time::Duration;
/// use tower_subscription_key::store::CachedStore;
///
/// # struct Database;
/// # impl SubscriptionStore for Database {
/// #     type Error = Infallible;
/// #     async fn find(&self, _: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> { Ok(None) }
/// # }
/// let store = CachedStore::builder(Database)
///     .found_for(Duration::from_secs(300))
///     .stale_for(Duration::from_secs(3600))
///     .build()?;
/// // Whoever hears of a change keeps a handle, and says so:
/// let changes = store.clone();
/// changes.invalidate_subscription("contoso");
/// # Ok::<(), tower_subscription_key::store::CacheConfigError>(())
/// ```
///
/// # What requests get
///
/// | the key is | the store answers | the store fails, hangs, or the breaker is open |
/// |---|---|---|
/// | found, within its lifetime | from the cache; near the end of it also a lookup in the background | the same |
/// | found, past its lifetime | after a lookup | the stale owner for [`stale_for`](CachedStoreBuilder::stale_for), then an error |
/// | unknown, within its lifetime | from the cache | the same |
/// | unknown, past its lifetime | after a lookup | an error |
/// | never seen | after a lookup, up to [`unknown_rate`](CachedStoreBuilder::unknown_rate) | an error |
///
/// An error is a 503 at the layer. An error is never remembered as an unknown
/// key, and what was once unknown is never taken as still unknown because nobody
/// could be asked. Whether a stale subscription opens anything is decided as ever:
/// on its state and its dates.
///
/// # Rules
///
/// 1. One lookup at a time for a key, however many requests wait for it. It runs
///    in a task of its own: requests that go away do not end it. So lookups need a
///    tokio runtime with its timer; [`lookup_cached`](SubscriptionStore::lookup_cached) does not.
/// 2. Found and unknown keys are bounded apart: wrong keys push out no good one.
/// 3. A key whose lookup failed is not asked for again for one second while a
///    stale answer is left for it.
/// 4. What was begun before an invalidation is neither kept nor given to a request
///    that came after it. An invalidated key has no stale answer.
///
/// A store that holds everything in memory ([`Holdings::Everything`]) is not
/// asked for keys, and this has nothing to do around it. A `lookup_cached` of the store
/// inside is not used.
///
/// # A restart during an outage
///
/// With `keep_snapshot` (feature `document`, for stores that hold APIs and
/// products) the found keys are also kept in a file, digests only. After a
/// restart they are past their lifetime: rows as above, and the time for stale
/// answers goes on from where it was. What is invalidated leaves the file at once.
///
/// # Behind a flood
///
/// The rate is one for all callers. While wrong keys use it up, good keys that
/// are in the cache are served, and good keys that are not (after a restart, or
/// after [`invalidate_all`](Self::invalidate_all)) compete with the wrong ones:
/// those that lose get a 503 and may try again.
///
/// # Cost
///
/// A hit takes a read lock on one of several parts of the cache, clones the
/// [`KeyOwner`], reads the clock, and allocates nothing.
/// [`invalidate_subscription`](Self::invalidate_subscription) looks through all
/// found keys; requests go on meanwhile.
pub struct CachedStore<S: SubscriptionStore> {
    shared: Arc<Shared<S>>,
}

impl<S: SubscriptionStore> CachedStore<S> {
    /// A cache around that store with all defaults.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self::with_settings(store, Settings::default())
    }

    /// A builder for other settings.
    pub fn builder(store: S) -> CachedStoreBuilder<S> {
        CachedStoreBuilder::new(store)
    }

    fn with_settings(store: S, settings: Settings) -> Self {
        let shared = Arc::new(Shared::new(store, settings));
        Self { shared }
    }

    /// The store inside.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.shared.store
    }

    /// Forgets that key. The next request asks the store.
    pub fn invalidate_key(&self, key: &KeyDigest) {
        self.shared.invalidate_key(key);
    }

    /// Forgets the keys of that subscription, and all unknown keys, because one of
    /// them may be a new key of it. Lookups under way are begun anew for whoever
    /// comes next.
    pub fn invalidate_subscription(&self, id: &str) {
        self.shared.invalidate_subscription(id);
    }

    /// Forgets everything: for when changes may have been missed.
    ///
    /// Nothing stale is left either. If the store cannot be asked at that moment,
    /// requests get an error.
    pub fn invalidate_all(&self) {
        self.shared.invalidate_all();
    }

    /// A handle that does not keep the cache alive: for what its own store calls.
    #[cfg(feature = "redis")]
    pub(crate) fn downgrade(&self) -> WeakCachedStore<S> {
        WeakCachedStore(Arc::downgrade(&self.shared))
    }

    /// As of when the snapshot is: the one that was saved last, or, before the
    /// first, the one that was loaded at the start. `None`: there is neither.
    ///
    /// A snapshot is saved when something changed. It may also be old because
    /// nothing did, or because the store has not answered since.
    #[cfg(feature = "document")]
    #[cfg_attr(docsrs, doc(cfg(feature = "document")))]
    #[must_use]
    pub fn snapshot_saved_at(&self) -> Option<std::time::SystemTime> {
        self.shared.keeper.as_ref()?.saved_at()
    }

    /// How old the snapshot is: see [`snapshot_saved_at`](Self::snapshot_saved_at).
    #[cfg(feature = "document")]
    #[cfg_attr(docsrs, doc(cfg(feature = "document")))]
    #[must_use]
    pub fn snapshot_age(&self) -> Option<std::time::Duration> {
        let saved_at = self.snapshot_saved_at()?;
        Some(saved_at.elapsed().unwrap_or_default())
    }

    /// What it did so far, and what it holds.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.shared.stats()
    }
}

#[cfg(feature = "redis")]
pub(crate) struct WeakCachedStore<S: SubscriptionStore>(std::sync::Weak<Shared<S>>);

#[cfg(feature = "redis")]
impl<S: SubscriptionStore> WeakCachedStore<S> {
    pub(crate) fn upgrade(&self) -> Option<CachedStore<S>> {
        let shared = self.0.upgrade()?;
        Some(CachedStore { shared })
    }
}

impl<S: SubscriptionStore> SubscriptionStore for CachedStore<S> {
    type Error = CachedStoreError<S::Error>;

    async fn find(&self, key: &KeyDigest) -> LookupResult<S::Error> {
        if let Some(answer) = self.shared.lookup_cached(key) {
            return Ok(answer.into_owner());
        }
        let flight = match self.shared.ask(key) {
            Asked::Answered(result) => return result,
            Asked::Waiting(flight) => flight,
        };
        match flight.answer().await {
            Outcome::Fresh(owner) => Ok(owner),
            Outcome::Stale(owner) => Ok(Some(self.shared.stale(owner))),
            Outcome::Failed(error) => Err(error),
        }
    }

    #[inline]
    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        self.shared.lookup_cached(key)
    }

    fn holdings(&self) -> Result<Holdings, Self::Error> {
        self.shared.holdings()
    }

    fn record_use(&self, access: &Access) {
        self.shared.store.record_use(access);
    }
}

/// Another handle to the same cache.
impl<S: SubscriptionStore> Clone for CachedStore<S> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared }
    }
}

impl<S: SubscriptionStore> fmt::Debug for CachedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStore")
            .field("settings", &self.shared.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
