use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use tokio::sync::oneshot;

use crate::catalog::Catalog;
use crate::lint::{self, Level};
use crate::store::file::FileError;
use crate::store::file::progress::OnProgress;
use crate::store::file::read::{FilePath, Hash};
use crate::store::file::source::{Content, KeyFiles, Seen, Source};
use crate::store::file::stamp::Stamp;
use crate::store::replica::Replica;

/// Reads the files of a store and publishes what they contain.
pub(super) struct Loader {
    source: Source,
    pub(super) replica: Arc<Replica>,
    log_findings: bool,
    history: Mutex<History>,
}

/// Which contents of the files have been seen.
struct History {
    used: Version,
    /// The one that was tried last: reporting it again is noise.
    tried: Option<Version>,
}

#[derive(Clone, PartialEq, Eq)]
struct Version {
    catalog_files: Hash,
    key_files: KeyFiles,
}

impl Loader {
    /// Reads the files for the first time.
    pub(super) fn open(
        paths: &[PathBuf],
        progress: OnProgress,
        log_findings: bool,
    ) -> Result<(Self, Seen), FileError> {
        let source = Source::new(paths, progress)?;
        let content = source.read()?;
        let (catalog_files, mut seen) = (content.hash, content.seen.clone());
        let (catalog, key_files) = source.parse(content);
        let catalog = catalog?;
        key_files.read_again(&mut seen);
        let used = Version {
            catalog_files,
            key_files,
        };
        let loader = Self {
            replica: Arc::new(Replica::new(source.name(), None)),
            source,
            log_findings,
            history: Mutex::new(History {
                tried: Some(used.clone()),
                used,
            }),
        };
        loader.publish(catalog);
        Ok((loader, seen))
    }

    /// The first of the files, as it was given.
    pub(super) fn path(&self) -> &Path {
        let first = self.source.paths().next();
        first.map_or(Path::new(""), |path| &path.given)
    }

    /// Reads the files, whether or not their content is new.
    pub(super) fn reload(&self) -> Result<(), FileError> {
        let mut history = self.history();
        history.tried = None;
        let loaded = match self.source.read() {
            Ok(content) => self.try_content(&mut history, content),
            Err(error) => Err(gone(error)),
        };
        loaded.inspect_err(|error| self.replica.fail(error))
    }

    /// Reads the files after a sign of change.
    pub(super) fn look(&self) -> Seen {
        let mut history = self.history();
        let content = match self.source.read() {
            Ok(content) => content,
            Err(error) => {
                // What comes back is tried again, even if it is the same.
                history.tried = None;
                self.replica.fail(&gone(error));
                // The system may let it be read later.
                let again = |path: &FilePath| (path.absolute.clone(), None);
                return self.source.paths().map(again).collect();
            }
        };
        let mut seen = content.seen.clone();
        let mut is = |version: &Version| {
            version.catalog_files == content.hash
                && version.key_files.read_again(&mut seen) == version.key_files
        };
        if is(&history.used) {
            history.tried = Some(history.used.clone());
            if self.unlinked().is_none() && self.replica.status().last_error().is_some() {
                self.replica.confirm(None);
            }
        } else if !history.tried.as_ref().is_some_and(is)
            && let Err(error) = self.try_content(&mut history, content)
        {
            self.replica.fail(&error);
        }
        if let Some(tried) = &history.tried {
            // Those that this version was the first to name.
            tried.key_files.read_again(&mut seen);
        }
        if let Some(path) = self.unlinked() {
            let path = path.given.clone();
            self.replica.fail(&FileError::Unlinked { path });
        }
        seen
    }

    /// Reports a file that a program does not close. What it contains then is tried
    /// again, even if it is the same.
    pub(super) fn report_open(&self, path: &FilePath, seconds: u64) {
        let mut history = self.history();
        history.tried = None;
        let path = path.given.clone();
        self.replica.fail(&FileError::StillOpen { path, seconds });
    }

    fn try_content(&self, history: &mut History, content: Content) -> Result<(), FileError> {
        let catalog_files = content.hash;
        let (catalog, mut key_files) = self.source.parse(content);
        if catalog.is_err() {
            // A document that cannot be read names none of them.
            key_files.extend(&history.used.key_files);
        }
        let tried = Version {
            catalog_files,
            key_files,
        };
        history.tried = Some(tried.clone());
        self.publish(catalog?);
        history.used = tried;
        Ok(())
    }

    fn publish(&self, catalog: Catalog) {
        self.replica.publish(catalog, None);
        if self.log_findings {
            log_findings(self.replica.source(), &self.replica.loaded_catalog());
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path that leads to a removed file: it shows no change any more.
    fn unlinked(&self) -> Option<&FilePath> {
        let is_unlinked = |path: &&FilePath| Stamp::of(&path.absolute).is_unlinked();
        self.source.paths().find(is_unlinked)
    }
}

/// Logs probable mistakes in the catalog, a bounded number of them.
fn log_findings(source: &str, catalog: &Catalog) {
    const MOST: usize = 20;
    let findings = lint::findings(catalog, SystemTime::now());
    let is_warning = |finding: &&lint::Finding| finding.level() >= Level::Warning;
    let mut warnings = findings.iter().filter(is_warning);
    for finding in warnings.by_ref().take(MOST) {
        tracing::warn!(source, code = %finding.code(), "{finding}");
    }
    let more = warnings.count();
    if more > 0 {
        tracing::warn!(
            source,
            more,
            "the catalog has more findings: `subscription-key check` lists them"
        );
    }
}

/// A file that is missing now was there before.
fn gone(error: FileError) -> FileError {
    match error {
        FileError::Missing { path } => FileError::Gone { path },
        error => error,
    }
}

/// Waits for work that reads files, without blocking an async thread.
pub(super) async fn on_a_thread<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    let (sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name("file-store-load".into());
    // The receiver may be gone.
    let spawned = thread.spawn(move || sender.send(work()).is_ok());
    if let Err(cause) = spawned {
        return Err(FileError::Thread { path, cause });
    }
    let answer = receiver.await;
    answer.unwrap_or(Err(FileError::Panicked { path }))
}
