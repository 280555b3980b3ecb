//! The last good version of a catalog in a file, for a service that starts while
//! its remote server is down.
//!
//! ```
//! use tower_subscription_key::catalog::{Api, Catalog};
//! use tower_subscription_key::store::SnapshotFile;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("catalog.snapshot");
//! let file = SnapshotFile::new(&path).with_source("https://keys.example/catalog");
//! assert!(file.load()?.is_none());
//!
//! file.save(&Catalog::builder().api(Api::new("echo", "/echo")).build()?)?;
//! let snapshot = file.load()?.ok_or("there is none")?;
//! assert!(snapshot.catalog().api("echo").is_some());
//! println!("this catalog is as of {:?}", snapshot.saved_at());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! 1. The file holds digests, never keys, and only its owner may read it.
//! 2. It is replaced as a whole: written beside its place, brought to the disk,
//!    renamed. A crash leaves the file before.
//! 3. It says when it was saved, from which source, and what its content hashes
//!    to. One that is cut off, altered, too old or of another source is refused,
//!    because a wrong catalog would refuse good keys or let in bad ones.
//!
//! The content is three lines: a JSON header, the catalog document
//! ([`document::write`](crate::document::write())) and a JSON trailer.
//!
//! Everything here blocks: call it from a thread that may.

mod error;
mod format;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::catalog::Catalog;

pub use error::SnapshotError;
use format::Confirmed;

/// A file for the last good version of a catalog.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    path: PathBuf,
    source: String,
    max_age: Option<Duration>,
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

    /// The catalog, taken out.
    #[must_use]
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// When it was saved: the last time that it is known to have been current.
    #[must_use]
    pub fn saved_at(&self) -> SystemTime {
        self.saved_at
    }

    /// When that subscription is known to have been current.
    #[cfg(feature = "cache")]
    pub(crate) fn confirmed_at(&self, subscription: &str) -> SystemTime {
        let confirmed = self.confirmed.get(subscription);
        confirmed.map_or(self.saved_at, |at| self.saved_at.min(*at))
    }
}

impl SnapshotFile {
    /// That file. Its directory must be there; the file need not. Give each
    /// process a file of its own.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            source: String::new(),
            max_age: None,
        }
    }

    /// What the catalog is a copy of, for example a URL without its secrets. A
    /// file with another source is refused. Default: the empty text.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// From which age on a file is refused, and how far in the future one may
    /// say that it was saved. Default: none is too old.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the catalog in the place of what the file held, as of now.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Write`]. The file is then as it was.
    pub fn save(&self, catalog: &Catalog) -> Result<SystemTime, SnapshotError> {
        let saved_at = SystemTime::now();
        self.save_as_of(catalog, saved_at, &Confirmed::new())?;
        Ok(saved_at)
    }

    /// The same, as of then, with subscriptions that were last current before.
    pub(crate) fn save_as_of(
        &self,
        catalog: &Catalog,
        saved_at: SystemTime,
        confirmed: &Confirmed,
    ) -> Result<(), SnapshotError> {
        self.replace(catalog, saved_at, confirmed)
            .map_err(|source| SnapshotError::Write {
                path: self.path.clone(),
                source,
            })
    }

    fn replace(
        &self,
        catalog: &Catalog,
        saved_at: SystemTime,
        confirmed: &Confirmed,
    ) -> io::Result<()> {
        // Two stores of one process would write to the same place.
        static SAVING: Mutex<()> = Mutex::new(());
        let _alone = SAVING.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = self.beside()?;
        let written = create(&beside)
            .and_then(|file| self.write(file, catalog, saved_at, confirmed))
            .and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            // It is of no use, and the reason for that is what is to be told.
            let _ = fs::remove_file(&beside);
        }
        written?;
        sync_directory(&self.path)
    }

    fn write(
        &self,
        file: File,
        catalog: &Catalog,
        saved_at: SystemTime,
        confirmed: &Confirmed,
    ) -> io::Result<()> {
        let mut writer = BufWriter::with_capacity(1 << 16, file);
        format::write(&mut writer, catalog, saved_at, &self.source, confirmed)?;
        let file = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()
    }

    /// Where the file is written before it is whole.
    fn beside(&self) -> io::Result<PathBuf> {
        let Some(name) = self.path.file_name() else {
            let what = "this path ends in no file name";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}.new", std::process::id()));
        Ok(self.path.with_file_name(beside))
    }

    /// What the file holds. `None`: there is no file.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] where the file cannot be read or is not to be used.
    pub fn load(&self) -> Result<Option<Snapshot>, SnapshotError> {
        let path = || self.path.clone();
        let content = match self.read() {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let path = path();
                return Err(SnapshotError::Read { path, source });
            }
        };
        let (header, document) =
            format::read(&content).ok_or_else(|| SnapshotError::Broken { path: path() })?;
        if header.source != self.source {
            return Err(SnapshotError::OtherSource { path: path() });
        }
        let saved_at = header.saved_at;
        if self.max_age.is_some_and(|most| distance(saved_at) > most) {
            let path = path();
            return Err(SnapshotError::TooOld { path, saved_at });
        }
        match crate::document::parse_foreign(document) {
            Ok(catalog) => Ok(Some(Snapshot {
                catalog,
                saved_at,
                #[cfg(feature = "cache")]
                confirmed: header.confirmed,
            })),
            Err(source) => {
                let path = path();
                Err(SnapshotError::Document { path, source })
            }
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        // Opening a pipe would wait for its writer.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other("this is not a regular file"));
        }
        fs::read(&self.path)
    }
}

impl From<PathBuf> for SnapshotFile {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&Path> for SnapshotFile {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}

impl From<&str> for SnapshotFile {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

/// How far from now, on either side: a clock that was wrong makes nothing young.
fn distance(time: SystemTime) -> Duration {
    let since = time.elapsed();
    since.unwrap_or_else(|ahead| ahead.duration())
}

/// A new file that only its owner may read. What a crash left there is removed,
/// and what somebody else put there is not followed.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Without it the rename itself may be lost with the power.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
