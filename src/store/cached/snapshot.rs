//! The last good contents in a file, for a start while the remote server is down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, info, warn};

use super::clock::Moment;
use super::contents::{self, Contents};
use super::shared::Shared;
use crate::catalog::Catalog;
use crate::catalog::KeyOwner;
use crate::store::snapshot::Snapshot;
use crate::store::{Holdings, SnapshotFile, SubscriptionStore};

/// Brings the contents to the disk, and holds what was there at the start.
pub(super) struct Keeper {
    file: SnapshotFile,
    stand_in: Option<StandIn>,
    /// Whether the store said itself what it holds: from then on the stand-in is
    /// older than what is known.
    answered: AtomicBool,
    saved: Mutex<Saved>,
    /// Wakes the task up before its time.
    hurry: Arc<Notify>,
    task: OnceLock<AbortHandle>,
}

/// APIs and products from the file.
struct StandIn {
    definitions: Arc<Catalog>,
    until: Moment,
}

/// What the file holds.
#[derive(Default)]
struct Saved {
    /// As of when.
    at: Option<SystemTime>,
    definitions: Option<Arc<Catalog>>,
    told_that_nothing_is_kept: bool,
}

impl Keeper {
    pub(super) fn saved_at(&self) -> Option<SystemTime> {
        self.saved().at
    }

    /// The APIs and products to give instead of what the store said, if any.
    #[inline]
    pub(super) fn instead(
        &self,
        store_answers: bool,
        now: impl FnOnce() -> Moment,
    ) -> Option<Arc<Catalog>> {
        let stand_in = self.stand_in.as_ref()?;
        if self.answered.load(Ordering::Relaxed) {
            return None;
        }
        if store_answers {
            self.answered.store(true, Ordering::Relaxed);
            return None;
        }
        (now() < stand_in.until).then(|| Arc::clone(&stand_in.definitions))
    }

    /// Has what changed saved at once. What is said many times before that happens
    /// is done together.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }

    fn saved(&self) -> MutexGuard<'_, Saved> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these are the very same as in the file. Their handles may differ
    /// from thread to thread.
    fn has_saved(&self, definitions: &Catalog) -> bool {
        let saved = self.saved();
        let before = saved.definitions.as_ref();
        before.is_some_and(|before| before.has_definitions_of(definitions))
    }

    fn tell_that_nothing_is_kept(&self) {
        let mut saved = self.saved();
        if !std::mem::replace(&mut saved.told_that_nothing_is_kept, true) {
            warn!(
                path = %self.file.path().display(),
                "no snapshot is kept: the store behind the cache does not hold APIs and products \
                 beside keys that are looked up"
            );
        }
    }

