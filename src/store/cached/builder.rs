use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "document")]
use tokio::runtime::Handle;

use super::breaker::BreakerSettings;
use super::lookup::CacheCore;
#[cfg(feature = "document")]
use super::saving;
use super::settings::Settings;
#[cfg(feature = "document")]
use super::snapshot::{EmptyCache, Snapshots};
use super::{CacheConfigError, CachedStore};
use crate::store::SubscriptionStore;
#[cfg(feature = "document")]
use crate::store::snapshot::SnapshotFile;

/// Builds a [`CachedStore`]. Made by [`CachedStore::builder`].
#[must_use]
pub struct CachedStoreBuilder<S: SubscriptionStore> {
    store: S,
    settings: Settings,
    is_about_one_key: fn(&S::Error) -> bool,
    #[cfg(feature = "document")]
    snapshot: Option<SnapshotFile>,
    /// What the store reads from, if it can say so.
    #[cfg(feature = "document")]
    source: Option<String>,
    #[cfg(feature = "document")]
    save_every: Duration,
}

impl<S: SubscriptionStore> CachedStoreBuilder<S> {
    pub(super) fn new(store: S) -> Self {
        Self {
            store,
            settings: Settings::default(),
            is_about_one_key: |_| false,
            #[cfg(feature = "document")]
            snapshot: None,
            #[cfg(feature = "document")]
            source: None,
            #[cfg(feature = "document")]
            save_every: Duration::from_secs(30),
        }
    }

    /// Sets about how many found keys are held: some 200 bytes each, besides the
    /// subscription, taken as they are needed. Default: 100 000.
    pub fn capacity(mut self, keys: usize) -> Self {
        self.settings.capacity = keys;
        self
    }

    /// Sets about how many unknown keys are held. They never evict found keys. Default:
    /// 10 000.
    pub fn unknown_capacity(mut self, keys: usize) -> Self {
        self.settings.unknown_capacity = keys;
        self
    }

    /// Sets the lifetime of a found key: how long it is served without a lookup.
    /// Default: 60 seconds.
    pub fn found_for(mut self, lifetime: Duration) -> Self {
        self.settings.found_for = lifetime;
        self
    }

    /// Sets the lifetime of an unknown key. A key that was tried before it existed is
    /// denied for this long. Zero: unknown keys are not held. Default: 10 seconds.
    pub fn unknown_for(mut self, lifetime: Duration) -> Self {
        self.settings.unknown_for = lifetime;
        self
    }

