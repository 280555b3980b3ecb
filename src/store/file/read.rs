//! Reading a file as it is at one moment.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::document::DocumentError;
use crate::store::file::FileError;
use crate::store::file::stamp::Stamp;

/// How often a file that changes while it is read is read again, and after which
/// pause.
const READS: usize = 10;
const BETWEEN_READS: Duration = Duration::from_millis(20);

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// A path as it was given, and as an absolute one: it holds also if the process
/// changes its directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FilePath {
    pub(super) given: PathBuf,
    pub(super) absolute: PathBuf,
}

/// What was read, and the stamp of the file before. `None` instead of a stamp: the
/// file may change once more and look the same. That is decided while reading,
/// because later the file would look old enough.
pub(super) struct Steady<T> {
    pub(super) content: T,
    pub(super) seen: Option<Stamp>,
}

impl FilePath {
    pub(super) fn new(given: &Path) -> Self {
        let absolute = std::path::absolute(given).unwrap_or_else(|_| given.to_owned());
        Self {
            given: given.to_owned(),
            absolute,
        }
    }

    /// Reads the file until it does not change meanwhile. `read` gets the length.
    pub(super) fn read_by<T>(
        &self,
        read: impl Fn(&File, u64) -> io::Result<T>,
    ) -> Result<Steady<T>, FileError> {
        let path = || self.given.clone();
        for _ in 0..READS {
            let metadata = fs::metadata(&self.absolute);
            let metadata = metadata.map_err(|error| self.unreadable(error))?;
            // Opening a pipe would wait for its writer.
            if !metadata.is_file() {
                return Err(FileError::NotAFile { path: path() });
            }
            let steady = steady(&self.absolute, &read);
            match steady.map_err(|error| self.unreadable(error))? {
                Some(steady) => return Ok(steady),
                None => thread::sleep(BETWEEN_READS),
            }
        }
        Err(FileError::Unsteady { path: path() })
    }

    pub(super) fn read(&self) -> Result<Steady<Zeroizing<Vec<u8>>>, FileError> {
        self.read_by(read_whole)
    }

    /// The error of a document that is not valid.
    pub(super) fn invalid(&self, issues: DocumentError) -> FileError {
        FileError::Document {
            path: self.given.clone(),
            issues: Box::new(issues),
        }
    }

    fn unreadable(&self, cause: io::Error) -> FileError {
        let path = self.given.clone();
        match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::Missing { path },
            _ => FileError::Read { path, cause },
        }
    }
}

/// What was read, unless the file changed meanwhile.
fn steady<T>(
    absolute: &Path,
    read: impl FnOnce(&File, u64) -> io::Result<T>,
) -> io::Result<Option<Steady<T>>> {
    let file = File::open(absolute)?;
    let before = file.metadata()?;
    let stamp = Stamp::from(&before);
    let seen = (!stamp.may_deceive()).then_some(stamp);
    let content = read(&file, before.len())?;
    let is_steady = Stamp::from(&file.metadata()?) == stamp;
    Ok(is_steady.then_some(Steady { content, seen }))
}

pub(super) fn read_whole(mut file: &File, length: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // One byte more than needed: a buffer that grows leaves copies of keys behind.
    let capacity = usize::try_from(length).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}
