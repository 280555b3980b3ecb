//! The task that saves the snapshot.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::clock::Moment;
use super::contents::Contents;
use super::lookup::CacheCore;
use super::snapshot::{Saved, Snapshots};
use crate::store::backoff::{Backoff, spread};
use crate::store::{Holdings, SubscriptionStore};

/// After a save, nothing is saved for this many times as long as it took: a large
/// file must not keep the disk busy while invalidations follow each other.
const REST: u32 = 10;

/// The pause after a save that failed; it grows up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Saves at intervals, and on demand, until the last handle is gone.
pub(super) fn start<S: SubscriptionStore>(
    core: &Arc<CacheCore<S>>,
    runtime: &Handle,
    every: Duration,
) {
    if let Some(snapshots) = &core.snapshots {
        let (wake, jitter) = (Arc::clone(&snapshots.wake), core.settings.jitter);
        let guard = TaskGuard(Arc::downgrade(core));
        let task = runtime.spawn(save_repeatedly(guard, wake, every, jitter));
        let mut slot = snapshots
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = Some(task.abort_handle());
    }
}

/// Reports a saving task that ends before its cache.
struct TaskGuard<S: SubscriptionStore>(Weak<CacheCore<S>>);

impl<S: SubscriptionStore> Drop for TaskGuard<S> {
    fn drop(&mut self) {
        if let Some(core) = self.0.upgrade()
            && let Some(snapshots) = &core.snapshots
        {
            snapshots.set_error(Some(
                "the task that saves it has ended, probably because its runtime was shut down: \
                 keep that runtime alive as long as the store"
                    .to_owned(),
            ));
        }
    }
}

async fn save_repeatedly<S: SubscriptionStore>(
    guard: TaskGuard<S>,
    wake: Arc<Notify>,
    every: Duration,
    jitter: f64,
) {
    let mut retry = Backoff::new(FIRST_RETRY.min(every), every);
    let mut is_saved = true;
    loop {
        if is_saved {
            retry.reset();
            // Whichever comes first.
            let _ = timeout(spread(every, jitter), wake.notified()).await;
        } else {
            // Demands do not shorten the pause: the next save would fail, too.
            sleep(retry.pause()).await;
        }
        let Some(core) = guard.0.upgrade() else {
            return;
        };
        let begun = Instant::now();
        is_saved = match spawn_blocking(move || core.save()).await {
            Ok(is_saved) => is_saved,
            // The runtime is shutting down.
            Err(_) => return,
        };
        sleep(begun.elapsed().saturating_mul(REST).min(every)).await;
    }
}

impl<S: SubscriptionStore> CacheCore<S> {
    /// Saves what changed, and reports whether that works. Returns `false` if it is to
    /// be tried again. Blocks.
    fn save(&self) -> bool {
        let Some(snapshots) = &self.snapshots else {
            return true;
        };
        // A store that panics must end neither the task nor, during another panic, the
        // process.
        let saved = catch_unwind(AssertUnwindSafe(|| self.save_to(snapshots)));
        let panicked = |_| Err("the store behind the cache panicked".to_owned());
        match saved.unwrap_or_else(panicked) {
            Ok(true) => snapshots.set_error(None),
            Ok(false) => {}
            Err(error) => {
                self.entries.set_changed();
                snapshots.set_error(Some(error));
                return false;
            }
        }
        true
    }

    /// Returns whether the file was written.
    fn save_to(&self, snapshots: &Snapshots) -> Result<bool, String> {
        let wall = SystemTime::now();
        let now = self.clock.now();
        let (definitions, as_of) = match self.store.holdings() {
            Ok(Holdings::Definitions(definitions)) => (definitions, wall),
            Ok(_) => {
                return Err(
                    "the store behind the cache does not have APIs and products besides keys"
                        .to_owned(),
                );
            }
            // Invalidated keys still leave the file. The rest of it becomes no younger.
            Err(_) => match &*snapshots.saved() {
                Saved {
                    at: Some(at),
                    definitions: Some(definitions),
                    ..
                } => (Arc::clone(definitions), *at),
                _ => return Ok(false),
            },
        };
        // First: what changes from here on is for the next save.
        let changed = self.entries.take_changed();
        let saved = snapshots.saved().definitions.clone();
        if !changed && saved.is_some_and(|saved| saved.has_definitions_of(&definitions)) {
            return Ok(false);
        }
        let found = self.entries.all_found(now);
        let contents = Contents::gather(&definitions, found, as_of, |fresh_until: Moment| {
            wall.checked_sub(now.since(fresh_until)).unwrap_or(as_of)
        });
        let Contents {
            catalog,
            confirmed,
            left_out,
        } = contents.map_err(|error| error.to_string())?;
        let written = snapshots.file.save_as_of(&catalog, as_of, &confirmed);
        written.map_err(|error| match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })?;
        let subscriptions = catalog.subscription_count();
        debug!(
            subscriptions,
            left_out, "the snapshot of the cache was saved"
        );
        let mut saved = snapshots.saved();
        saved.at = Some(as_of);
        saved.definitions = Some(definitions);
        Ok(true)
    }
}

/// The last handle saves the last changes, and blocks its thread: a task would be
/// lost with a process that ends now.
impl<S: SubscriptionStore> Drop for CacheCore<S> {
    fn drop(&mut self) {
        self.save();
    }
}
