use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::document::DocumentError;

/// Why a snapshot was not saved, or is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The system does not let it be written.
    #[error("{}: the catalog could not be kept here", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system does not let it be read.
    #[error("{}: this file could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else, or not all of it is there, or it was altered.
    #[error("{}: this file is no whole snapshot", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// It is a copy of something else.
    #[error("{}: this snapshot is of another source", path.display())]
    OtherSource {
        /// The file.
        path: PathBuf,
    },
    /// It was saved too long ago (or too far in the future).
    #[error("{}: this snapshot is too old", path.display())]
    TooOld {
        /// The file.
        path: PathBuf,
        /// When it says that it was saved.
        saved_at: SystemTime,
    },
    /// It is no catalog.
    #[error("{}: this snapshot holds no catalog", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        source: DocumentError,
    },
}
