use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::words::words;

words! {
    /// Where the version in use came from.
    #[non_exhaustive]
    pub enum Origin: "an origin" {
        /// The source: the file, the remote server or the database.
        Source = "source",
        /// The snapshot on disk, because the source could not be read at the start.
        Snapshot = "snapshot",
    }
}

/// The state of a store that keeps a whole catalog in memory and follows its
/// source: which version it serves, how old that is, and what is wrong.
#[derive(Debug, Clone, Default)]
pub struct StoreStatus {
    pub(super) version: u64,
    pub(super) origin: Option<Origin>,
    pub(super) revision: Option<Arc<str>>,
    pub(super) loaded_at: Option<SystemTime>,
    pub(super) confirmed_at: Option<SystemTime>,
    pub(super) saved_at: Option<SystemTime>,
    pub(super) last_push: Option<SystemTime>,
    pub(super) went_back_at: Option<SystemTime>,
    pub(super) last_error: Option<Arc<str>>,
    pub(super) snapshot_error: Option<Arc<str>>,
    pub(super) is_running: bool,
}

impl StoreStatus {
    /// How many versions have been put in use: 0 before the first.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Where the version in use came from. `None` before the first.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// The source's own name for the version in use, if it has one: an HTTP
    /// `ETag`, the revision of a database.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// When the version was put in use. `None` before the first.
    #[must_use]
    pub fn loaded_at(&self) -> Option<SystemTime> {
        self.loaded_at
    }

    /// When the version was last known to be the current one of its source: when
    /// it was read or confirmed, or, for a snapshot, when that was saved.
    #[must_use]
    pub fn confirmed_at(&self) -> Option<SystemTime> {
        self.confirmed_at
    }

    /// The time since [`confirmed_at`](Self::confirmed_at).
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let age = self.confirmed_at?.elapsed();
        Some(age.unwrap_or_default())
    }

    /// When this store last wrote its snapshot.
    #[must_use]
    pub fn saved_at(&self) -> Option<SystemTime> {
        self.saved_at
    }

    /// When the source last pushed a change. `None` for sources that do not push, and
    /// before the first push.
    #[must_use]
    pub fn last_push(&self) -> Option<SystemTime> {
        self.last_push
    }

    /// When the source last went back to an older version, as a restored backup
    /// does. `None`: it never did, as far as this store could see.
    #[must_use]
    pub fn went_back_at(&self) -> Option<SystemTime> {
        self.went_back_at
    }

    /// Why the source as it is now is not in use, or could not be read. At most
    /// 4 KiB of text. `None`: the last attempt succeeded.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Why the last version could not be saved to the snapshot. At most 4 KiB of
    /// text. `None`: nothing failed.
    #[must_use]
    pub fn snapshot_error(&self) -> Option<&str> {
        self.snapshot_error.as_deref()
    }

    /// Whether the background task that follows the source is alive. `false` if
    /// its runtime was shut down, or if nothing is followed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.is_running
    }
}
