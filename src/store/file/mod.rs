//! A store of one or more catalog files, watched for changes.
//!
//! ```
//! use tower_subscription_key::FileStore;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("subscriptions.toml");
//! # std::fs::write(&path, "[[apis]]\nid = 'echo'\npath = '/echo'\n")?;
//! let store = FileStore::builder(&path).open_blocking()?;
//! assert_eq!(store.status().version(), 1);
//! assert!(store.catalog().api("echo").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The extension of a file names its format ([`Format::from_path`]). As long as a
//! [`FileStore`] or a clone of it exists, a thread watches the files:
//!
//! 1. A change is live within a second, however a file is changed: written in
//!    place, renamed over, or behind a swapped symlink (Kubernetes). Files
//!    with keys (`{ file = "…" }`) are watched like the catalog.
//! 2. A file that is still being written is never used. If the system reports it
//!    (Linux), the store waits until the program closes the file; one that stays
//!    open is reported after ten seconds. On other systems, and on file systems
//!    without notifications, the store waits until the file has been quiet for the
//!    settle time ([`FileStoreBuilder::settle_time`]).
//! 3. A file that is invalid, unreadable or deleted changes nothing. It is reported
//!    once, in the log and in [`FileStore::status`], and read again when it changes.
//! 4. A single file that is mounted into a container and replaced outside shows no
//!    change inside. That is reported: mount its folder instead.
//!
//! [`FileStore::watch_status`] announces every outcome as it happens. With
//! [`FileStoreBuilder::log_findings`], probable mistakes in a valid version are logged.
//!
//! [`Format::from_path`]: crate::document::Format::from_path

mod builder;
mod error;
mod load;
mod parts;
mod progress;
mod read;
mod signs;
mod source;
mod stamp;
mod watch;

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch::Receiver;

use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;
use crate::store::{Holdings, StoreStatus, SubscriptionStore};

pub use builder::FileStoreBuilder;
pub use error::FileError;
pub use progress::LoadProgress;

use load::{Loader, on_a_thread};
use watch::Watcher;

/// A store of one or more catalog files, watched for changes.
///
/// Clones share the catalog and the watching thread, which ends with the last of
/// them.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

struct Shared {
    loader: Arc<Loader>,
    /// Dropped with the last handle, and the thread with it.
    _watcher: Option<Watcher>,
}

impl FileStore {
    /// Opens a catalog file and watches it. Needs no runtime: the file is read on a
    /// separate thread.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file cannot be read or the catalog is not valid.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::builder(path).open().await
    }

    /// Opens several files as one catalog and watches them, for example APIs and
    /// products from a ConfigMap and subscriptions from a Secret. A change of any of
    /// them makes a new version of the whole.
    ///
    /// # Errors
    ///
    /// [`FileError`] if a file cannot be read or the catalog is not valid.
    pub async fn open_all<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, FileError> {
        let paths = paths.into_iter().map(|path| path.as_ref().to_owned());
        FileStoreBuilder::new(paths.collect()).open().await
    }

    /// A builder of a store on the given file.
    pub fn builder(path: impl AsRef<Path>) -> FileStoreBuilder {
        FileStoreBuilder::new(vec![path.as_ref().to_owned()])
    }

    fn new(loader: Arc<Loader>, watcher: Option<Watcher>) -> Self {
        let shared = Shared {
            loader,
            _watcher: watcher,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The version in use.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.shared.loader.replica.loaded_catalog()
    }

    /// The path that was opened, or the first of them.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.loader.path()
    }

    /// The version in use, and what is wrong with the files as they are now.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.shared.loader.replica.status()
    }

    /// Announces every outcome: a new version, or a file that is invalid, deleted or
    /// valid again.
    #[must_use]
    pub fn watch_status(&self) -> Receiver<StoreStatus> {
        self.shared.loader.replica.watch_status()
    }

    /// Reads the files now, also if they have not changed (an environment variable
    /// may have).
    ///
    /// # Errors
    ///
    /// [`FileError`] if a file cannot be read or the catalog is not valid. The last
    /// version stays in use.
    pub async fn reload(&self) -> Result<StoreStatus, FileError> {
        let store = self.clone();
        on_a_thread(self.path().to_owned(), move || store.reload_blocking()).await
    }

    /// [`reload`](Self::reload) on this thread.
    ///
    /// # Errors
    ///
    /// Those of [`reload`](Self::reload).
    pub fn reload_blocking(&self) -> Result<StoreStatus, FileError> {
        self.shared.loader.reload()?;
        Ok(self.status())
    }
}

impl SubscriptionStore for FileStore {
    type Error = Infallible;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
        Ok(self.catalog().owner(key))
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
