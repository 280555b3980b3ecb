use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::catalog::{Catalog, CatalogBuilder};
use crate::document::{self, Format};
use crate::store::file::FileError;
use crate::store::file::parts::Parts;
use crate::store::file::progress::{LoadProgress, OnProgress, Told};
use crate::store::file::stamp::Stamp;

/// A file that changes while it is read is read again, so often and after that
/// long.
const READS: usize = 10;
const BETWEEN_READS: Duration = Duration::from_millis(20);

/// A JSON document of more bytes is never held in memory as a whole, unless there
/// is something to explain.
const LONG: u64 = 2 * document::PART_BYTES as u64;

/// The file, and what language it is in.
pub(super) struct Source {
    /// As it was given, for people.
    pub(super) path: PathBuf,
    /// Holds also if the process changes its directory.
    pub(super) absolute: PathBuf,
    format: Format,
    /// Told while a long file is loaded.
    progress: OnProgress,
}

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// What the file held at one moment.
pub(super) struct Content {
    body: Body,
    pub(super) hash: Hash,
    /// The file before it was read. `None`: it may change once more and look the
    /// same. That is decided here, because later it would look old enough.
    pub(super) seen: Option<Stamp>,
}

enum Body {
    Text(Zeroizing<Vec<u8>>),
    /// What was made of a long text while it was read. `None`: it takes all of the
    /// text to tell what it is.
    Read(Option<Box<CatalogBuilder>>),
}

impl Source {
    pub(super) fn of(path: &Path, progress: OnProgress) -> Result<Self, FileError> {
        let path = path.to_owned();
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        match Format::from_path(&path) {
            Ok(format) => Ok(Self {
                path,
                absolute,
                format,
                progress,
            }),
            Err(source) => Err(FileError::Format { path, source }),
        }
    }

    /// Reads the file. Of a long one the most is done on the way.
    pub(super) fn read(&self) -> Result<Content, FileError> {
        let read = || {
            self.read_by(|file, length| {
                if self.format == Format::Json && length > LONG {
                    return self.read_in_parts(file, length);
                }
                let text = read_whole(file, length)?;
                let hash = Sha256::digest(&*text).into();
                Ok((Body::Text(text), hash))
            })
        };
        let ((body, hash), seen) = self.guarded(read)?;
        Ok(Content { body, hash, seen })
    }

    /// Reads the file until it stays as it is meanwhile.
    fn read_by<T>(
        &self,
        read: impl Fn(&File, u64) -> io::Result<T>,
    ) -> Result<(T, Option<Stamp>), FileError> {
        let path = || self.path.clone();
        for _ in 0..READS {
            let metadata = fs::metadata(&self.absolute);
            let metadata = metadata.map_err(|error| self.unreadable(error))?;
            // Opening a pipe would wait for its writer.
            if !metadata.is_file() {
                return Err(FileError::NotAFile { path: path() });
            }
            let content = steady(&self.absolute, &read);
            match content.map_err(|error| self.unreadable(error))? {
                Some(content) => return Ok(content),
                None => thread::sleep(BETWEEN_READS),
            }
        }
        Err(FileError::Unsteady { path: path() })
    }

    /// Reads a long text without ever holding all of it.
    fn read_in_parts(&self, file: &File, length: u64) -> io::Result<(Body, Hash)> {
        let mut parts = Parts::of(file);
        let mut told = Told::new(&self.path, &self.progress);
        let builder = document::builder_of_parts(parts.by_ref(), |entries, read| {
            told.tell(LoadProgress {
                entries,
                read,
                length,
            });
        })?;
        Ok((Body::Read(builder.map(Box::new)), parts.hash()?))
    }

    fn unreadable(&self, source: io::Error) -> FileError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::Missing { path },
            _ => FileError::Read { path, source },
        }
    }

    pub(super) fn parse(&self, content: Content) -> Result<Catalog, FileError> {
        self.guarded(|| match content.body {
            Body::Text(text) => self.parse_text(&text),
            Body::Read(builder) => match builder.map(|builder| builder.build()) {
                Some(Ok(catalog)) => Ok(catalog),
                Some(Err(_)) | None => self.parse_text(&self.read_by(read_whole)?.0),
            },
        })
    }

    fn parse_text(&self, text: &[u8]) -> Result<Catalog, FileError> {
        document::parse(self.format, text).map_err(|source| FileError::Document {
            path: self.path.clone(),
            source,
        })
    }

    /// A fault in a parser must not end the watching without a word.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, FileError>) -> Result<T, FileError> {
        let path = self.path.clone();
        catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(FileError::Broken { path }))
    }
}

/// What was read, unless the file changed meanwhile.
fn steady<T>(
    absolute: &Path,
    read: impl FnOnce(&File, u64) -> io::Result<T>,
) -> io::Result<Option<(T, Option<Stamp>)>> {
    let file = File::open(absolute)?;
    let before = file.metadata()?;
    let stamp = Stamp::from(&before);
    let seen = (!stamp.may_deceive()).then_some(stamp);
    let content = read(&file, before.len())?;
    let is_steady = Stamp::from(&file.metadata()?) == stamp;
    Ok(is_steady.then_some((content, seen)))
}

fn read_whole(mut file: &File, length: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // One byte more than needed: what grows leaves copies of keys behind.
    let capacity = usize::try_from(length).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
