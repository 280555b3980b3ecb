//! A store that is a catalog file, watched for changes.
//!
//! ```
//! use tower_subscription_key::store::FileStore;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("subscriptions.toml");
//! # std::fs::write(&path, "[[apis]]\nid = 'echo'\npath = '/echo'\n")?;
//! let store = FileStore::open_blocking(&path)?;
//! assert_eq!(store.status().version(), 1);
//! assert!(store.catalog().api("echo").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The format is told by the extension ([`Format::from_path`]). While a
//! [`FileStore`] or a clone of it lives, a thread watches the file:
//!
//! 1. A change is live within a second, however the file came to change: written
//!    in place, renamed over, or behind a symlink that was swapped (Kubernetes).
//!    The system's notifications make it quicker; where there are none, the file
//!    is looked at every half second.
//! 2. A changed file is read when it has been quiet for a moment, and never used
//!    half: a version is all of a file, or the one before stays in use.
//! 3. A file that is refused, unreadable or gone changes nothing. It is told, once,
//!    to `tracing` and in [`FileStore::status`], and picked up again when it is good.
//!
//! [`FileStore::subscribe`] tells every outcome as it happens.
//!
//! Best write the new file beside the old one and rename it over that. Of a file
//! that is written in place, what it is at a quiet moment is all there is to know:
//! where the writer pauses between truncating and writing, or between two writes,
//! for longer than the settle time ([`FileStoreOptions::with_settle_time`]), it is
//! read as it is then. Mostly that is no catalog: it is told, and the version
//! before stays in use. But half of a file can be one, and is then used until the
//! writer goes on.
//!
//! [`Format::from_path`]: crate::document::Format::from_path

mod error;
mod load;
mod options;
mod parts;
mod progress;
mod signs;
mod source;
mod stamp;
mod status;
mod watch;

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch::Receiver;

use crate::catalog::Catalog;
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::{Holdings, SubscriptionStore};

pub use error::FileError;
pub use options::FileStoreOptions;
pub use progress::LoadProgress;
pub use status::FileStatus;

use load::Shared;
use watch::Watcher;

/// A catalog file that is watched for changes.
///
/// Clones share the catalog and the watching thread, which ends with the last of
/// them.
#[derive(Clone)]
pub struct FileStore {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// Dropped with the last handle, and the thread with it.
    _watcher: Option<Watcher>,
}

impl FileStore {
    /// Opens and watches a catalog file. Needs no runtime: the file is read on
    /// a thread of its own.
    ///
    /// # Errors
    ///
    /// [`FileError`] where the file cannot be read or is refused.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::options().open(path).await
    }

    /// Opens and watches a catalog file, reading it on this thread.
    ///
    /// # Errors
    ///
    /// [`FileError`] where the file cannot be read or is refused.
    pub fn open_blocking(path: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::options().open_blocking(path)
    }

    /// How to open and watch, to be changed before the file is opened.
    pub fn options() -> FileStoreOptions {
        FileStoreOptions::default()
    }

    fn new(shared: Arc<Shared>, watcher: Option<Watcher>) -> Self {
        let inner = Arc::new(Inner {
            shared,
            _watcher: watcher,
        });
        Self { inner }
    }

    /// The version of the catalog that is in use.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.shared.catalog()
    }

    /// The path that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.shared.path()
    }

    /// Which version is in use, and what is wrong with the file as it is now.
    #[must_use]
    pub fn status(&self) -> FileStatus {
        self.inner.shared.status()
    }

    /// Tells every outcome from now on: a new version, a refused file, a file
    /// that is gone or good again.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<FileStatus> {
        self.inner.shared.subscribe()
    }

    /// Reads the file now, also if it has not changed (an environment variable
    /// may have).
    ///
    /// # Errors
    ///
    /// [`FileError`] where the file cannot be read or is refused. The version
    /// before stays in use.
    pub async fn reload(&self) -> Result<FileStatus, Arc<FileError>> {
        let store = self.clone();
        let path = self.path().to_owned();
        load::on_a_thread(path, move || store.reload_blocking(), Arc::new).await
    }

    /// [`reload`](Self::reload) on this thread.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn reload_blocking(&self) -> Result<FileStatus, Arc<FileError>> {
        self.inner.shared.reload()
    }
}

impl SubscriptionStore for FileStore {
    type Error = Infallible;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
        Ok(self.inner.shared.owner(key))
    }

    fn holdings(&self) -> Result<Holdings, Infallible> {
        Ok(Holdings::Everything(self.catalog()))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path())
            .field("status", &self.status())
            .finish()
    }
}
