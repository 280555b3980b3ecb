//! The catalog files of a store, the key files that they name, and what all of
//! them contain at one moment.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::catalog::Catalog;
use crate::document::{self, Format, HostKeys, LongRead};
use crate::store::file::FileError;
use crate::store::file::parts::Parts;
use crate::store::file::progress::{LoadProgress, OnProgress, Reporter};
use crate::store::file::read::{FilePath, Hash, Steady, hash, read_whole};
use crate::store::file::stamp::Stamp;

/// A JSON document of more bytes is never held in memory as a whole, unless it has
/// issues to explain.
const LONG: u64 = 2 * document::PART_BYTES as u64;

pub(super) struct Source {
    files: Vec<(FilePath, Format)>,
    progress: OnProgress,
}

/// What the catalog files contain.
pub(super) struct Content {
    bodies: Vec<Body>,
    pub(super) hash: Hash,
    pub(super) seen: Seen,
    keys: HostKeys,
}

enum Body {
    Text(Zeroizing<Vec<u8>>),
    /// What was read of a long text.
    Read(Box<LongRead>),
}

/// The files that a version depends on, by absolute path, each with its stamp
/// before it was read. `None`: read it again in any case.
pub(super) type Seen = BTreeMap<PathBuf, Option<Stamp>>;

/// The key files that a version depends on, by absolute path. `None`: it could not
/// be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeyFiles(BTreeMap<PathBuf, Option<Hash>>);

impl Source {
    pub(super) fn new(paths: &[PathBuf], progress: OnProgress) -> Result<Self, FileError> {
        let file = |path: &PathBuf| match Format::from_path(path) {
            Ok(format) => Ok((FilePath::new(path), format)),
            Err(reason) => Err(FileError::Format {
                path: path.clone(),
                reason,
            }),
        };
        let files = paths.iter().map(file).collect::<Result<Vec<_>, _>>()?;
        match files.is_empty() {
            true => Err(FileError::NoFile),
            false => Ok(Self { files, progress }),
        }
    }

    /// The files for people, as they were given.
    pub(super) fn name(&self) -> String {
        let names = self.paths().map(|path| path.given.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }

    /// The catalog files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &FilePath> {
        self.files.iter().map(|(path, _)| path)
    }

    /// Reads the catalog files. A long one is mostly parsed on the way.
    pub(super) fn read(&self) -> Result<Content, FileError> {
        let mut content = Content {
            bodies: Vec::new(),
            hash: Hash::default(),
            seen: Seen::new(),
            keys: HostKeys::new(),
        };
        let mut all = Sha256::new();
        for (path, format) in &self.files {
            let read = || {
                path.read_by(|file, length| {
                    if self.files.len() == 1 && *format == Format::Json && length > LONG {
                        return self.read_in_parts(path, file, length, &content.keys);
                    }
                    let text = read_whole(file, length)?;
                    let hash = hash(&text);
                    Ok((Body::Text(text), hash))
                })
            };
            let Steady {
                content: (body, hash),
                seen,
            } = guarded(path, read)?;
            all.update(hash);
            content.bodies.push(body);
            content.seen.insert(path.absolute.clone(), seen);
        }
        content.hash = all.finalize().into();
        Ok(content)
    }

    /// Reads a long text without holding all of it at once.
    fn read_in_parts(
        &self,
        path: &FilePath,
        file: &std::fs::File,
        length: u64,
        keys: &HostKeys,
    ) -> std::io::Result<(Body, Hash)> {
        let mut parts = Parts::of(file);
        let mut reporter = Reporter::new(&path.given, &self.progress);
        let read = document::read_parts(parts.by_ref(), &path.given, keys, |entries, read| {
            reporter.report(LoadProgress {
                entries,
                read,
                length,
            });
        })?;
        Ok((Body::Read(Box::new(read)), parts.hash()?))
    }

    /// The catalog, and the key files that were asked for, also if it fails.
    pub(super) fn parse(&self, content: Content) -> (Result<Catalog, FileError>, KeyFiles) {
        let Content { bodies, keys, .. } = content;
        let catalog = match self.files.first() {
            Some((path, _)) => guarded(path, || self.parse_bodies(path, bodies, &keys)),
            None => Err(FileError::NoFile),
        };
        (catalog, KeyFiles::of(keys))
    }

    fn parse_bodies(
        &self,
        first: &FilePath,
        bodies: Vec<Body>,
        keys: &HostKeys,
    ) -> Result<Catalog, FileError> {
        let mut texts = Vec::new();
        for body in bodies {
            match body {
                Body::Text(text) => texts.push(text),
                // A long document is read alone: there is no other body.
                Body::Read(read) => {
                    let text = || first.read().map(|steady| steady.content);
                    let catalog = read.build(&first.given, keys, text)?;
                    return catalog.map_err(|issues| first.invalid(issues));
                }
            }
        }
        let sources = self.files.iter().zip(&texts);
        let sources: Vec<_> = sources
            .map(|((path, format), text)| document::Source::new(&path.given, *format, text))
            .collect();
        document::parse_all(&sources, keys).map_err(|issues| first.invalid(issues))
    }
}

/// A bug in a parser must not end the watching.
fn guarded<T>(
    path: &FilePath,
    work: impl FnOnce() -> Result<T, FileError>,
) -> Result<T, FileError> {
    let path = path.given.clone();
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(FileError::Panicked { path }))
}

impl KeyFiles {
    fn of(keys: HostKeys) -> Self {
        let files = keys.into_hashes().into_iter();
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Self(files.map(|(path, hash)| (absolute(path), hash)).collect())
    }

    /// Reads the same files again.
    pub(super) fn read_again(&self, seen: &mut Seen) -> Self {
        let read = |path: &PathBuf| {
            let steady = FilePath::new(path).read();
            let (content, stamp) = match steady {
                Ok(Steady { content, seen }) => (Some(hash(&content)), seen),
                Err(FileError::Missing { .. }) => (None, Some(Stamp::of(path))),
                Err(_) => (None, None),
            };
            if let Entry::Vacant(entry) = seen.entry(path.clone()) {
                entry.insert(stamp);
            }
            (path.clone(), content)
        };
        Self(self.0.keys().map(read).collect())
    }

    /// Adds the files of another version.
    pub(super) fn extend(&mut self, other: &Self) {
        for (path, content) in &other.0 {
            self.0.entry(path.clone()).or_insert(*content);
        }
    }
}
