//! [`CachedStore`]: a bounded cache around a slow store. It never serves a wrong
//! answer while the store is down.

mod admission;
mod breaker;
mod builder;
mod clock;
#[cfg(feature = "document")]
mod contents;
mod entries;
mod error;
mod flights;
mod lookup;
mod rate;
#[cfg(feature = "document")]
mod saving;
mod settings;
#[cfg(feature = "document")]
mod snapshot;
mod stats;

use std::fmt;
use std::sync::Arc;

use crate::access::Access;
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
#[cfg(any(feature = "redis", feature = "sql"))]
use crate::store::invalidation::{Invalidation, Watchers};
use crate::store::{Answer, Holdings, SubscriptionStore};

pub use builder::CachedStoreBuilder;
#[cfg(feature = "redis")]
pub(crate) use contents::definitions_of;
pub use error::{CacheConfigError, CachedStoreError};
pub use stats::CacheStats;

use lookup::CacheCore;

type LookupResult<E> = Result<Answer, CachedStoreError<E>>;

/// A cache around a store that looks keys up.
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
/// // Clones share the cache. Keep one to report changes:
/// let changes = store.clone();
/// changes.invalidate_subscription("contoso");
/// # Ok::<(), tower_subscription_key::store::CacheConfigError>(())
/// ```
///
/// # What requests get
///
/// | the key is | the store answers | the store fails, hangs, or lookups are paused |
/// |---|---|---|
/// | found, within its lifetime | from the cache; near its end also a lookup in the background | the same |
/// | found, past its lifetime, or to be confirmed | after a lookup | the stale owner until [`stale_for`](CachedStoreBuilder::stale_for) after its lifetime, then an error |
/// | unknown, within its lifetime | from the cache | the same |
/// | unknown, past its lifetime | after a lookup | an error |
/// | never seen | after a lookup, up to [`unknown_rate`](CachedStoreBuilder::unknown_rate) | an error |
///
/// The layer answers an error with 503. An error is never remembered as an unknown
/// key. A stale subscription is decided as always, on its state and its dates.
///
/// # Rules
///
/// 1. A key has at most one lookup at a time, even if many requests wait for it. The
///    lookup runs in a separate task: a cancelled request does not end it, and a
///    request never waits longer than [`timeout`](CachedStoreBuilder::timeout) for a
///    task of another runtime.
/// 2. An answer belongs to the APIs and products that it was given under. After they
///    change, it is confirmed by a lookup. If the lookup fails, the stale owner is served
///    together with its own APIs and products, never with newer ones.
/// 3. A lookup that began before an invalidation is neither kept nor given to a later request.
///    An invalidated key has no stale answer. After [`confirm_all`](Self::confirm_all) such
///    an answer is kept, but confirmed by another lookup before it is served.
/// 4. After a failed lookup, a key with a stale answer is not looked up again for one
///    second. Failures of one key never pause the lookups of others.
/// 5. Found and unknown keys have separate limits: wrong keys never evict good ones.
///
/// Lookups need a tokio runtime with its timer. A store that holds everything in
/// memory ([`Holdings::Everything`]) gains nothing from a cache.
///
/// All callers share the unknown rate. During a flood of wrong keys, good keys in the
/// cache are served, and good keys outside the cache compete with the wrong ones.
pub struct CachedStore<S: SubscriptionStore> {
    core: Arc<CacheCore<S>>,
}

impl<S: SubscriptionStore> CachedStore<S> {
    /// A cache around the store, with the default settings.
    #[must_use]
    pub fn new(store: S) -> Self {
        let core = CacheCore::new(store, settings::Settings::default(), |_| false);
        let core = Arc::new(core);
        Self { core }
    }

    /// A builder of a cache around the store, with the default settings.
    pub fn builder(store: S) -> CachedStoreBuilder<S> {
        CachedStoreBuilder::new(store)
    }

