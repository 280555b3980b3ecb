//! A catalog file: reading, locking and replacing it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tower_subscription_key::catalog::Catalog;
use tower_subscription_key::document::{self, DocumentError, Format, HostKeys, KeySources, Source};

use crate::failure::{Failure, Result};

#[derive(Debug)]
pub(crate) struct CatalogFile {
    /// As it was named: for messages, and for what is relative to it.
    path: PathBuf,
    format: Format,
}

impl CatalogFile {
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        let format = Format::from_path(&path).map_err(Failure::usage)?;
        Ok(Self { path, format })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn exists(&self) -> bool {
        // A link to nowhere is there, and broken.
        fs::symlink_metadata(&self.path).is_ok()
    }

    pub(crate) fn read(&self) -> Result<String> {
        let path = self.path.display();
        let bytes = fs::read(&self.path)
            .map_err(|error| Failure::unreachable(format_args!("cannot read {path}: {error}")))?;
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            Failure::refused(format_args!(
                "{path}:{line}:1: error[syntax]: this is not UTF-8"
            ))
        })
    }

    /// The catalog in the file, with the keys of this process's environment.
    pub(crate) fn load(&self) -> Result<Catalog> {
        self.parse_with(&self.read()?, &HostKeys::new())
            .map_err(refused)
    }

    pub(crate) fn parse_with(
        &self,
        text: &str,
        keys: &dyn KeySources,
    ) -> Result<Catalog, DocumentError> {
        let source = Source::new(&self.path, self.format, text.as_bytes());
        document::parse_all(&[source], keys)
    }

    /// The file behind links.
    fn real(&self) -> Result<PathBuf> {
        let path = match (fs::canonicalize(&self.path), self.exists()) {
            (Ok(path), _) => Ok(path),
            // A new file.
            (Err(_), false) => {
                let folder = self
                    .path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
                folder.map(|folder| folder.join(self.path.file_name().unwrap_or_default()))
            }
            (Err(error), true) => Err(error),
        };
        path.map_err(|error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &io::Error) -> Failure {
        let path = self.path.display();
        Failure::unreachable(format_args!("cannot write {path}: {error}"))
    }

    /// Waits until no other edit of the file is under way. The hidden lock file
    /// stays, so that all edits lock the same one.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.real()?;
        let lock = sibling(&path, "lock");
        let open = || {
            check_writable(&path)?;
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&lock)?;
            #[allow(
                clippy::incompatible_msrv,
                reason = "the tool needs a newer Rust for its databases"
            )]
            file.lock()?;
            Ok(file)
        };
        let file = open().map_err(|error| self.unwritable(&error))?;
        Ok(Lock { path, _file: file })
    }

    /// Replaces the content: writes a new file in the same folder, then renames it.
    pub(crate) fn replace(&self, lock: &Lock, text: &str) -> Result {
        replace(&lock.path, text).map_err(|error| self.unwritable(&error))
    }
}

/// A document that is refused, with all of its problems.
pub(crate) fn refused(error: DocumentError) -> Failure {
    Failure::refused(format_args!("the catalog is refused\n{error}"))
}

/// The right to edit a file, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

fn sibling(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{ending}"))
}

/// Refuses a file or folder without any permission to write, also for root.
fn check_writable(path: &Path) -> io::Result<()> {
    let denied = |what: &str| io::Error::new(ErrorKind::PermissionDenied, what);
    match fs::metadata(path) {
        Ok(file) if file.permissions().readonly() => return Err(denied("the file is read-only")),
        Ok(file) if !file.is_file() => {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "this is not a regular file",
            ));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let folder = fs::metadata(path.parent().unwrap_or(Path::new(".")))?;
    if folder.permissions().readonly() {
        return Err(denied("the folder is read-only"));
    }
    Ok(())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = sibling(path, "new");
    // The lock is held: a file that is there was left by a killed edit.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let before = match fs::metadata(path) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // It may hold keys and is for its owner only: its final mode comes with its
    // final owner. If it is not renamed in the end, it is removed.
    let name = new.file_name().unwrap_or_default();
    let mut file = tempfile::Builder::new()
        .prefix(name)
        .rand_bytes(0)
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Some(before) = before {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            let own = file.as_file().metadata()?;
            if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
                fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
            }
        }
        file.as_file().set_permissions(before.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The name is durable only with its folder.
    File::open(folder)?.sync_all()
}
