use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::store::file::load::{Loader, on_a_thread};
use crate::store::file::progress::{LoadProgress, OnProgress};
use crate::store::file::watch::{Watch, WatchSettings};
use crate::store::file::{FileError, FileStore};

/// Builds a [`FileStore`]. Made by [`FileStore::builder`].
///
/// ```no_run
/// use std::time::Duration;
/// use tower_subscription_key::FileStore;
///
/// # async fn open() -> Result<(), tower_subscription_key::store::file::FileError> {
/// let store = FileStore::builder("apis.yaml")
///     .file("/run/secrets/subscriptions.yaml")
///     .poll_interval(Duration::from_secs(5))
///     .open()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until the store is opened"]
pub struct FileStoreBuilder {
    files: Vec<PathBuf>,
    watch: bool,
    settings: WatchSettings,
    progress: OnProgress,
    log_findings: bool,
}

/// Shorter times keep a processor busy.
const SHORTEST: Duration = Duration::from_millis(1);

/// Longer times are beyond any clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl FileStoreBuilder {
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        Self {
            files,
            watch: true,
            settings: WatchSettings {
                notifications: true,
                poll_interval: Duration::from_millis(500),
                settle_time: Duration::from_millis(50),
            },
            progress: OnProgress::default(),
            log_findings: false,
        }
    }

    /// Adds another file. All files are one catalog: a subscription in one may
    /// refer to a product in another.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.files.push(path.as_ref().to_owned());
        self
    }

    /// Sets whether the files are watched. Default: `true`. Otherwise only
    /// [`FileStore::reload`] reads them again.
    pub fn watch(mut self, watch: bool) -> Self {
        self.watch = watch;
        self
    }

    /// Sets whether the system is asked for notifications. Default: `true`.
    /// Otherwise the files are only looked at in every poll interval, and a file is
    /// taken for complete when it has not changed for the settle time.
    pub fn notifications(mut self, notifications: bool) -> Self {
        self.settings.notifications = notifications;
        self
    }

    /// Sets how often the files are looked at, whatever the system reports. Default:
    /// half a second. A look asks for size and times; it reads nothing. Between one
    /// millisecond and a year.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval.clamp(SHORTEST, LONGEST);
        self
    }

    /// Sets how long a changed file must be quiet before it is read. Default: 50 ms.
    /// A file that is never quiet is read after six times as long. Between one
    /// millisecond and a year.
    pub fn settle_time(mut self, time: Duration) -> Self {
        self.settings.settle_time = time.clamp(SHORTEST, LONGEST);
        self
    }

    /// Sets a function that is called again and again while a long JSON file is
    /// loaded, for example for a progress bar. It runs on the threads that parse the
    /// file, one call at a time. Default: none. The log has a line once a second in any
    /// case.
    pub fn on_progress(mut self, report: impl Fn(LoadProgress) + Send + Sync + 'static) -> Self {
        self.progress = OnProgress::new(report);
        self
    }

    /// Sets whether each loaded version is checked for probable mistakes: an API that is
    /// open to everyone, one that no key opens, keys that end soon
    /// ([`lint`](crate::lint)). Up to 20 findings with the level `warning` are logged,
    /// without keys. Default: `false`, because the check visits every subscription and
    /// makes loading a large catalog slower.
    pub fn log_findings(mut self, log_findings: bool) -> Self {
        self.log_findings = log_findings;
        self
    }

    /// Opens the files and watches them. Needs no runtime: the files are read on a
    /// thread of their own.
    ///
    /// # Errors
    ///
    /// [`FileError`] if a file cannot be read or the catalog is not valid.
    pub async fn open(self) -> Result<FileStore, FileError> {
        let path = self.files.first().cloned().unwrap_or_default();
        on_a_thread(path, move || self.open_blocking()).await
    }

    /// Opens the files and watches them. Reads them on this thread.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_blocking(self) -> Result<FileStore, FileError> {
        // Before the files are read, so that a write during the read is noticed.
        let watch = self.watch.then(|| Watch::new(self.settings, &self.files));
        let (loader, seen) = Loader::open(&self.files, self.progress, self.log_findings)?;
        let loader = Arc::new(loader);
        let start = |watch: Watch| watch.start(Arc::clone(&loader), seen);
        let watcher = watch.map(start).transpose()?;
        Ok(FileStore::new(loader, watcher))
    }
}
