use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};
use zeroize::Zeroizing;

use crate::catalog::Catalog;
use crate::document::{self, Format};
use crate::key::KeyDigest;
use crate::store::file::stamp::Stamp;
use crate::store::file::{FileError, FileStatus};
use crate::store::{KeyOwner, Published};

/// A file that changes while it is read is read again, so often and after that
/// long.
const READS: usize = 10;
const BETWEEN_READS: Duration = Duration::from_millis(20);

/// What all handles and the watching thread share.
pub(super) struct Shared {
    /// As it was given, for people.
    path: PathBuf,
    /// Holds also if the process changes its directory.
    absolute: PathBuf,
    format: Format,
    cell: Published,
    status: watch::Sender<FileStatus>,
    history: Mutex<History>,
}

/// Which contents of the file have been seen.
struct History {
    /// Those in use.
    used: Hash,
    /// Those that were tried last: telling about them again is noise.
    tried: Option<Hash>,
}

type Hash = [u8; 32];

/// What a look at a changed file led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The file with that stamp is dealt with, good or bad.
    Done(Stamp),
    /// The system would not have it read: it may do so later.
    Later,
}

impl Shared {
    /// Reads the file for the first time.
    pub(super) fn open(path: &Path) -> Result<(Self, Stamp), FileError> {
        let path = path.to_owned();
        let format = Format::from_path(&path).map_err(|source| {
            let path = path.clone();
            FileError::Format { path, source }
        })?;
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let history = read(&path, &absolute)?;
        let catalog = parse(&path, format, &history.bytes)?;
        let used = history.hash();
        tell_version(&path, 1, &catalog);
        let status = FileStatus {
            version: 1,
            loaded_at: SystemTime::now(),
            last_error: None,
        };
        let shared = Self {
            path,
            absolute,
            format,
            cell: Published::new(catalog),
            status: watch::Sender::new(status),
            history: Mutex::new(History {
                used,
                tried: Some(used),
            }),
        };
        Ok((shared, history.stamp))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn absolute(&self) -> &Path {
        &self.absolute
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.cell.load()
    }

    pub(super) fn owner(&self, key: &KeyDigest) -> Option<KeyOwner> {
        self.cell.owner(key)
    }

    pub(super) fn status(&self) -> FileStatus {
        self.status.borrow().clone()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<FileStatus> {
        self.status.subscribe()
    }

    /// Reads the file, whether or not its content is new.
    pub(super) fn reload(&self) -> Result<FileStatus, Arc<FileError>> {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.tried = None;
        match read(&self.path, &self.absolute) {
            Ok(read) => self.try_content(&mut history, read.hash(), &read.bytes),
            Err(error) => self.refuse(gone(error)),
        }
        let status = self.status();
        match status.last_error {
            Some(error) => Err(error),
            None => Ok(status),
        }
    }

    /// Reads the file after a sign of change.
    pub(super) fn look(&self) -> Outcome {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match read(&self.path, &self.absolute) {
            Ok(read) => read,
            Err(error) => {
                // What comes back is looked at anew, even if it is the same.
                history.tried = None;
                self.refuse(gone(error));
                return Outcome::Later;
            }
        };
        let hash = read.hash();
        if history.tried != Some(hash) {
            if history.used == hash {
                history.tried = Some(hash);
                self.good_again();
            } else {
                self.try_content(&mut history, hash, &read.bytes);
            }
        }
        Outcome::Done(read.stamp)
    }

    fn try_content(&self, history: &mut History, hash: Hash, bytes: &[u8]) {
        history.tried = Some(hash);
        match parse(&self.path, self.format, bytes) {
            Ok(catalog) => {
                history.used = hash;
                self.publish(catalog);
            }
            Err(error) => self.refuse(error),
        }
    }

    fn publish(&self, catalog: Catalog) {
        let version = self.status.borrow().version + 1;
        tell_version(&self.path, version, &catalog);
        self.cell.publish(catalog);
        self.status.send_replace(FileStatus {
            version,
            loaded_at: SystemTime::now(),
            last_error: None,
        });
    }

    fn good_again(&self) {
        let version = self.status.borrow().version;
        tracing::info!(path = %self.path.display(), version, "catalog file is as it was loaded again");
        self.status.send_modify(|status| status.last_error = None);
    }

    /// Tells an error, unless it is the one that was told last.
    fn refuse(&self, error: FileError) {
        let text = error.to_string();
        let status = self.status.borrow().clone();
        let is_known = |last: &Arc<FileError>| last.to_string() == text;
        if status.last_error.as_ref().is_some_and(is_known) {
            return;
        }
        tracing::error!(
            path = %self.path.display(),
            version = status.version,
            "catalog file is refused, the version before stays in use:\n{text}"
        );
        self.status
            .send_modify(|status| status.last_error = Some(Arc::new(error)));
    }
}

fn tell_version(path: &Path, version: u64, catalog: &Catalog) {
    tracing::info!(
        path = %path.display(),
        version,
        apis = catalog.apis().count(),
        products = catalog.products().count(),
        subscriptions = catalog.subscription_count(),
        "catalog file is in use"
    );
}

/// A file that is not there now was there once.
fn gone(error: FileError) -> FileError {
    match error {
        FileError::Missing { path } => FileError::Gone { path },
        error => error,
    }
}

/// All bytes of a file at one moment.
struct Content {
    bytes: Zeroizing<Vec<u8>>,
    /// As it was before.
    stamp: Stamp,
}

impl Content {
    fn hash(&self) -> Hash {
        Sha256::digest(&*self.bytes).into()
    }
}

fn read(path: &Path, absolute: &Path) -> Result<Content, FileError> {
    let path = path.to_owned();
    for _ in 0..READS {
        let metadata = match fs::metadata(absolute) {
            Ok(metadata) => metadata,
            Err(error) => return Err(unreadable(path, error)),
        };
        // Opening a pipe would wait for its writer.
        if !metadata.is_file() {
            return Err(FileError::NotAFile { path });
        }
        match read_once(absolute) {
            Ok(Some(read)) => return Ok(read),
            Ok(None) => thread::sleep(BETWEEN_READS),
            Err(error) => return Err(unreadable(path, error)),
        }
    }
    Err(FileError::Unsteady { path })
}

/// `None` where the file changed meanwhile.
fn read_once(absolute: &Path) -> io::Result<Option<Content>> {
    let mut file = File::open(absolute)?;
    let before = file.metadata()?;
    let stamp = Stamp::from(&before);
    // One byte more than needed: what grows leaves copies of keys behind.
    let capacity = usize::try_from(before.len()).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.read_to_end(&mut bytes)?;
    let is_steady = Stamp::from(&file.metadata()?) == stamp;
    Ok(is_steady.then_some(Content { bytes, stamp }))
}

fn unreadable(path: PathBuf, source: io::Error) -> FileError {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::Missing { path },
        _ => FileError::Read { path, source },
    }
}

fn parse(path: &Path, format: Format, bytes: &[u8]) -> Result<Catalog, FileError> {
    let path = path.to_owned();
    // A fault in a parser must not end the watching without a word.
    match catch_unwind(AssertUnwindSafe(|| document::parse(format, bytes))) {
        Ok(Ok(catalog)) => Ok(catalog),
        Ok(Err(source)) => Err(FileError::Document { path, source }),
        Err(_) => Err(FileError::Broken { path }),
    }
}

/// Waits for work that reads files, without holding up an async thread.
pub(super) async fn on_a_thread<T, E>(
    path: PathBuf,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
    into: fn(FileError) -> E,
) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name("file-store-load".into());
    // Nobody waits for an answer that cannot be sent.
    let spawned = thread.spawn(move || sender.send(work()).is_ok());
    if let Err(source) = spawned {
        return Err(into(FileError::Read { path, source }));
    }
    let answer = receiver.await;
    answer.unwrap_or_else(|_| Err(into(FileError::Broken { path })))
}