    fn write(&self, contents: &Contents) -> bool {
        let Contents {
            catalog,
            as_of,
            confirmed,
            ..
        } = contents;
        if let Err(error) = self.file.save_as_of(catalog, *as_of, confirmed) {
            let error: &dyn std::error::Error = &error;
            error!(error, "what is cached is not kept");
            return false;
        }
        let subscriptions = catalog.subscription_count();
        let left_out = contents.left_out;
        debug!(subscriptions, left_out, "what is cached was saved");
        true
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl<S: SubscriptionStore> Shared<S> {
    /// Takes in what the file holds, if it is to be used, and keeps it from now
    /// on. Blocks.
    pub(super) fn restore(&mut self, file: SnapshotFile) {
        let path = file.path().display().to_string();
        let stand_in = match file.load() {
            Ok(Some(snapshot)) => self.take_in(&snapshot, &path),
            Ok(None) => {
                info!(path, "there is no snapshot yet: the cache begins empty");
                None
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(path, error, "the snapshot is not used");
                None
            }
        };
        let (at, stand_in) = stand_in.unzip();
        let definitions = stand_in
            .as_ref()
            .map(|stand_in| Arc::clone(&stand_in.definitions));
        self.keeper = Some(Keeper {
            file,
            stand_in,
            answered: AtomicBool::new(false),
            saved: Mutex::new(Saved {
                at,
                definitions,
                told_that_nothing_is_kept: false,
            }),
            hurry: Arc::default(),
            task: OnceLock::new(),
        });
    }

    fn take_in(&self, snapshot: &Snapshot, path: &str) -> Option<(SystemTime, StandIn)> {
        let saved_at = snapshot.saved_at();
        let Some(fresh_until) = self.moment_of(saved_at) else {
            warn!(path, ?saved_at, "the snapshot is not used: it is too old");
            return None;
        };
        let definitions = Arc::new(contents::definitions_of(snapshot.catalog())?);
        let mut read = 0;
        for subscription in snapshot.catalog().subscriptions() {
            let confirmed_at = snapshot.confirmed_at(subscription.id());
            let Some(fresh_until) = self.moment_of(confirmed_at) else {
                continue;
            };
            let subscription = Arc::new(subscription);
            for (slot, key) in subscription.keys() {
                let owner = KeyOwner::new(Arc::clone(&subscription), slot);
                self.entries.put_old(*key.digest(), owner, fresh_until);
                read += 1;
            }
        }
        let (keys, _) = self.entries.counts();
        if keys < read {
            // The file has keys for which there is no room here: it is to be
            // replaced, and at once when one of those is invalidated.
            self.entries.set_changed();
        }
        let age = saved_at.elapsed().unwrap_or_default();
        warn!(
            path,
            ?age,
            keys,
            "the snapshot stands in for the store behind the cache while that cannot be asked"
        );
        let until = fresh_until.after(self.settings.stale_for);
        Some((saved_at, StandIn { definitions, until }))
    }

    /// That time on the cache's clock, if it may still be served as stale. One in
    /// the future is taken as now, but not if the clock must have been wrong.
    fn moment_of(&self, time: SystemTime) -> Option<Moment> {
        let age = time.elapsed();
        let off = age.clone().unwrap_or_else(|ahead| ahead.duration());
        (off < self.settings.stale_for).then(|| self.clock.now().before(age.unwrap_or_default()))
    }

    /// Saves at intervals, and in a hurry, until the last handle is gone.
    pub(super) fn keep_saving(self: &Arc<Self>, runtime: &Handle, every: Duration) {
        if let Some(keeper) = &self.keeper {
            let hurry = Arc::clone(&keeper.hurry);
            let saving = save_again_and_again(Arc::downgrade(self), hurry, every);
            // This is called once.
            let _ = keeper.task.set(runtime.spawn(saving).abort_handle());
        }
    }

    /// Saves what changed. Blocks.
    fn save(&self) {
        let Some(keeper) = &self.keeper else {
            return;
        };
        let wall = SystemTime::now();
        let now = self.clock.now();
        let (definitions, as_of) = match self.store.holdings() {
            Ok(Holdings::Definitions(definitions)) => (definitions, wall),
            Ok(_) => return keeper.tell_that_nothing_is_kept(),
            // So that what was invalidated leaves the file all the same. That
            // makes the rest of it no younger.
            Err(_) => match &*keeper.saved() {
                Saved {
                    at: Some(at),
                    definitions: Some(definitions),
                    ..
                } => (Arc::clone(definitions), *at),
                _ => return,
            },
        };
        // First: what changes from here on is for the next time.
        let changed = self.entries.take_changed();
        if !changed && keeper.has_saved(&definitions) {
            return;
        }
        let found = self.entries.all_found(now);
        let contents = Contents::gather(&definitions, found, as_of, |fresh_until: Moment| {
            wall.checked_sub(now.since(fresh_until)).unwrap_or(as_of)
        });
        if contents.is_some_and(|contents| keeper.write(&contents)) {
            let mut saved = keeper.saved();
            saved.at = Some(as_of);
            saved.definitions = Some(definitions);
        } else {
            self.entries.set_changed();
        }
    }
}

/// With the last handle the last changes go to the disk. Blocks for so long: left
/// to a task or a thread, they would be lost with the process that ends now.
impl<S: SubscriptionStore> Drop for Shared<S> {
    fn drop(&mut self) {
        // A store that panics must not do so while another panic is under way.
        if catch_unwind(AssertUnwindSafe(|| self.save())).is_err() {
            tell_of_panic();
        }
    }
}

/// So many times as long as saving took nothing is saved again: a large file must
/// not keep the disk busy because invalidations come one after the other.
const REST: u32 = 10;

async fn save_again_and_again<S: SubscriptionStore>(
    shared: Weak<Shared<S>>,
    hurry: Arc<Notify>,
    every: Duration,
) {
    loop {
        let pause = |shared: Arc<Shared<S>>| shared.entries.jitter().spread(every);
        let Some(pause) = shared.upgrade().map(pause) else {
            return;
        };
        // Whichever comes first.
        let _ = timeout(pause, hurry.notified()).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let begun = Instant::now();
        match spawn_blocking(move || shared.save()).await {
            Ok(()) => {}
            Err(error) if error.is_panic() => tell_of_panic(),
            // The runtime is shutting down.
            Err(_) => return,
        }
        sleep(begun.elapsed().saturating_mul(REST).min(every)).await;
    }
}

fn tell_of_panic() {
    error!("what is cached is not kept: the store behind the cache panicked");
}
