//! The engine under every store that keeps a whole catalog in memory: the
//! version in use, its age, the status, and the background task that follows the
//! source.
//!
//! A store reads its source as it likes and says what it found:
//! [`Replica::publish`], [`Replica::confirm`] or [`Replica::fail`]. The last good
//! version stays in use until there is a better one; a failure is logged when it
//! begins, changes or ends, and not in between.

#[cfg(any(feature = "http", feature = "sql"))]
mod follow;
mod freshness;
mod status;
mod task;
mod text;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::catalog::{Catalog, Live};

#[cfg(any(feature = "http", feature = "sql"))]
pub(crate) use follow::{First, Following, KeptSnapshot, Source};
pub use status::{Origin, StoreStatus};
pub(crate) use task::{FollowTask, RunGuard};
pub(crate) use text::describe;

use freshness::Freshness;

/// Why a store that keeps a whole catalog cannot answer. The client gets a 503;
/// the cause is in [`StoreStatus::last_error`], and was logged once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogUnavailable {
    /// No version has been loaded yet.
    #[error("no catalog has been loaded yet; the status of the store has the cause")]
    NotLoaded,
    /// The version in use has not been confirmed for longer than `max_staleness`.
    #[error(
        "the catalog was last confirmed {age:.1?} ago, and at most {max_staleness:?} is allowed"
    )]
    Stale {
        /// The time since it was last confirmed.
        age: Duration,
        /// The bound, as it was set.
        max_staleness: Duration,
    },
}

/// A catalog that follows a source.
pub(crate) struct Replica {
    /// The source, for people: a path, a URL without its secrets.
    source: String,
    live: Live,
    /// The version in use under the source's own name for it.
    named: Mutex<Option<(Arc<str>, Catalog)>>,
    freshness: Freshness,
    status: watch::Sender<StoreStatus>,
    /// Whether something follows the source.
    is_running: AtomicBool,
    /// Whether the store is gone, so that nothing has to.
    is_closed: AtomicBool,
}

