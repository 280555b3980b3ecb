use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::document::DocumentError;

/// Why a snapshot was not saved, or is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file could not be written.
    #[error("{}: the snapshot could not be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file could not be read.
    #[error("{}: the snapshot could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is something else, incomplete or altered.
    #[error("{}: not a complete snapshot", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version of this crate.
    #[error("{}: the snapshot has format {format}, and up to {} can be read", path.display(), super::format::FORMAT)]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        format: u64,
    },
    /// The snapshot belongs to another source, or to another kind of store.
    #[error(
        "{}: the snapshot belongs to another source: give each store a separate file",
        path.display()
    )]
    OtherSource {
        /// The file.
        path: PathBuf,
    },
    /// The snapshot was saved too long ago, or too far in the future.
    #[error("{}: the snapshot is too old", path.display())]
    TooOld {
        /// The file.
        path: PathBuf,
        /// When it was saved, by its own account.
        saved_at: SystemTime,
    },
    /// The snapshot contains no valid catalog.
    #[error("{}: the snapshot contains no valid catalog", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        source: DocumentError,
    },
}
