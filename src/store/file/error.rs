use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::document::{DocumentError, UnknownFormat};

/// Why a catalog file is not in use.
///
/// `Display` names the file and the cause. For a document that is not valid it has
/// a line for each issue: `FILE:LINE:COLUMN: message`. It contains no key.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The extension of the file is not one of a catalog format.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Which extensions there are.
        reason: UnknownFormat,
    },
    /// No file was given.
    #[error("no catalog file was given: name at least one")]
    NoFile,
    /// The file does not exist.
    #[error("{}: there is no such file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file was loaded before and has since been deleted.
    #[error("{}: the file is gone; the last version stays in use until it is back", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// The path leads to a directory, a pipe or the like.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("{}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// The file changed each time it was read.
    #[error(
        "{}: the file kept changing while it was read; write it once, or rename a finished one \
         over it",
        path.display()
    )]
    Unsteady {
        /// The file.
        path: PathBuf,
    },
    /// A program has had the file open for writing for long.
    #[error(
        "{}: a program has been writing this file for {seconds} seconds; it is read when the \
         program closes it",
        path.display()
    )]
    StillOpen {
        /// The file.
        path: PathBuf,
        /// For how long.
        seconds: u64,
    },
    /// The path leads to a file that was removed or replaced elsewhere, as happens
    /// if a single file is mounted into a container.
    #[error(
        "{}: the file was replaced outside of its mount, and changes to the new one are not seen \
         here: mount its folder instead of the file, and restart",
        path.display()
    )]
    Unlinked {
        /// The file.
        path: PathBuf,
    },
    /// The document is not valid.
    #[error("{issues}")]
    Document {
        /// The file, or the first of several.
        path: PathBuf,
        /// All issues.
        issues: Box<DocumentError>,
    },
    /// The thread that reads or watches the file could not be started.
    #[error("{}: no thread could be started for this file: {cause}", path.display())]
    Thread {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// Reading the file panicked.
    #[error("{}: reading this file failed because of a bug in this crate; please report it", path.display())]
    Panicked {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// The file, if the error is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NoFile => None,
            Self::Format { path, .. }
            | Self::Missing { path }
            | Self::Gone { path }
            | Self::NotAFile { path }
            | Self::Read { path, .. }
            | Self::Unsteady { path }
            | Self::StillOpen { path, .. }
            | Self::Unlinked { path }
            | Self::Document { path, .. }
            | Self::Thread { path, .. }
            | Self::Panicked { path } => Some(path),
        }
    }

    /// The issues of a document that is not valid.
    #[must_use]
    pub fn document(&self) -> Option<&DocumentError> {
        match self {
            Self::Document { issues, .. } => Some(issues),
            _ => None,
        }
    }
}

/// The sentence that `main` prints if it returns this error.
impl fmt::Debug for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
