use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::catalog::Live;
use crate::store::http::status::{HttpStatus, Origin};
use crate::store::http::{HttpError, HttpStoreError};

/// What the handles and the background task share.
pub(super) struct Shared {
    name: String,
    published: OnceLock<Live>,
    status: watch::Sender<HttpStatus>,
    freshness: Freshness,
}

/// How long ago the version in use was known to be current, against the bound.
struct Freshness {
    max_age: Option<Duration>,
    start: Instant,
    /// In milliseconds from the start; before it for a version from the disk.
    current_at: AtomicI64,
}

impl Freshness {
    fn set(&self, age: Duration) {
        let now = millis(self.start.elapsed());
        let at = now.saturating_sub(millis(age));
        self.current_at.store(at, Ordering::Release);
    }

    fn check(&self) -> Result<(), HttpStoreError> {
        let Some(max_age) = self.max_age else {
            return Ok(());
        };
        let now = millis(self.start.elapsed());
        let age = now.saturating_sub(self.current_at.load(Ordering::Acquire));
        let age = Duration::from_millis(age.unsigned_abs());
        if age <= max_age {
            return Ok(());
        }
        Err(HttpStoreError::TooOld { age, max_age })
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl Shared {
    pub(super) fn new(name: String, max_age: Option<Duration>) -> Self {
        Self {
            name,
            published: OnceLock::new(),
            status: watch::Sender::new(HttpStatus::default()),
            freshness: Freshness {
                max_age,
                start: Instant::now(),
                current_at: AtomicI64::new(0),
            },
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn status(&self) -> HttpStatus {
        self.status.borrow().clone()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<HttpStatus> {
        self.status.subscribe()
    }

    /// The version in use, if there is one, however old it is.
    pub(super) fn catalog(&self) -> Option<Catalog> {
        self.published.get().map(Live::snapshot)
    }

    #[inline]
    pub(super) fn current(&self) -> Result<Arc<Catalog>, HttpStoreError> {
        let Some(published) = self.published.get() else {
            let cause = self.status.borrow().last_error.clone();
            return Err(HttpStoreError::NoVersion(cause));
        };
        self.freshness.check()?;
        Ok(published.load())
    }

    /// Puts a version from the remote server in use.
    pub(super) fn publish(&self, catalog: Catalog, etag: Option<String>) {
        self.put_in_use(catalog, Origin::RemoteServer, etag, SystemTime::now());
    }

    /// Puts a version from the disk in use.
    pub(super) fn publish_saved(&self, catalog: Catalog, saved_at: SystemTime) {
        self.put_in_use(catalog, Origin::Disk, None, saved_at);
    }

    fn put_in_use(
        &self,
        catalog: Catalog,
        origin: Origin,
        etag: Option<String>,
        current_at: SystemTime,
    ) {
        let version = self.status.borrow().version + 1;
        tracing::info!(
            remote = %self.name,
            version,
            origin = origin.as_str(),
            age_seconds = current_at.elapsed().unwrap_or_default().as_secs(),
            apis = catalog.apis().count(),
            products = catalog.products().count(),
            subscriptions = catalog.subscription_count(),
            "catalog is in use"
        );
        // Before the version can be read, so that it is never taken for older.
        self.freshness.set(current_at.elapsed().unwrap_or_default());
        self.replace(catalog);
        self.status.send_modify(|status| {
            status.version = version;
            status.origin = Some(origin);
            status.etag = etag;
            status.loaded_at = Some(SystemTime::now());
            status.current_at = Some(current_at);
            if origin == Origin::RemoteServer {
                status.last_error = None;
            }
        });
    }

    fn replace(&self, catalog: Catalog) {
        match self.published.get() {
            Some(published) => {
                let _: Result<u64, std::convert::Infallible> = published.update(|_| Ok(catalog));
            }
            // Only one task publishes, so that nobody has been quicker.
            None => drop(self.published.set(Live::new(catalog))),
        }
    }

    /// The remote server says that the version in use is the current one.
    pub(super) fn confirm(&self, etag: Option<String>) {
        self.freshness.set(Duration::ZERO);
        if self.status.borrow().last_error.is_some() {
            tracing::info!(remote = %self.name, "catalog is confirmed again");
        }
        self.status.send_modify(|status| {
            status.current_at = Some(SystemTime::now());
            status.etag = etag;
            status.last_error = None;
        });
    }

    /// Keeps the version in use, and tells why, unless that was told last.
    pub(super) fn refuse(&self, error: &Arc<HttpError>) {
        let text = chain(error);
        let is_known = |last: &Arc<HttpError>| chain(last) == text;
        let (version, known) = {
            let status = self.status.borrow();
            (
                status.version,
                status.last_error.as_ref().is_some_and(is_known),
            )
        };
        if !known {
            let remote = &self.name;
            tracing::error!(%remote, version, "no new catalog, that version stays in use: {text}");
        }
        self.status
            .send_modify(|status| status.last_error = Some(Arc::clone(error)));
    }

    /// The first attempt is over, whatever it led to.
    pub(super) fn begun(&self) {
        self.status.send_modify(|status| status.begun = true);
    }

    pub(super) fn saved(&self, saved_at: SystemTime) {
        self.status
            .send_modify(|status| status.saved_at = Some(saved_at));
    }
}

/// An error with all that led to it: what a client reports by itself is often
/// only that something went wrong.
pub(super) fn chain(error: &(impl std::error::Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
