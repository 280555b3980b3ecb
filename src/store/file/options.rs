use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::store::file::load::{self, Shared};
use crate::store::file::progress::{LoadProgress, OnProgress};
use crate::store::file::watch::Watcher;
use crate::store::file::{FileError, FileStore};

/// How a [`FileStore`] watches its file.
///
/// ```no_run
/// use std::time::Duration;
/// use tower_subscription_key::store::FileStore;
///
/// let store = FileStore::options()
///     .with_poll_interval(Duration::from_secs(5))
///     .open_blocking("subscriptions.yaml")?;
/// # Ok::<(), tower_subscription_key::store::file::FileError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a file is opened with them"]
pub struct FileStoreOptions {
    pub(super) watch: bool,
    pub(super) notifications: bool,
    pub(super) poll_interval: Duration,
    pub(super) settle_time: Duration,
    progress: OnProgress,
}

impl Default for FileStoreOptions {
    fn default() -> Self {
        Self {
            watch: true,
            notifications: true,
            poll_interval: Duration::from_millis(500),
            settle_time: Duration::from_millis(50),
            progress: OnProgress::default(),
        }
    }
}

impl FileStoreOptions {
    /// Whether to watch the file. Default: `true`. Without, only
    /// [`FileStore::reload`] reads it again.
    pub fn with_watch(mut self, watch: bool) -> Self {
        self.watch = watch;
        self
    }

    /// Whether to ask the system for notifications. Default: `true`. Without,
    /// the file is looked at in every poll interval, and that is all.
    pub fn with_notifications(mut self, notifications: bool) -> Self {
        self.notifications = notifications;
        self
    }

    /// How often the file is looked at, whatever the system tells. Default:
    /// half a second. A look asks for size and times; it reads nothing.
    pub fn with_poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How long a changed file must be quiet before it is read. Default: 50 ms.
    /// One that is never quiet is read after six times as long.
    pub fn with_settle_time(mut self, time: Duration) -> Self {
        self.settle_time = time;
        self
    }

    /// Told again and again while a long JSON file is loaded, also when it is
    /// loaded again: for a progress bar. Runs on the loading thread. Default:
    /// nobody; `tracing` is told once a second in any case.
    pub fn with_progress(mut self, tell: impl Fn(LoadProgress) + Send + Sync + 'static) -> Self {
        self.progress = OnProgress::new(tell);
        self
    }

    /// [`FileStore::open`] with these options.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<FileStore, FileError> {
        let path = path.as_ref().to_owned();
        let open = {
            let path = path.clone();
            move || self.open_blocking(path)
        };
        load::on_a_thread(path, open, |error| error).await
    }

    /// [`FileStore::open_blocking`] with these options.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_blocking(self, path: impl AsRef<Path>) -> Result<FileStore, FileError> {
        let (shared, seen) = Shared::open(path.as_ref(), self.progress.clone())?;
        let shared = Arc::new(shared);
        let watcher = self
            .watch
            .then(|| Watcher::start(Arc::clone(&shared), self, seen))
            .transpose()?;
        Ok(FileStore::new(shared, watcher))
    }
}
