use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::document::{DocumentError, UnknownFormat};

/// Why a catalog file is not in use.
///
/// `Display` names the file; of a refused document it writes every issue on a
/// line of its own, as `FILE:LINE:COLUMN: message`. It never tells a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The file's name does not tell its format.
    Format {
        /// The file.
        path: PathBuf,
        /// What names there are.
        source: UnknownFormat,
    },
    /// There is no such file.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There was one.
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory, a pipe or the like.
    NotAFile {
        /// What stands in the file's place.
        path: PathBuf,
    },
    /// The system does not let it be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It changed every time that it was read.
    Unsteady {
        /// The file.
        path: PathBuf,
    },
    /// It is no catalog.
    Document {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        source: DocumentError,
    },
    /// Reading it broke off, which is a fault of this crate.
    Broken {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Format { path, .. }
            | Self::Missing { path }
            | Self::Gone { path }
            | Self::NotAFile { path }
            | Self::Read { path, .. }
            | Self::Unsteady { path }
            | Self::Document { path, .. }
            | Self::Broken { path } => path,
        }
    }

    /// What is wrong with the document, where that is what is wrong.
    #[must_use]
    pub fn document(&self) -> Option<&DocumentError> {
        match self {
            Self::Document { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.path().display();
        match self {
            Self::Format { source, .. } => write!(f, "{file}: {source}"),
            Self::Missing { .. } => write!(f, "{file}: there is no such file"),
            Self::Gone { .. } => write!(
                f,
                "{file}: the file is gone; the last version stays in use until it is back"
            ),
            Self::NotAFile { .. } => write!(f, "{file}: this is not a regular file"),
            Self::Read { source, .. } => write!(f, "{file}: {source}"),
            Self::Unsteady { .. } => write!(
                f,
                "{file}: the file kept changing while it was read; write it once, or rename a \
                 finished one over it"
            ),
            Self::Document { source, .. } => {
                for (at, issue) in source.issues().iter().enumerate() {
                    let separator = if at == 0 { "" } else { "\n" };
                    write!(f, "{separator}{file}:{issue}")?;
                }
                Ok(())
            }
            Self::Broken { .. } => write!(
                f,
                "{file}: reading this file failed inside; please report it"
            ),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Format { source, .. } => Some(source),
            Self::Read { source, .. } => Some(source),
            Self::Document { source, .. } => Some(source),
            _ => None,
        }
    }
}
