//! The found keys in a file, for a start while the store cannot be asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tracing::{error, info, warn};

use super::clock::Moment;
use super::contents;
use super::entries::Entries;
use crate::catalog::{Catalog, KeyOwner};
use crate::store::Answer;
use crate::store::snapshot::{Snapshot, SnapshotFile};

/// The file, what it held at the start, and what it holds now.
pub(super) struct Snapshots {
    pub(super) file: SnapshotFile,
    stand_in: Option<StandIn>,
    /// Whether the store has had definitions: those of the file are then older.
    has_answered: AtomicBool,
    saved: Mutex<Saved>,
    /// Wakes the saving task before its time.
    pub(super) wake: Arc<Notify>,
    pub(super) task: Mutex<Option<AbortHandle>>,
}

/// APIs and products from the file.
struct StandIn {
    definitions: Arc<Catalog>,
    until: Moment,
}

/// What the file holds.
#[derive(Default)]
pub(super) struct Saved {
    pub(super) at: Option<SystemTime>,
    pub(super) definitions: Option<Arc<Catalog>>,
    pub(super) error: Option<String>,
}

impl Snapshots {
    /// Fills the empty cache with what the file contains, if it can be used. Blocks.
    pub(super) fn restore(file: SnapshotFile, cache: EmptyCache<'_>) -> Self {
        let path = file.path().display().to_string();
        let mut saved = Saved::default();
        let mut stand_in = None;
        match file.load() {
            Ok(Some(snapshot)) => {
                stand_in = cache.fill(&snapshot, &path);
                if let Some(StandIn { definitions, .. }) = &stand_in {
                    saved.at = Some(snapshot.saved_at());
                    saved.definitions = Some(Arc::clone(definitions));
                }
            }
            Ok(None) => info!(path, "there is no snapshot yet: the cache starts empty"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(path, error, "the snapshot is not used");
            }
        }
        Self {
            file,
            stand_in,
            has_answered: AtomicBool::new(false),
            saved: Mutex::new(saved),
            wake: Arc::default(),
            task: Mutex::default(),
        }
    }

    /// Notes that saving failed or works. Logs each error once.
    pub(super) fn set_error(&self, error: Option<String>) {
        let mut saved = self.saved();
        if saved.error == error {
            return;
        }
        let path = self.file.path().display();
        match &error {
            Some(error) => error!(%path, "the snapshot of the cache is not up to date: {error}"),
            None => info!(%path, "the snapshot of the cache is up to date again"),
        }
        saved.error = error;
    }

    /// The definitions from the file, while the store has none.
    #[inline]
    pub(super) fn stand_in(
        &self,
        store_answers: bool,
        now: impl FnOnce() -> Moment,
    ) -> Option<Arc<Catalog>> {
        let stand_in = self.stand_in.as_ref()?;
        if self.has_answered.load(Ordering::Relaxed) {
            return None;
        }
        if store_answers {
            self.has_answered.store(true, Ordering::Relaxed);
            return None;
        }
        (now() < stand_in.until).then(|| Arc::clone(&stand_in.definitions))
    }

    pub(super) fn saved(&self) -> MutexGuard<'_, Saved> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

/// A cache that has not been used yet.
pub(super) struct EmptyCache<'c> {
    pub(super) entries: &'c Entries,
    pub(super) stale_for: Duration,
    pub(super) now: Moment,
}

impl EmptyCache<'_> {
    fn fill(&self, snapshot: &Snapshot, path: &str) -> Option<StandIn> {
        let saved_at = snapshot.saved_at();
        let Some(fresh_until) = self.moment_of(saved_at) else {
            warn!(path, ?saved_at, "the snapshot is not used: it is too old");
            return None;
        };
        let definitions = Arc::new(contents::definitions_of(snapshot.catalog()).ok()?);
        let mut read = 0;
        for subscription in snapshot.catalog().subscriptions() {
            let confirmed_at = snapshot.confirmed_at(subscription.id());
            let Some(fresh_until) = self.moment_of(confirmed_at) else {
                continue;
            };
            let subscription = Arc::new(subscription);
            for (held, key) in subscription.held_keys() {
                let owner = KeyOwner::held(Arc::clone(&subscription), held);
                let answer = Answer::new(Some(owner)).with_definitions(Arc::clone(&definitions));
                self.entries.put_stale(*key.digest(), answer, fresh_until);
                read += 1;
            }
        }
        let (keys, _) = self.entries.counts();
        if keys < read {
            // The file has keys that do not fit into the cache. Replace it, and at once
            // if one of those is invalidated.
            self.entries.set_changed();
        }
        let age = saved_at.elapsed().unwrap_or_default();
        warn!(
            path,
            ?age,
            keys,
            "the snapshot is used until the store behind the cache answers"
        );
        let until = fresh_until.after(self.stale_for);
        Some(StandIn { definitions, until })
    }

    /// The time on the clock of the cache, if it can still be served as stale. A time
    /// in the future counts as now, unless the clock must have been wrong.
    fn moment_of(&self, time: SystemTime) -> Option<Moment> {
        let age = time.elapsed();
        let off = age.clone().unwrap_or_else(|ahead| ahead.duration());
        (off < self.stale_for).then(|| self.now.before(age.unwrap_or_default()))
    }
}