impl Replica {
    /// A replica without a version. With `max_staleness` it refuses to answer
    /// when its version has not been confirmed for that long.
    pub(crate) fn new(source: impl Into<String>, max_staleness: Option<Duration>) -> Self {
        Self {
            source: source.into(),
            live: Live::empty(),
            named: Mutex::default(),
            freshness: Freshness::new(max_staleness),
            status: watch::Sender::default(),
            is_running: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn max_staleness(&self) -> Option<Duration> {
        self.freshness.max_staleness
    }

    /// The source, for people.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The version in use, for a request.
    pub(crate) fn current(&self) -> Result<Arc<Catalog>, CatalogUnavailable> {
        let catalog = self.live.published().ok_or(CatalogUnavailable::NotLoaded)?;
        self.freshness.check()?;
        Ok(catalog)
    }

    /// The version in use, however old it is.
    pub(crate) fn catalog(&self) -> Option<Arc<Catalog>> {
        self.live.published()
    }

    /// The same for a replica that began with a version.
    #[cfg(feature = "file")]
    pub(crate) fn loaded_catalog(&self) -> Arc<Catalog> {
        self.live.load()
    }

    /// The version in use, if the source's name for it is the given one.
    pub(crate) fn at_revision(&self, revision: &str) -> Option<Arc<Catalog>> {
        let named = self.named();
        let (_, catalog) = named.as_ref().filter(|(name, _)| **name == *revision)?;
        Some(Arc::new(catalog.clone()))
    }

    fn named(&self) -> MutexGuard<'_, Option<(Arc<str>, Catalog)>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> StoreStatus {
        self.status.borrow().clone()
    }

    pub(crate) fn watch_status(&self) -> watch::Receiver<StoreStatus> {
        self.status.subscribe()
    }

    /// Puts a version in use that was read from the source just now. `revision` is
    /// the source's own name for it.
    pub(crate) fn publish(&self, catalog: Catalog, revision: Option<&str>) {
        self.put_in_use(catalog, Origin::Source, revision, SystemTime::now());
    }

    /// Puts a version in use that was saved by an earlier process. What is wrong
    /// with the source stays in the status.
    pub(crate) fn publish_snapshot(&self, catalog: Catalog, saved_at: SystemTime) {
        self.put_in_use(catalog, Origin::Snapshot, None, saved_at);
    }

    fn put_in_use(
        &self,
        catalog: Catalog,
        origin: Origin,
        revision: Option<&str>,
        confirmed_at: SystemTime,
    ) {
        #[cfg(feature = "metrics")]
        {
            crate::metrics::reloaded(&self.source, true);
            crate::metrics::confirmed(&self.source, confirmed_at);
        }
        let version = self.status.borrow().version + 1;
        let age = confirmed_at.elapsed().unwrap_or_default();
        tracing::info!(
            source = self.source,
            version,
            origin = origin.as_str(),
            age_seconds = age.as_secs(),
            apis = catalog.apis().count(),
            products = catalog.products().count(),
            subscriptions = catalog.subscription_count(),
            "catalog is in use"
        );
        // Before the version can be read, so that it is never taken for older.
        self.freshness.confirm(age);
        let revision: Option<Arc<str>> = revision.map(Arc::from);
        *self.named() = revision.clone().map(|name| (name, catalog.clone()));
        self.live.publish(catalog);
        self.status.send_modify(|status| {
            status.version = version;
            status.origin = Some(origin);
            status.revision = revision;
            status.loaded_at = Some(SystemTime::now());
            status.confirmed_at = Some(confirmed_at);
            if origin == Origin::Source {
                status.last_error = None;
            }
        });
    }

    /// Says that the version in use is the current one of its source.
    pub(crate) fn confirm(&self, revision: Option<&str>) {
        #[cfg(feature = "metrics")]
        crate::metrics::confirmed(&self.source, SystemTime::now());
        self.freshness.confirm(Duration::ZERO);
        let before = self.status();
        if before.last_error.is_some() {
            let version = before.version;
            tracing::info!(source = self.source, version, "catalog is confirmed again");
        }
        let is_same = before.revision() == revision;
        let revision: Option<Arc<str>> = revision.map(Arc::from);
        if !is_same {
            let catalog = Catalog::clone(&self.live.load());
            *self.named() = revision.clone().map(|name| (name, catalog));
        }
        self.status.send_modify(|status| {
            status.confirmed_at = Some(SystemTime::now());
            status.revision = revision;
            status.last_error = None;
        });
    }

    /// Keeps the version in use because of the given error, which is logged unless
    /// it was the last one already.
    pub(crate) fn fail(&self, error: &dyn Error) {
        #[cfg(feature = "metrics")]
        crate::metrics::reloaded(&self.source, false);
        let version = self.status.borrow().version;
        if let Some(text) = self.note(error, |status| &mut status.last_error) {
            let source = &self.source;
            match version {
                0 => tracing::error!(source, "no catalog could be loaded: {text}"),
                _ => tracing::error!(source, version, "the catalog stays as it was: {text}"),
            }
        }
    }

    /// Puts an error into the status. Returns its text unless it was there already.
    fn note(
        &self,
        error: &dyn Error,
        slot: fn(&mut StoreStatus) -> &mut Option<Arc<str>>,
    ) -> Option<Arc<str>> {
        let text = describe(error);
        let is_new = self.status.send_if_modified(|status| {
            let before = slot(status).replace(Arc::clone(&text));
            before.as_ref() != Some(&text)
        });
        is_new.then_some(text)
    }

    /// Records that the source pushed a change.
    pub(crate) fn pushed(&self) {
        #[cfg(feature = "metrics")]
        crate::metrics::pushed(&self.source);
        self.status
            .send_modify(|status| status.last_push = Some(SystemTime::now()));
    }

    /// Says that the source went back to an older version, as a restored backup
    /// does. The version that is published next is used all the same.
    pub(crate) fn went_back(&self, how: &str) {
        tracing::warn!(
            source = self.source,
            "the source went back to an older version of the catalog, which is used from now on: {how}"
        );
        self.status
            .send_modify(|status| status.went_back_at = Some(SystemTime::now()));
    }

    /// Says that the version in use is in the snapshot.
    pub(crate) fn saved(&self, saved_at: SystemTime) {
        if self.status.borrow().snapshot_error.is_some() {
            tracing::info!(source = self.source, "the catalog is saved again");
        }
        self.status.send_modify(|status| {
            status.saved_at = Some(saved_at);
            status.snapshot_error = None;
        });
    }

    /// Says why the version in use is not in the snapshot, which is logged unless
    /// it was the last error already.
    pub(crate) fn save_failed(&self, error: &dyn Error) {
        if let Some(text) = self.note(error, |status| &mut status.snapshot_error) {
            tracing::error!(
                source = self.source,
                "the catalog is not saved, a restart would use an older one: {text}"
            );
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    fn set_running(&self, is_running: bool) {
        self.is_running.store(is_running, Ordering::Relaxed);
        self.status
            .send_modify(|status| status.is_running = is_running);
    }

    /// Says that the store is gone: what ends now ends as it should.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
