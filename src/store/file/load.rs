use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::SystemTime;

use tokio::sync::{oneshot, watch};

use crate::catalog::Catalog;
use crate::catalog::KeyOwner;
use crate::catalog::Live;
use crate::key::KeyDigest;
use crate::store::file::progress::OnProgress;
use crate::store::file::source::{Content, Hash, Source};
use crate::store::file::stamp::Stamp;
use crate::store::file::{FileError, FileStatus};

/// What all handles and the watching thread share.
pub(super) struct Shared {
    source: Source,
    cell: Live,
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

/// What a look at a changed file led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The file is dealt with, good or bad, for as long as it has that stamp.
    Done(Option<Stamp>),
    /// The system would not have it read: it may do so later.
    Later,
}

impl Shared {
    /// Reads the file for the first time.
    pub(super) fn open(
        path: &Path,
        progress: OnProgress,
    ) -> Result<(Self, Option<Stamp>), FileError> {
        let source = Source::of(path, progress)?;
        let content = source.read()?;
        let (used, seen) = (content.hash, content.seen);
        let catalog = source.parse(content)?;
        tell_version(path, 1, &catalog);
        let status = FileStatus {
            version: 1,
            loaded_at: SystemTime::now(),
            last_error: None,
        };
        let shared = Self {
            source,
            cell: Live::new(catalog),
            status: watch::Sender::new(status),
            history: Mutex::new(History {
                used,
                tried: Some(used),
            }),
        };
        Ok((shared, seen))
    }

    pub(super) fn path(&self) -> &Path {
        &self.source.path
    }

    pub(super) fn absolute(&self) -> &Path {
        &self.source.absolute
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
        match self.source.read() {
            Ok(content) => self.try_content(&mut history, content.hash, content),
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
        let content = match self.source.read() {
            Ok(content) => content,
            Err(error) => {
                // What comes back is looked at anew, even if it is the same.
                history.tried = None;
                self.refuse(gone(error));
                return Outcome::Later;
            }
        };
        let (hash, seen) = (content.hash, content.seen);
        if history.tried != Some(hash) {
            if history.used == hash {
                history.tried = Some(hash);
                self.good_again();
            } else {
                self.try_content(&mut history, hash, content);
            }
        }
        Outcome::Done(seen)
    }

    fn try_content(&self, history: &mut History, hash: Hash, content: Content) {
        history.tried = Some(hash);
        match self.source.parse(content) {
            Ok(catalog) => {
                history.used = hash;
                self.publish(catalog);
            }
            Err(error) => self.refuse(error),
        }
    }

    fn publish(&self, catalog: Catalog) {
        let version = self.status.borrow().version + 1;
        tell_version(self.path(), version, &catalog);
        self.cell.publish(catalog);
        self.status.send_replace(FileStatus {
            version,
            loaded_at: SystemTime::now(),
            last_error: None,
        });
    }

    fn good_again(&self) {
        let version = self.status.borrow().version;
        tracing::info!(path = %self.path().display(), version, "catalog file is as it was loaded again");
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
            path = %self.path().display(),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
