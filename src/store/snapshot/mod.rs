//! The last good version of a catalog in a file, for a service that starts while
//! its remote server is down.
//!
//! ```
//! use tower_subscription_key::catalog::{Api, Catalog};
//! use tower_subscription_key::store::snapshot::SnapshotFile;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("catalog.snapshot");
//! let file = SnapshotFile::new(&path).with_source("https://keys.example/catalog");
//! assert!(file.load()?.is_none());
//!
//! file.save(&Catalog::builder().api(Api::new("echo", "/echo")).build()?)?;
//! let snapshot = file.load()?.ok_or("no snapshot")?;
//! assert!(snapshot.catalog().api("echo").is_some());
//! println!("this catalog was saved at {:?}", snapshot.saved_at());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! 1. The file contains digests, never keys, and only its owner may read it.
//! 2. It is replaced as a whole: a temporary file is written, synced to disk and
//!    renamed. A crash leaves the old file unchanged.
//! 3. It says when it was saved, from which source and by which kind of store, and
//!    what its content hashes to. A file that is incomplete, altered, too old or of
//!    another source is refused, because a wrong catalog would deny good keys or
//!    allow bad ones.
//!
//! The content is three lines: a JSON header, the catalog document
//! ([`document::write`](crate::document::write())) and a JSON trailer. The header
//! has a format number; a file with a higher one is refused.
//!
//! Everything here blocks: call it from a thread that may block.

mod error;
mod format;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::catalog::Catalog;

pub use error::SnapshotError;
use format::{Confirmed, Header, Unusable};

/// A file for the last good version of a catalog.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    path: PathBuf,
    kind: SnapshotKind,
    /// The digest of the source.
    source: String,
    max_age: Option<Duration>,
}

/// What a snapshot contains, which depends on the store that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // Each kind belongs to a feature.
pub(crate) enum SnapshotKind {
    /// A catalog that was saved by [`SnapshotFile::save`].
    Catalog,
    /// The catalog of an `HttpStore`.
    Http,
    /// What a `CachedStore` has found: not every subscription.
    Cache,
    /// The catalog of an `SqlStore`.
    Sql,
}

impl SnapshotKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Http => "http store",
            Self::Cache => "cached store",
            Self::Sql => "sql store",
        }
    }
}

/// A catalog from a file, and when it was saved.
#[derive(Debug, Clone)]
pub struct Snapshot {
    catalog: Catalog,
    saved_at: SystemTime,
    #[cfg(feature = "cache")]
    confirmed: Confirmed,
}

impl Snapshot {
    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The catalog, without the rest.
    #[must_use]
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// When it was saved: the last time that it is known to have been current.
    #[must_use]
    pub fn saved_at(&self) -> SystemTime {
        self.saved_at
    }

    /// When the subscription is known to have been current.
    #[cfg(feature = "cache")]
    pub(crate) fn confirmed_at(&self, subscription: &str) -> SystemTime {
        let confirmed = self.confirmed.get(subscription);
        confirmed.map_or(self.saved_at, |at| self.saved_at.min(*at))
    }
}

impl SnapshotFile {
    /// The file with the given path. Its directory must exist; the file need not.
    /// Use a separate file for each process, and for each store in a process.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            kind: SnapshotKind::Catalog,
            source: digest_of(""),
            max_age: None,
        }
    }

    /// Sets the source of the catalog: everything that selects what it contains,
    /// for example a URL with its query, or a database and a prefix. The file has
    /// only the digest of this text, and a file with another one is refused.
    /// Default: the empty text.
    #[must_use]
    pub fn with_source(mut self, source: impl AsRef<str>) -> Self {
        self.source = digest_of(source.as_ref());
        self
    }

    /// Sets from which age on a file is refused, and how far in the future it may
    /// claim to be saved. Default: no limit.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Sets what the file contains. A file with something else is refused.
    #[cfg(any(feature = "cache", feature = "http", feature = "sql"))]
    pub(crate) fn of_kind(mut self, kind: SnapshotKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same file for the keys of a cache, which is never read as another kind of
    /// snapshot. `None` if neither it nor the store names a source.
    #[cfg(feature = "cache")]
    pub(crate) fn of_cache(mut self, store: Option<&str>) -> Option<Self> {
        if self.source == digest_of("") && store.is_none() {
            return None;
        }
        self.source = [store.unwrap_or_default(), &self.source].join(" ");
        Some(self.of_kind(SnapshotKind::Cache))
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the content of the file by the catalog, and returns the time of the
    /// snapshot.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Write`]. The file is then as it was.
    pub fn save(&self, catalog: &Catalog) -> Result<SystemTime, SnapshotError> {
        let saved_at = SystemTime::now();
        self.save_as_of(catalog, saved_at, &Confirmed::new())?;
        Ok(saved_at)
    }

    /// The same as of the given time, with the subscriptions that were last
    /// confirmed before.
    pub(crate) fn save_as_of(
        &self,
        catalog: &Catalog,
        saved_at: SystemTime,
        confirmed: &Confirmed,
    ) -> Result<(), SnapshotError> {
        let header = Header {
            kind: self.kind.as_str().to_owned(),
            source: self.source.clone(),
            saved_at,
            confirmed: confirmed.clone(),
        };
        self.replace(&header, catalog)
            .map_err(|source| SnapshotError::Write {
                path: self.path.clone(),
                source,
            })
    }

    fn replace(&self, header: &Header, catalog: &Catalog) -> io::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // The temporary file is readable by its owner only, and is removed on failure. Its
        // errors contain a random path: only the kind is kept, to log each error once.
        let file = NamedTempFile::with_prefix_in(".snapshot-", directory)
            .map_err(|error| io::Error::from(error.kind()))?;
        let mut writer = BufWriter::with_capacity(1 << 16, file.as_file());
        format::write(&mut writer, header, catalog)?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        sync_directory(directory)
    }

    /// The content of the file. `None`: there is no file.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the file cannot be read or used.
    pub fn load(&self) -> Result<Option<Snapshot>, SnapshotError> {
        let path = self.path.clone();
        let content = match self.read() {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SnapshotError::Read { path, source }),
        };
        let (header, document) = match format::read(&content) {
            Ok(read) => read,
            Err(Unusable::Broken) => return Err(SnapshotError::Broken { path }),
            Err(Unusable::Newer(format)) => {
                return Err(SnapshotError::NewerFormat { path, format });
            }
        };
        if header.source != self.source || header.kind != self.kind.as_str() {
            return Err(SnapshotError::OtherSource { path });
        }
        let saved_at = header.saved_at;
        if self.max_age.is_some_and(|most| distance(saved_at) > most) {
            return Err(SnapshotError::TooOld { path, saved_at });
        }
        match crate::document::parse_machine(document) {
            Ok(catalog) => Ok(Some(Snapshot {
                catalog,
                saved_at,
                #[cfg(feature = "cache")]
                confirmed: header.confirmed,
            })),
            Err(source) => Err(SnapshotError::Document { path, source }),
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        // Opening a pipe would wait for its writer.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        fs::read(&self.path)
    }
}

impl<P: Into<PathBuf>> From<P> for SnapshotFile {
    fn from(path: P) -> Self {
        Self::new(path)
    }
}

fn digest_of(source: &str) -> String {
    format::hex(Sha256::new_with_prefix(source))
}

/// The distance from now on either side: a clock that was wrong makes no file
/// young.
fn distance(time: SystemTime) -> Duration {
    let since = time.elapsed();
    since.unwrap_or_else(|ahead| ahead.duration())
}

/// Without it the rename itself may be lost in a power failure.
fn sync_directory(directory: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(directory)?.sync_all(),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
