use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::store::backoff::Backoff;
#[cfg(feature = "http-client")]
use crate::store::http::HttpClient;
use crate::store::http::follow::{Follower, Memory, Reloaded, Rhythm};
use crate::store::http::requests::{RequestSettings, at_least_some};
use crate::store::http::{HttpConfigError, HttpError, HttpOpenError, HttpService, HttpStore};
use crate::store::replica::{FollowTask, Replica};
use crate::store::save::Saver;
use crate::store::snapshot::{SnapshotFile, SnapshotKind};

/// A builder of an [`HttpStore`].
///
/// Settings that cannot work are reported when the store is opened or started.
/// Durations of more than a year count as a year.
#[derive(Clone)]
#[must_use = "a builder does nothing until the store is opened"]
pub struct HttpStoreBuilder {
    requests: RequestSettings,
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
            requests: RequestSettings::new(url, Duration::from_secs(30), 256 << 20),
            interval: Duration::from_secs(10),
            hold: None,
            full_reload: Duration::from_secs(3600),
            pauses: (Duration::from_millis(250), Duration::from_secs(30)),
            max_staleness: None,
            snapshot: None,
            snapshot_after: Duration::from_secs(5),
        }
    }

    /// Sets the `Authorization` header of every request, for example `Bearer …`.
    /// It is never shown. Default: none.
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
    /// most the given time (in whole seconds, `Prefer: wait=N`). Stay below the
    /// timeouts of proxies on the way: 30 seconds is a good choice. Default: ask at
    /// intervals.
    ///
    /// A remote server that does not hold requests, or sends no `ETag`, is asked at
    /// intervals all the same.
    pub fn long_poll(mut self, wait: Duration) -> Self {
        self.hold = Some(wait);
        self
    }

    /// Sets how long `304 Not Modified` is believed before the whole catalog is
    /// fetched again. A remote server that loses its count and uses an `ETag` again
    /// for other content is noticed then, or after the next failed request.
    /// Default: one hour.
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

    /// Sets how long a whole answer may take, to its last byte. A held one may take
    /// that much longer. Default: 30 seconds.
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
    /// interval. Default: without end, because an outage of the remote server is no
    /// reason for one here; [`StoreStatus::age`] says how old the version is.
    ///
    /// [`StoreStatus::age`]: crate::store::StoreStatus::age
    pub fn max_staleness(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = Some(max_staleness);
        self
    }

    /// Keeps the last version in the given file ([`SnapshotFile`]), and uses it if
    /// the remote server cannot be reached at the start. Its directory must exist.
    /// A file from another URL, query or authorization is not used, nor one that is
    /// older than [`max_staleness`](Self::max_staleness). Default: no file.
    ///
    /// A write that fails is tried again, and reported in the log and in
    /// [`StoreStatus::snapshot_error`].
    ///
    /// [`StoreStatus::snapshot_error`]: crate::store::StoreStatus::snapshot_error
    pub fn keep_snapshot(mut self, path: impl Into<PathBuf>) -> Self {
        self.snapshot = Some(path.into());
        self
    }

    /// Sets how long the very first answer is waited for before the snapshot is
    /// used. Default: 5 seconds.
    pub fn snapshot_after(mut self, wait: Duration) -> Self {
        self.snapshot_after = wait;
        self
    }

    /// Opens the store with the [ready-made client](HttpClient) and waits for the
    /// first version.
    ///
    /// # Errors
    ///
    /// [`HttpOpenError`] if a setting cannot work, or if the first attempt fails and
    /// there is no snapshot to use.
    #[cfg(feature = "http-client")]
    pub async fn open(self) -> Result<HttpStore, HttpOpenError> {
        self.open_with(HttpClient::new()).await
    }

    /// Starts the store with the [ready-made client](HttpClient) without waiting:
    /// requests get a 503 until there is a version.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] if a setting cannot work.
    #[cfg(feature = "http-client")]
    pub fn start(self) -> Result<HttpStore, HttpConfigError> {
        self.start_with(HttpClient::new())
    }

    /// Opens the store with another client and waits for the first version.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub async fn open_with(self, client: impl HttpService) -> Result<HttpStore, HttpOpenError> {
        let (sender, first) = oneshot::channel();
        let store = self.start_and_answer(client, Some(sender))?;
        let mut status = store.watch_status();
        let is_loaded = Box::pin(status.wait_for(|status| status.version() > 0));
        // A snapshot may be in use before the first answer is there.
        let failed = match select(first, is_loaded).await {
            Either::Left((Ok(Err(error)), _)) => Some(error),
            Either::Left((Err(_), _)) => Some(Arc::new(HttpError::Interrupted)),
            Either::Left((Ok(Ok(_)), _)) | Either::Right(_) => None,
        };
        match failed {
            Some(error) if store.catalog().is_none() => Err(HttpOpenError::Fetch(error)),
            _ => Ok(store),
        }
    }

    /// Starts the store with another client without waiting: requests get a 503
    /// until there is a version.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub fn start_with(self, client: impl HttpService) -> Result<HttpStore, HttpConfigError> {
        self.start_and_answer(client, None)
    }

    fn start_and_answer<C: HttpService>(
        self,
        client: C,
        first: Option<oneshot::Sender<Reloaded>>,
    ) -> Result<HttpStore, HttpConfigError> {
        let requests = self.requests.build()?;
        let rhythm = self.rhythm()?;
        let max_staleness = self.max_staleness;
        let runtime = Handle::try_current().map_err(|_| HttpConfigError::NoRuntime)?;
        let replica = Arc::new(Replica::new(requests.name(), max_staleness));
        let snapshot = self.snapshot.map(|path| {
            let file = SnapshotFile::new(path).with_source(requests.selection());
            let file = file.of_kind(SnapshotKind::Http);
            match max_staleness {
                Some(max_staleness) => file.with_max_age(max_staleness),
                None => file,
            }
        });
        let (sender, reloads) = mpsc::unbounded_channel();
        // The receiver is there.
        let _ = first.map(|first| sender.send(first));
        let reloads = Arc::new(Mutex::new(reloads));
        let follow = {
            let replica = Arc::clone(&replica);
            move || {
                let (file, replica) = (snapshot.clone(), Arc::clone(&replica));
                let follower = Follower {
                    client: client.clone(),
                    requests: requests.clone(),
                    rhythm: rhythm.clone(),
                    replica: Arc::clone(&replica),
                    snapshot: file.clone(),
                    saver: None,
                    memory: Memory::default(),
                };
                let reloads = Arc::clone(&reloads);
                async move {
                    let saver = file.map(|file| Saver::start(file, max_staleness, replica));
                    Follower { saver, ..follower }.run(reloads).await;
                }
            }
        };
        let task = FollowTask::start(Arc::clone(&replica), &runtime, follow);
        Ok(HttpStore::new(replica, sender, task))
    }

    fn rhythm(&self) -> Result<Rhythm, HttpConfigError> {
        let (first, longest) = self.pauses;
        if first > longest {
            return Err(HttpConfigError::Backoff);
        }
        if self.max_staleness.is_some_and(|most| most.is_zero()) {
            return Err(HttpConfigError::Zero("max_staleness"));
        }
        let hold = self.hold.map(|hold| at_least_some("long_poll", hold));
        Ok(Rhythm {
            interval: at_least_some("poll_interval", self.interval)?,
            hold: hold.transpose()?,
            full_reload: at_least_some("full_reload_interval", self.full_reload)?,
            backoff: Backoff::new(at_least_some("backoff", first)?, longest),
            snapshot_after: self.snapshot_after.min(crate::store::backoff::LONGEST),
        })
    }
}

impl fmt::Debug for HttpStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStoreBuilder").finish_non_exhaustive()
    }
}
