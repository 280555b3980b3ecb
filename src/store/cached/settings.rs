use std::fmt;
#[cfg(feature = "document")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "document")]
use tokio::runtime::Handle;

use super::breaker::BreakerSettings;
#[cfg(feature = "document")]
use super::shared::Shared;
use super::{CacheConfigError, CachedStore};
#[cfg(feature = "document")]
use crate::store::SnapshotFile;
use crate::store::SubscriptionStore;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) capacity: usize,
    pub(super) unknown_capacity: usize,
    pub(super) found_for: Duration,
    pub(super) unknown_for: Duration,
    pub(super) jitter: f64,
    pub(super) refresh_ahead: f64,
    pub(super) stale_for: Duration,
    pub(super) timeout: Duration,
    pub(super) breaker: Option<BreakerSettings>,
    /// Per second, and burst.
    pub(super) unknown_rate: Option<(u32, u32)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            capacity: 100_000,
            unknown_capacity: 10_000,
            found_for: Duration::from_secs(60),
            unknown_for: Duration::from_secs(10),
            jitter: 0.1,
            refresh_ahead: 0.2,
            stale_for: Duration::from_secs(300),
            timeout: Duration::from_secs(2),
            breaker: Some(BreakerSettings {
                failures: 5,
                first_pause: Duration::from_secs(1),
                longest_pause: Duration::from_secs(30),
            }),
            unknown_rate: Some((1000, 1000)),
        }
    }
}

/// Half of a lifetime: beyond, jitter and refreshing would leave nothing of it.
const HALF: f64 = 0.5;

impl Settings {
    fn check(&self) -> Result<(), CacheConfigError> {
        for (setting, room) in [
            ("capacity", self.capacity),
            ("unknown_capacity", self.unknown_capacity),
        ] {
            if room == 0 {
                return Err(CacheConfigError::NoRoom { setting });
            }
        }
        for (setting, time) in [("found_for", self.found_for), ("timeout", self.timeout)] {
            if time.is_zero() {
                return Err(CacheConfigError::NoTime { setting });
            }
        }
        for (setting, value) in [
            ("jitter", self.jitter),
            ("refresh_ahead", self.refresh_ahead),
        ] {
            // Also where it is not a number.
            if !(0.0..=HALF).contains(&value) {
                let most = HALF;
                return Err(CacheConfigError::Part {
                    setting,
                    value,
                    most,
                });
            }
        }
        if let Some((0, _) | (_, 0)) = self.unknown_rate {
            return Err(CacheConfigError::NoRate);
        }
        self.breaker.map_or(Ok(()), BreakerSettings::check)
    }
}

impl BreakerSettings {
    fn check(self) -> Result<(), CacheConfigError> {
        if self.failures == 0 {
            return Err(CacheConfigError::NoFailures);
        }
        if self.first_pause.is_zero() {
            let setting = "breaker";
            return Err(CacheConfigError::NoTime { setting });
        }
        if self.first_pause > self.longest_pause {
            return Err(CacheConfigError::Pauses);
        }
        Ok(())
    }
}

/// Builds a [`CachedStore`]; begins with its defaults.
#[must_use]
pub struct CachedStoreBuilder<S> {
    store: S,
    settings: Settings,
    #[cfg(feature = "document")]
    snapshot: Option<SnapshotFile>,
    #[cfg(feature = "document")]
    save_every: Duration,
}

impl<S: SubscriptionStore> CachedStoreBuilder<S> {
    pub(super) fn new(store: S) -> Self {
        let settings = Settings::default();
        Self {
            store,
            settings,
            #[cfg(feature = "document")]
            snapshot: None,
            #[cfg(feature = "document")]
            save_every: Duration::from_secs(30),
        }
    }

    /// How many found keys are held, about. Default: 100 000.
    ///
    /// Room is taken as it is needed: some 150 bytes a key, beside the
    /// subscription.
    pub fn capacity(mut self, keys: usize) -> Self {
        self.settings.capacity = keys;
        self
    }

    /// How many unknown keys are remembered, about. They never take the room of
    /// found ones. Default: 10 000.
    pub fn unknown_capacity(mut self, keys: usize) -> Self {
        self.settings.unknown_capacity = keys;
        self
    }

    /// For how long a found key is answered without asking. Default: 60 seconds.
    pub fn found_for(mut self, lifetime: Duration) -> Self {
        self.settings.found_for = lifetime;
        self
    }

    /// For how long a key is taken as unknown without asking: so long may a key
    /// that was tried before it existed be refused. Zero remembers none.
    /// Default: 10 seconds.
    pub fn unknown_for(mut self, lifetime: Duration) -> Self {
        self.settings.unknown_for = lifetime;
        self
    }

    /// By which part of itself a lifetime, or a pause of the breaker, is longer
    /// or shorter, at random: 0.0 to 0.5. Default: 0.1.
    pub fn jitter(mut self, part: f64) -> Self {
        self.settings.jitter = part;
        self
    }

    /// In which last part of its lifetime a found key is asked for again in the
    /// background when it is used: 0.0 (never) to 0.5. Default: 0.2.
    pub fn refresh_ahead(mut self, part: f64) -> Self {
        self.settings.refresh_ahead = part;
        self
    }

