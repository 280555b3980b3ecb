use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::store::http::HttpError;

/// Where a version came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The remote server.
    RemoteServer,
    /// The snapshot on the disk, because the remote server could not be asked.
    Disk,
}

impl Origin {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RemoteServer => "remote server",
            Self::Disk => "disk",
        }
    }
}

/// Which version of the catalog is in use, how old it is, and what is wrong
/// since.
#[derive(Debug, Clone, Default)]
pub struct HttpStatus {
    pub(super) version: u64,
    pub(super) origin: Option<Origin>,
    pub(super) etag: Option<String>,
    pub(super) loaded_at: Option<SystemTime>,
    pub(super) current_at: Option<SystemTime>,
    pub(super) saved_at: Option<SystemTime>,
    pub(super) last_error: Option<Arc<HttpError>>,
    /// Whether the first attempt is over.
    pub(super) begun: bool,
}

impl HttpStatus {
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

    /// The remote server's `ETag` of the version in use, if it gave one.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// When the version was put in use here.
    #[must_use]
    pub fn loaded_at(&self) -> Option<SystemTime> {
        self.loaded_at
    }

    /// When the version was last known to be the remote server's current one: when it
    /// was fetched or confirmed, or, from the disk, when it was saved.
    #[must_use]
    pub fn current_at(&self) -> Option<SystemTime> {
        self.current_at
    }

    /// How long ago that was.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let since = self.current_at?.elapsed();
        Some(since.unwrap_or_default())
    }

    /// When the snapshot on the disk was last written by this store.
    #[must_use]
    pub fn saved_at(&self) -> Option<SystemTime> {
        self.saved_at
    }

    /// Why the last attempt to fetch or confirm a version failed. `None`: it
    /// did not.
    #[must_use]
    pub fn last_error(&self) -> Option<&Arc<HttpError>> {
        self.last_error.as_ref()
    }
}
