use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::store::backoff::{Backoff, LONGEST};
#[cfg(feature = "http-client")]
use crate::store::http::HttpClient;
use crate::store::http::follow::{Follower, Rhythm};
use crate::store::http::requests::Requests;
use crate::store::http::{HttpConfigError, HttpError, HttpOpenError, HttpService, HttpStore};
use crate::store::replica::{First, Following, KeptSnapshot, Replica};
use crate::store::snapshot::{SnapshotFile, SnapshotKind};

/// Builds an [`HttpStore`]. Made by [`HttpStore::builder`].
///
/// Settings that cannot work are reported when the store is opened or started.
/// Durations of more than a year count as a year.
#[derive(Clone)]
#[must_use = "a builder does nothing until the store is opened"]
pub struct HttpStoreBuilder {
    requests: Requests,
    interval: Duration,
    hold: Option<Duration>,
    full_reload: Duration,
    pauses: (Duration, Duration),
    max_staleness: Option<Duration>,
    snapshot: Option<PathBuf>,
    snapshot_after: Duration,
}

impl HttpStoreBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            requests: Requests::new(url, Duration::from_secs(30), 256 << 20),
            interval: Duration::from_secs(10),
            hold: None,
            full_reload: Duration::from_secs(3600),
            pauses: (Duration::from_millis(250), Duration::from_secs(30)),
            max_staleness: None,
            snapshot: None,
            snapshot_after: Duration::from_secs(5),
        }
    }

    /// Sets the `Authorization` header of every request. It is never shown. Default:
    /// none.
    pub fn authorization(mut self, value: &str) -> Self {
        self.requests.set_authorization(value);
        self
    }

    /// Sets how often the remote server is asked for changes, less up to a fifth at
    /// random. Default: 10 seconds.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Asks the remote server to hold each request until something changes, for at
    /// most the given time (`Prefer: wait=N`, in whole seconds). Stay below the
    /// timeouts of proxies on the way: 30 seconds is a good choice. A server that does
    /// not hold requests or sends no `ETag` is still asked at intervals. Default: always
    /// ask at intervals.
    pub fn long_poll(mut self, wait: Duration) -> Self {
        self.hold = Some(wait);
        self
    }

    /// Sets how long `304 Not Modified` is believed before the whole catalog is
    /// fetched again, in case an `ETag` was used again for other content. Default: one
    /// hour.
    pub fn full_reload_interval(mut self, interval: Duration) -> Self {
        self.full_reload = interval;
        self
    }

    /// Sets the pauses after failed attempts: they double from the first to the
    /// longest, less up to half at random. Default: 250 milliseconds and 30
    /// seconds.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.pauses = (first, longest);
        self
    }

    /// Sets how long a whole answer may take, to its last byte. With
    /// [`long_poll`](Self::long_poll), the time for which the server holds the request
    /// is added. Default: 30 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.requests.timeout = timeout;
        self
    }

    /// Sets how many bytes a catalog document may have. Default: 256 MiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.requests.max_bytes = bytes;
        self
    }

    /// Sets how long a version is served after the remote server last confirmed it.
    /// After that, every request gets a 503. Choose far more than the poll
    /// interval. Default: without end.
    pub fn max_staleness(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = Some(max_staleness);
        self
    }

    /// Keeps the last version in the given file ([`SnapshotFile`]), and uses it if
    /// the remote server cannot be reached at the start. Its directory must exist.
    /// A file from another URL, query or authorization is not used, nor one that is
    /// older than [`max_staleness`](Self::max_staleness). Default: no file.
    pub fn keep_snapshot(mut self, path: impl Into<PathBuf>) -> Self {
        self.snapshot = Some(path.into());
        self
    }

    /// Sets how long to wait for the first answer before the snapshot is used.
    ///  Default: 5 seconds.
    pub fn snapshot_after(mut self, wait: Duration) -> Self {
        self.snapshot_after = wait;
        self
    }

    /// Same as [`open_with`](Self::open_with) the [ready-made client](HttpClient).
    ///
    /// # Errors
    ///
    /// [`HttpOpenError`]
    #[cfg(feature = "http-client")]
    pub async fn open(self) -> Result<HttpStore, HttpOpenError> {
        self.open_with(HttpClient::new()).await
    }

    /// Same as [`start_with`](Self::start_with) the [ready-made client](HttpClient).
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`]
    #[cfg(feature = "http-client")]
    pub fn start(self) -> Result<HttpStore, HttpConfigError> {
        self.start_with(HttpClient::new())
    }

    /// Opens the store with the given client and waits for the first version.
    ///
    /// # Errors
    ///
    /// [`HttpOpenError`] if a setting cannot work, or if the first attempt fails and
    /// there is no snapshot to use.
    pub async fn open_with(self, client: impl HttpService) -> Result<HttpStore, HttpOpenError> {
        let (following, first) = self.begin(client)?;
        let opened = following.opened(first).await;
        opened.map_err(HttpOpenError::Fetch)?;
        Ok(HttpStore(Arc::new(following)))
    }

    /// Starts the store with the given client without waiting: requests get a 503
    /// until there is a version.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] if a setting cannot work.
    pub fn start_with(self, client: impl HttpService) -> Result<HttpStore, HttpConfigError> {
        let (following, _) = self.begin(client)?;
        Ok(HttpStore(Arc::new(following)))
    }

    fn begin<C: HttpService>(
        self,
        client: C,
    ) -> Result<(Following<HttpError>, First<HttpError>), HttpConfigError> {
        let requests = self.requests.checked()?;
        let (pause, longest_pause) = self.pauses;
        for (setting, time) in [
            ("poll_interval", Some(self.interval)),
            ("long_poll", self.hold),
            ("full_reload_interval", Some(self.full_reload)),
            ("backoff", Some(pause)),
            ("max_staleness", self.max_staleness),
        ] {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(HttpConfigError::Zero(setting));
            }
        }
        if pause > longest_pause {
            return Err(HttpConfigError::Backoff);
        }
        let rhythm = Rhythm {
            interval: self.interval,
            hold: self.hold.map(|hold| hold.min(LONGEST)),
            full_reload: self.full_reload,
            backoff: Backoff::new(pause, longest_pause),
        };
        let runtime = Handle::try_current().map_err(|_| HttpConfigError::NoRuntime)?;
        let replica = Arc::new(Replica::new(requests.name(), self.max_staleness));
        let snapshot = self.snapshot.map(|path| {
            let file = SnapshotFile::new(path).with_source(requests.selection());
            KeptSnapshot {
                file: file.of_kind(SnapshotKind::Http),
                after: self.snapshot_after,
            }
        });
        let follower = {
            let replica = Arc::clone(&replica);
            move || {
                let replica = Arc::clone(&replica);
                Follower::new(client.clone(), requests.clone(), rhythm.clone(), replica)
            }
        };
        Ok(Following::start(&runtime, replica, snapshot, follower))
    }
}

impl fmt::Debug for HttpStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStoreBuilder").finish_non_exhaustive()
    }
}