    /// For how long after its lifetime a found key is still answered while the
    /// store fails. Zero: not at all. Default: 5 minutes.
    ///
    /// So long may a key that was revoked during an outage still get in. The
    /// subscription's own dates count all the same.
    pub fn stale_for(mut self, time: Duration) -> Self {
        self.settings.stale_for = time;
        self
    }

    /// How long one lookup may take. Default: 2 seconds.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.settings.timeout = time;
        self
    }

    /// After so many failures in a row the store is left alone: for `first_pause`,
    /// then, for as long as the one lookup after each pause fails too, for twice
    /// as long, up to `longest_pause`. Default: 5 failures, 1 second, 30 seconds.
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

    /// Asks a store that fails for every key all the same.
    pub fn without_breaker(mut self) -> Self {
        self.settings.breaker = None;
        self
    }

    /// How many keys never seen before are looked up per second, and how many at
    /// once after a quiet time. Default: 1000 and 1000.
    ///
    /// Only keys that turn out unknown count in the end: a lookup that finds a
    /// subscription gives its token back. What is over the rate is answered with
    /// [`TooManyUnknown`](super::CachedStoreError::TooManyUnknown), hence 503, and
    /// that may meet a good key that is not cached yet.
    pub fn unknown_rate(mut self, per_second: u32, burst: u32) -> Self {
        self.settings.unknown_rate = Some((per_second, burst));
        self
    }

    /// Looks every key up, however many wrong ones come.
    pub fn without_unknown_rate(mut self) -> Self {
        self.settings.unknown_rate = None;
        self
    }

    /// Keeps what is cached in that file, and starts with it: APIs, products and
    /// found subscriptions, with digests and never with keys. Give a path, or a
    /// [`SnapshotFile`] that also names its source. Its directory must be there.
    /// Default: no file.
    ///
    /// At the start its keys are past their lifetime: they are asked for, and
    /// served stale where that fails. The time for it,
    /// [`stale_for`](Self::stale_for), is not longer than without the restart: it
    /// began when the file was saved, or when they were last fresh before. For so
    /// long its APIs and products also stand in for those of a store that did not
    /// yet say its own. Keys that are not in it get a 503, as ever. Choose
    /// `stale_for` longer than the outages that a restart is to survive.
    ///
    /// A file that is broken, too old or of another source is not used, and an
    /// event says why; it is replaced by the next one saved.
    ///
    /// An invalidated key leaves the file at once, and not with the next
    /// [interval](Self::snapshot_interval): as soon as the file is written again.
    /// Where invalidations come faster than that can be done, they share a writing,
    /// with a rest of ten times what it took in between. What a lookup finds anew
    /// is in the file after the interval.
    ///
    /// The last handle that is dropped writes what is not in the file yet, and
    /// blocks its thread for so long. So it does not matter whether a service ends
    /// or crashes, but for keys found within the last interval, and for what was
    /// invalidated in the moment of the crash.
    ///
    /// Only for stores that hold [`Definitions`](crate::store::Holdings::Definitions):
    /// of others nothing is saved, and an event says so once. A subscription
    /// whose scopes name nothing there is left out.
    #[cfg(feature = "document")]
    #[cfg_attr(docsrs, doc(cfg(feature = "document")))]
    pub fn keep_snapshot(mut self, file: impl Into<SnapshotFile>) -> Self {
        self.snapshot = Some(file.into());
        self
    }

    /// How often the snapshot is saved if something changed, by
    /// [`jitter`](Self::jitter) more or less. Default: 30 seconds.
    #[cfg(feature = "document")]
    #[cfg_attr(docsrs, doc(cfg(feature = "document")))]
    pub fn snapshot_interval(mut self, interval: Duration) -> Self {
        self.save_every = interval;
        self
    }

    /// The store, if its settings can work. With a snapshot, call it in a tokio
    /// runtime: it reads the file, and blocks for so long.
    ///
    /// # Errors
    ///
    /// [`CacheConfigError`] with a sentence that says what to do.
    pub fn build(self) -> Result<CachedStore<S>, CacheConfigError> {
        self.settings.check()?;
        #[cfg(feature = "document")]
        if let Some(file) = self.snapshot {
            return build_with_snapshot(self.store, self.settings, file, self.save_every);
        }
        Ok(CachedStore::with_settings(self.store, self.settings))
    }
}

#[cfg(feature = "document")]
fn build_with_snapshot<S: SubscriptionStore>(
    store: S,
    settings: Settings,
    file: SnapshotFile,
    save_every: Duration,
) -> Result<CachedStore<S>, CacheConfigError> {
    if save_every.is_zero() {
        let setting = "snapshot_interval";
        return Err(CacheConfigError::NoTime { setting });
    }
    let runtime = Handle::try_current().map_err(|_| CacheConfigError::NoRuntime)?;
    let mut shared = Shared::new(store, settings);
    shared.restore(file);
    let shared = Arc::new(shared);
    shared.keep_saving(&runtime, save_every);
    Ok(CachedStore { shared })
}

impl<S> fmt::Debug for CachedStoreBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStoreBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