    /// The store behind the cache.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.core.store
    }

    /// Removes a key. The next request looks it up.
    pub fn invalidate_key(&self, key: &KeyDigest) {
        {
            let mut flights = self.core.flights.around(key);
            flights.remove(key);
            self.core.entries.remove(key);
        }
        self.save_soon();
    }

    /// Removes the keys of a subscription, and all unknown keys, because one of them
    /// may be its new key. Iterates over all found keys; requests continue meanwhile.
    pub fn invalidate_subscription(&self, id: &str) {
        self.discard_lookups();
        self.core.entries.remove_subscription(id);
        self.save_soon();
    }

    /// Removes all keys. If the store cannot be asked, requests then get an error;
    /// [`confirm_all`](Self::confirm_all) is milder.
    pub fn invalidate_all(&self) {
        self.discard_lookups();
        self.core.entries.clear();
        self.save_soon();
    }

    /// Has every key looked up before it is served again: for when changes may have
    /// been missed. A key that cannot be looked up is served stale, for as long as
    /// without this call.
    pub fn confirm_all(&self) {
        self.core.entries.confirm_all();
    }

    /// Ends a pause of lookups, because the store is known to answer again.
    pub fn resume(&self) {
        self.core.admission.resume();
    }

    /// Discards the answers of all lookups under way. Returns once none can be kept.
    fn discard_lookups(&self) {
        self.core.entries.discard_lookups();
        self.core.flights.wait_for_writers();
    }

    /// Invalidated keys leave the snapshot as soon as it can be written.
    fn save_soon(&self) {
        #[cfg(feature = "document")]
        if let Some(snapshots) = &self.core.snapshots
            && self.core.entries.has_changed()
        {
            snapshots.wake.notify_one();
        }
    }

    /// Follows the changes that the watchers of the store get. After
    /// [`Invalidation::All`] the store is known to answer.
    #[cfg(any(feature = "redis", feature = "sql"))]
    pub(crate) fn follow(&self, watchers: &Watchers) {
        // Weak: the cache holds the store, and a cycle would keep both alive.
        let core = Arc::downgrade(&self.core);
        watchers.add(move |invalidation| {
            if let Some(core) = core.upgrade() {
                let cache = Self { core };
                cache.invalidate(invalidation);
                if *invalidation == Invalidation::All {
                    cache.resume();
                }
            }
        });
    }

    /// When the contents of the snapshot were current: the one saved last, or the one
    /// loaded at the start. `None` if there is no snapshot.
    ///
    /// The time of a snapshot stays if nothing changes, or if the store has not
    /// answered since.
    #[cfg(feature = "document")]
    #[must_use]
    pub fn snapshot_saved_at(&self) -> Option<std::time::SystemTime> {
        self.core.snapshots.as_ref()?.saved().at
    }

    /// The time since [`snapshot_saved_at`](Self::snapshot_saved_at).
    #[cfg(feature = "document")]
    #[must_use]
    pub fn snapshot_age(&self) -> Option<std::time::Duration> {
        let saved_at = self.snapshot_saved_at()?;
        Some(saved_at.elapsed().unwrap_or_default())
    }

    /// Why the snapshot is not up to date: the last save failed, or the task that
    /// saves has ended. `None`: nothing is wrong.
    #[cfg(feature = "document")]
    #[must_use]
    pub fn snapshot_error(&self) -> Option<String> {
        self.core.snapshots.as_ref()?.saved().error.clone()
    }

    /// Counters and sizes.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.core.stats()
    }
}

impl<S: SubscriptionStore> SubscriptionStore for CachedStore<S> {
    type Error = CachedStoreError<S::Error>;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Self::Error> {
        Ok(self.lookup(key).await?.into_owner())
    }

    async fn lookup(&self, key: &KeyDigest) -> LookupResult<S::Error> {
        match self.core.lookup_cached(key) {
            Some(answer) => Ok(answer),
            None => self.core.lookup(key).await,
        }
    }

    #[inline]
    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        self.core.lookup_cached(key)
    }

    fn holdings(&self) -> Result<Holdings, Self::Error> {
        self.core.holdings()
    }

    fn record_use(&self, access: &Access) {
        self.core.store.record_use(access);
    }
}

/// Another handle to the same cache.
impl<S: SubscriptionStore> Clone for CachedStore<S> {
    fn clone(&self) -> Self {
        let core = Arc::clone(&self.core);
        Self { core }
    }
}

impl<S: SubscriptionStore> fmt::Debug for CachedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStore")
            .field("settings", &self.core.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