    /// Sets the random jitter applied to each lifetime and to each pause of the breaker,
    /// as a fraction of it (0.0 to 0.5). Default: 0.1.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.settings.jitter = fraction;
        self
    }

    /// Sets the last part of the lifetime of a found key, as a fraction (0.0 to 0.5). A
    /// key that is used in it is looked up again in the background. Default: 0.2.
    pub fn refresh_ahead(mut self, fraction: f64) -> Self {
        self.settings.refresh_ahead = fraction;
        self
    }

    /// Sets how long after its lifetime a found key is still served while the store
    /// fails. Zero: not at all. Default: 5 minutes.
    ///
    /// A key that is revoked during an outage is allowed for this long. The dates of
    /// the subscription apply as always.
    pub fn stale_for(mut self, time: Duration) -> Self {
        self.settings.stale_for = time;
        self
    }

    /// Sets how long one lookup may take. Default: 2 seconds.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.settings.timeout = time;
        self
    }

    /// Pauses lookups when those of this many keys (at most 1000) failed in a row.
    /// After the pause one lookup goes out; if it fails, the next pause is twice as
    /// long, up to `longest_pause`. Default: 5 keys, 1 second, 30 seconds.
    pub fn breaker(
        mut self,
        failures: u32,
        first_pause: Duration,
        longest_pause: Duration,
    ) -> Self {
        self.settings.breaker = Some(BreakerSettings {
            failures,
            first_pause,
            longest_pause,
        });
        self
    }

    /// Never pauses lookups.
    pub fn without_breaker(mut self) -> Self {
        self.settings.breaker = None;
        self
    }

    /// Sets how to recognize errors that concern a single key, such as an entry that
    /// cannot be read. For the breaker, such an error counts as an answer of the store.
    /// Default: none.
    pub fn errors_about_one_key(mut self, is_about_one_key: fn(&S::Error) -> bool) -> Self {
        self.is_about_one_key = is_about_one_key;
        self
    }

    /// Sets how many keys that were never seen before are looked up per second, and
    /// how many at once after a quiet time. Default: 1000 and 1000.
    ///
    /// Only keys that turn out to be unknown count in the end. A key over the rate is
    /// answered with [`TooManyUnknown`](super::CachedStoreError::TooManyUnknown),
    /// hence 503; it may be a good key that is not in the cache yet.
    pub fn unknown_rate(mut self, per_second: u32, burst: u32) -> Self {
        self.settings.unknown_rate = Some((per_second, burst));
        self
    }

    /// Looks up every key, however many are unknown.
    pub fn without_unknown_rate(mut self) -> Self {
        self.settings.unknown_rate = None;
        self
    }

    /// Keeps the found keys in a file, and starts with those in it: APIs, products
    /// and subscriptions, with digests and never with keys. The directory must exist.
    /// Default: no file.
    ///
    /// Name the source in the file ([`SnapshotFile::with_source`]), so that it is
    /// never used for another store; a `RedisStore` names itself. Give each process
    /// its own file.
    ///
    /// 1. At the start all keys are past their lifetime: they are looked up, and
    ///    served if that fails, for the rest of [`stale_for`](Self::stale_for).
    ///    Choose it longer than the outages that a restart is to survive. For the same
    ///    time the APIs and products replace those of a store that has none yet.
    /// 2. A file that is broken, too old, of another kind or of another source is not
    ///    used; the log says why, and the next one saved replaces it.
    /// 3. An invalidated key leaves the file at once, other changes are saved at
    ///    [intervals](Self::snapshot_interval). If a save fails, it is repeated after
    ///    1 second, then at growing pauses
    ///    ([`snapshot_error`](CachedStore::snapshot_error)).
    /// 4. Dropping the last handle saves the snapshot, and blocks the thread.
    ///
    /// Only for stores with [`Definitions`](crate::store::Holdings::Definitions). For
    /// other stores nothing is saved, and this is logged once. A subscription is left out
    /// if its scopes name no API or product of the definitions.
    #[cfg(feature = "document")]
    pub fn keep_snapshot(mut self, file: impl Into<SnapshotFile>) -> Self {
        self.snapshot = Some(file.into());
        self
    }

    /// Sets how often the snapshot is saved if something changed. Default: 30 seconds.
    #[cfg(feature = "document")]
    pub fn snapshot_interval(mut self, interval: Duration) -> Self {
        self.save_every = interval;
        self
    }

    #[cfg(all(feature = "document", any(feature = "redis", feature = "sql")))]
    pub(crate) fn source(mut self, source: String) -> Self {
        self.source = Some(source);
        self
    }

    /// Builds the store. With a snapshot, call it in a tokio runtime; it reads the file
    /// and blocks while it does.
    ///
    /// # Errors
    ///
    /// [`CacheConfigError`] if a setting cannot work.
    pub fn build(self) -> Result<CachedStore<S>, CacheConfigError> {
        let settings = self.settings.checked()?;
        #[cfg_attr(not(feature = "document"), expect(unused_mut))]
        let mut core = CacheCore::new(self.store, settings, self.is_about_one_key);
        #[cfg(feature = "document")]
        if let Some(file) = self.snapshot {
            if self.save_every.is_zero() {
                let setting = "snapshot_interval";
                return Err(CacheConfigError::NoTime { setting });
            }
            let runtime = Handle::try_current().map_err(|_| CacheConfigError::NoRuntime)?;
            let file = file.of_cache(self.source.as_deref());
            let file = file.ok_or(CacheConfigError::NoSource)?;
            let cache = EmptyCache {
                entries: &core.entries,
                stale_for: core.settings.stale_for,
                now: core.clock.now(),
            };
            core.snapshots = Some(Snapshots::restore(file, cache));
            let core = Arc::new(core);
            saving::start(&core, &runtime, self.save_every);
            return Ok(CachedStore { core });
        }
        let core = Arc::new(core);
        Ok(CachedStore { core })
    }
}

impl<S: SubscriptionStore> fmt::Debug for CachedStoreBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStoreBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
