use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::store::SnapshotFile;
#[cfg(feature = "http-client")]
use crate::store::http::HttpClient;
use crate::store::http::asking::Asking;
use crate::store::http::delays::Backoff;
use crate::store::http::disk::Disk;
use crate::store::http::state::Shared;
use crate::store::http::worker::{Memory, Rhythm, Worker};
use crate::store::http::{HttpConfigError, HttpConnectError, HttpService, HttpStore};

/// Sets up an [`HttpStore`].
///
/// Settings that cannot work are told when it is connected.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is connected"]
pub struct HttpStoreBuilder {
    asking: Asking,
    interval: Duration,
    hold: Option<Duration>,
    pauses: (Duration, Duration),
    max_age: Option<Duration>,
    snapshot: Option<PathBuf>,
    patience: Duration,
}

impl HttpStoreBuilder {
    pub(super) fn new(uri: &str) -> Self {
        Self {
            asking: Asking::new(uri, 256 << 20),
            interval: Duration::from_secs(10),
            hold: None,
            pauses: (Duration::from_millis(250), Duration::from_secs(30)),
            max_age: None,
            snapshot: None,
            patience: Duration::from_secs(5),
        }
    }

    /// The `Authorization` header of every request, for example `Bearer …`.
    /// Default: none. It is never shown.
    pub fn authorization(mut self, value: &str) -> Self {
        self.asking.set_authorization(value);
        self
    }

    /// How often the remote server is asked whether anything has changed, less up to
    /// a fifth by chance. Default: 10 seconds.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Asks the remote server to hold each request until something changes, for at most
    /// that long (in whole seconds, `Prefer: wait=N`). Stay below the time-outs
    /// of proxies on the way: 30 seconds is a good choice. Default: ask at
    /// intervals.
    ///
    /// A remote server that does not hold requests, or gives no `ETag`, is asked at
    /// intervals all the same.
    pub fn long_poll(mut self, wait: Duration) -> Self {
        self.hold = Some(wait);
        self
    }

    /// The pauses after attempts that failed: they double from the first to the
    /// longest, less up to half by chance. Default: 250 milliseconds and 30
    /// seconds.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.pauses = (first, longest);
        self
    }

    /// How long a whole answer may take, to its last byte; one that is held, so
    /// much longer. Default: 30 seconds.
    pub fn time_out(mut self, time_out: Duration) -> Self {
        self.asking.time_out = time_out;
        self
    }

    /// How many bytes a catalog document may have. Default: 256 MiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.asking.limit = bytes;
        self
    }

    /// For how long a version is served after the remote server last confirmed it.
    /// Then every request gets a 503. Default: without end, because an outage
    /// of the remote server is no reason for one here; [`HttpStatus::age`] tells.
    ///
    /// Choose far more than the poll interval.
    ///
    /// [`HttpStatus::age`]: super::HttpStatus::age
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Keeps the last version in that file ([`SnapshotFile`]), and starts with it
    /// where the remote server cannot be asked. Its directory must be there. Default:
    /// no file.
    ///
    /// The file also counts against [`max_age`](Self::max_age).
    pub fn keep_snapshot(mut self, path: impl Into<PathBuf>) -> Self {
        self.snapshot = Some(path.into());
        self
    }

    /// How long the very first answer is waited for before the snapshot stands
    /// in. Default: 5 seconds.
    pub fn snapshot_after(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Connects with the [ready-made client](HttpClient), and waits for the
    /// first version.
    ///
    /// # Errors
    ///
    /// [`HttpConnectError`] where the settings cannot work, or the first attempt
    /// fails and no snapshot stands in.
    #[cfg(feature = "http-client")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
    pub async fn connect(self) -> Result<HttpStore, HttpConnectError> {
        self.connect_with(HttpClient::new()).await
    }

    /// [`connect`](Self::connect) without waiting: requests get a 503 until
    /// there is a version.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] where the settings cannot work.
    #[cfg(feature = "http-client")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
    pub fn connect_lazy(self) -> Result<HttpStore, HttpConfigError> {
        self.connect_lazy_with(HttpClient::new())
    }

    /// Connects with a client of yours, and waits for the first version.
    ///
    /// # Errors
    ///
    /// [`HttpConnectError`] where the settings cannot work, or the first attempt
    /// fails and no snapshot stands in.
    pub async fn connect_with(
        self,
        client: impl HttpService,
    ) -> Result<HttpStore, HttpConnectError> {
        self.connect_lazy_with(client)?.first_version().await
    }

    /// [`connect_with`](Self::connect_with) without waiting: requests get a 503
    /// until there is a version.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] where the settings cannot work.
    pub fn connect_lazy_with(self, client: impl HttpService) -> Result<HttpStore, HttpConfigError> {
        let asking = self.asking.check()?;
        let rhythm = self.rhythm()?;
        let runtime = Handle::try_current().map_err(|_| HttpConfigError::NoRuntime)?;
        let name = asking.name();
        let shared = Arc::new(Shared::new(name, self.max_age));
        let disk = self.snapshot.map(|path| {
            let mut file = SnapshotFile::new(path).with_source(shared.name());
            if let Some(max_age) = self.max_age {
                file = file.with_max_age(max_age);
            }
            Disk::start(file, self.max_age, Arc::clone(&shared))
        });
        let worker = Worker {
            client,
            asking,
            rhythm,
            shared: Arc::clone(&shared),
            disk,
            memory: Memory::default(),
        };
        let (sender, refreshes) = mpsc::unbounded_channel();
        let task = runtime.spawn(worker.run(refreshes));
        Ok(HttpStore::new(shared, sender, task.abort_handle()))
    }

    fn rhythm(&self) -> Result<Rhythm, HttpConfigError> {
        let (first, longest) = self.pauses;
        let hold = self.hold.unwrap_or(self.interval);
        let max_age = self.max_age.unwrap_or(self.interval);
        for (setting, is_wrong) in [
            ("poll_interval", self.interval.is_zero()),
            ("long_poll", hold.is_zero()),
            ("backoff", first.is_zero() || first > longest),
            ("max_age", max_age.is_zero()),
        ] {
            if is_wrong {
                return Err(HttpConfigError::Setting(setting));
            }
        }
        Ok(Rhythm {
            interval: self.interval,
            hold: self.hold,
            backoff: Backoff::new(first, longest),
            patience: self.patience,
        })
    }
}

impl std::fmt::Debug for HttpStoreBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpStoreBuilder").finish_non_exhaustive()
    }
}
