use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::catalog::Catalog;
use crate::document::{self, DocumentError, Format, LoadProgress};
use crate::store::file::FileError;
use crate::store::file::options::OnProgress;
use crate::store::file::stamp::Stamp;

/// A file that changes while it is read is read again, so often and after that
/// long.
const READS: usize = 10;
const BETWEEN_READS: Duration = Duration::from_millis(20);

/// The file, and what language it is in.
pub(super) struct Source {
    /// As it was given, for people.
    pub(super) path: PathBuf,
    /// Holds also if the process changes its directory.
    pub(super) absolute: PathBuf,
    format: Format,
    /// Told while a long file is loaded.
    pub(super) progress: OnProgress,
}

/// All bytes of a file at one moment.
pub(super) struct Content {
    bytes: Zeroizing<Vec<u8>>,
    /// The file before it was read. `None`: it may change once more and look the
    /// same. That is decided here, because later it would look old enough.
    pub(super) seen: Option<Stamp>,
}

pub(super) type Hash = [u8; 32];

impl Content {
    pub(super) fn hash(&self) -> Hash {
        Sha256::digest(&*self.bytes).into()
    }
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

    pub(super) fn read(&self) -> Result<Content, FileError> {
        let path = || self.path.clone();
        for _ in 0..READS {
            let metadata = fs::metadata(&self.absolute);
            let metadata = metadata.map_err(|error| self.unreadable(error))?;
            // Opening a pipe would wait for its writer.
            if !metadata.is_file() {
                return Err(FileError::NotAFile { path: path() });
            }
            let content = read_once(&self.absolute);
            match content.map_err(|error| self.unreadable(error))? {
                Some(content) => return Ok(content),
                None => thread::sleep(BETWEEN_READS),
            }
        }
        Err(FileError::Unsteady { path: path() })
    }

    fn unreadable(&self, source: io::Error) -> FileError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::Missing { path },
            _ => FileError::Read { path, source },
        }
    }

    pub(super) fn parse(&self, content: Content) -> Result<Catalog, FileError> {
        // A fault in a parser must not end the watching without a word.
        let parsed = catch_unwind(AssertUnwindSafe(|| self.parse_at_once(content)));
        let path = || self.path.clone();
        let broken = |_| Err(FileError::Broken { path: path() });
        let refused = |source| FileError::Document {
            path: path(),
            source,
        };
        parsed.unwrap_or_else(broken)?.map_err(refused)
    }

    /// The text of a large catalog is as large as the catalog. Where that is
    /// possible, it is let go before the one is built, and read again if there is
    /// something to explain after all.
    fn parse_at_once(&self, content: Content) -> Result<Result<Catalog, DocumentError>, FileError> {
        let told = Told::new(self);
        let Some(builder) =
            document::builder(self.format, &content.bytes, &|progress| told.tell(progress))
        else {
            return Ok(document::explain(self.format, &content.bytes));
        };
        drop(content);
        if let Ok(catalog) = builder.build() {
            return Ok(Ok(catalog));
        }
        let again = self.read()?;
        Ok(document::explain(self.format, &again.bytes))
    }
}

/// Long loads are told to `tracing` once in so long.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

/// Who is told how a load goes on.
struct Told<'s> {
    source: &'s Source,
    last_event: Cell<Instant>,
}

impl<'s> Told<'s> {
    fn new(source: &'s Source) -> Self {
        Self {
            source,
            last_event: Cell::new(Instant::now()),
        }
    }

    fn tell(&self, progress: LoadProgress) {
        if self.last_event.get().elapsed() >= BETWEEN_EVENTS {
            self.last_event.set(Instant::now());
            tracing::info!(
                path = %self.source.path.display(),
                entries = progress.entries,
                percent = 100 * progress.read / progress.length.max(1),
                "catalog file is being loaded"
            );
        }
        self.source.progress.tell(progress);
    }
}

/// `None` where the file changed meanwhile.
fn read_once(absolute: &Path) -> io::Result<Option<Content>> {
    let mut file = File::open(absolute)?;
    let before = file.metadata()?;
    let stamp = Stamp::from(&before);
    let seen = (!stamp.may_deceive()).then_some(stamp);
    // One byte more than needed: what grows leaves copies of keys behind.
    let capacity = usize::try_from(before.len()).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.read_to_end(&mut bytes)?;
    let is_steady = Stamp::from(&file.metadata()?) == stamp;
    Ok(is_steady.then_some(Content { bytes, seen }))
}
