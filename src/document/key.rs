use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::catalog::SubscriptionKey;
use crate::document::explain::Place;
use crate::document::problems::Problems;
use crate::document::schema::{KeyEntry, KeyTable, Text};
use crate::key::{KeyDigest, MAX_KEY_BYTES};

/// Where keys come from that a document only names: `{ env = "…" }` and
/// `{ file = "…" }`.
///
/// [`HostKeys`] reads them from this machine. A document that another machine
/// sent is read without key sources, so that it cannot ask for anything here.
pub trait KeySources: Sync {
    /// Returns the value of an environment variable, if it is set.
    fn env(&self, name: &str) -> Option<OsString>;

    /// Returns the content of a file. A relative path of the document is already
    /// joined to the folder of the document.
    ///
    /// # Errors
    ///
    /// Those of reading the file.
    fn file(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// Key files hold one key and a line end. A longer file is not a key file.
const MAX_FILE_BYTES: u64 = 4096;

/// The environment variables and files of this process.
///
/// It remembers the files, so that they can be watched.
///
/// ```
/// use tower_subscription_key::document::{HostKeys, KeySources};
///
/// let keys = HostKeys::new();
/// assert!(keys.file("/no/such/key".as_ref()).is_err());
/// assert_eq!(keys.files(), [std::path::Path::new("/no/such/key")]);
/// ```
#[derive(Debug, Default)]
pub struct HostKeys {
    /// The hash of each file's content. `None`: the file could not be read.
    files: Mutex<BTreeMap<PathBuf, Option<FileHash>>>,
}

/// SHA-256.
pub(crate) type FileHash = [u8; 32];

impl HostKeys {
    /// Has read nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns every file that was asked for, in order of their paths. It includes
    /// files that could not be read, because they may appear later.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.keys().cloned().collect()
    }

    /// The files and the hashes of their contents.
    #[cfg(feature = "file")]
    pub(crate) fn into_hashes(self) -> BTreeMap<PathBuf, Option<FileHash>> {
        let files = self.files.into_inner();
        files.unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySources for HostKeys {
    fn env(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = read_key_file(path);
        let hash = content.as_ref().ok();
        let hash = hash.map(|content| Sha256::digest(content).into());
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path.to_owned(), hash);
        content
    }
}

fn read_key_file(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_KEY_BYTES + 3));
    File::open(path)?
        .take(MAX_FILE_BYTES)
        .read_to_end(&mut content)?;
    Ok(std::mem::take(&mut *content))
}

/// Reads the keys of one document.
pub(super) struct KeyReader<'k> {
    sources: Option<&'k dyn KeySources>,
    folder: &'k Path,
}

const SOURCES: [&str; 4] = ["value", "sha256", "env", "file"];
const LOCAL: &str = "only a local catalog file can take a key from the environment or a file";

/// The key that a name leads to, or what is wrong and the cure.
type Named = Result<SubscriptionKey, (String, String)>;

impl<'k> KeyReader<'k> {
    /// Reads the keys of the document with that path.
    pub(super) fn new(sources: Option<&'k dyn KeySources>, document: &'k Path) -> Self {
        let folder = document.parent().unwrap_or(Path::new(""));
        Self { sources, folder }
    }

    /// Reads the keys of a document that another machine sent.
    pub(super) fn of_machine() -> Self {
        Self::new(None, Path::new(""))
    }

    pub(super) fn read(
        &self,
        key: KeyEntry<'_>,
        place: Place,
        problems: &mut Problems<'_>,
    ) -> Option<SubscriptionKey> {
        match key {
            KeyEntry::Text(Text(key)) => Some(SubscriptionKey::new(&*key)),
            KeyEntry::Table(table) => self.read_table(&table, place, problems),
        }
    }

    pub(super) fn read_table(
        &self,
        table: &KeyTable<'_>,
        place: Place,
        problems: &mut Problems<'_>,
    ) -> Option<SubscriptionKey> {
        let KeyTable {
            value,
            sha256,
            env,
            file,
            expires_at,
        } = table;
        let given = [value, sha256, env, file].map(|source| u8::from(source.is_some()));
        if given.iter().sum::<u8>() != 1 && !problems.has_refused(place, &SOURCES) {
            let what = "a key table has exactly one of value, sha256, env and file";
            problems.add(place, what);
        }
        let value = value.as_ref().map(|Text(key)| SubscriptionKey::new(&**key));
        let sha256 = sha256.as_ref().and_then(|Text(digest)| {
            let digest = problems.parsed::<KeyDigest>(place.inside("sha256"), digest);
            digest.map(SubscriptionKey::from_digest)
        });
        let mut named = |name: &Option<Text<'_>>, field, read: fn(&Self, &str) -> Named| {
            let key = read(self, &name.as_ref()?.0);
            key.map_err(|(what, cure)| problems.add_with(place.inside(field), what, cure))
                .ok()
        };
        let env = named(env, "env", Self::variable);
        let file = named(file, "file", Self::file);
        let end = expires_at.as_ref();
        let end = end.and_then(|end| problems.moment(place.inside("expires_at"), end));
        let key = value.or(sha256).or(env).or(file)?;
        Some(match end {
            Some(end) => key.with_expiry(end),
            None => key,
        })
    }

    fn variable(&self, name: &str) -> Named {
        let sources = self.sources.ok_or_else(not_local)?;
        let name_shown = shown_variable(name);
        let Some(value) = sources.env(name) else {
            let cure = "set it before the catalog is loaded".into();
            return Err((format!("{name_shown} is not set"), cure));
        };
        let content = Zeroizing::new(value.into_encoded_bytes());
        key_of(&content).map_err(|cure| (format!("{name_shown} holds no key"), cure))
    }

    fn file(&self, path: &str) -> Named {
        let sources = self.sources.ok_or_else(not_local)?;
        match sources.file(&self.folder.join(path)) {
            Ok(content) => {
                let content = Zeroizing::new(content);
                let what = || "the file that is named here holds no key".into();
                key_of(&content).map_err(|cure| (what(), cure))
            }
            Err(error) => {
                let cure = "give the path of a readable file, relative to the catalog file";
                let what = format!(
                    "the file that is named here cannot be read ({})",
                    error.kind()
                );
                Err((what, cure.into()))
            }
        }
    }
}

fn not_local() -> (String, String) {
    (LOCAL.into(), "give `sha256`".into())
}

/// The key in the content of a variable or file, which may end with one line end.
fn key_of(content: &[u8]) -> Result<SubscriptionKey, String> {
    let content = std::str::from_utf8(content).map_err(|_| "write it as text in UTF-8")?;
    let key = content.strip_suffix('\n').unwrap_or(content);
    let key = key
        .strip_suffix('\r')
        .filter(|_| key.len() < content.len())
        .unwrap_or(key);
    let key = SubscriptionKey::new(key);
    key.check().map_err(|error| error.to_string())?;
    Ok(key)
}

/// The variable by name, unless that could be a key that was put in its place:
/// keys in hex or base32 are letters and digits too, but have no underscore.
fn shown_variable(name: &str) -> String {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let begins_well = name.starts_with(|char: char| !char.is_ascii_digit());
    let is_name = begins_well && name.contains('_') && name.bytes().all(is_part);
    if is_name && name.len() <= 64 {
        format!("the environment variable {name}")
    } else {
        "the environment variable that is named here".into()
    }
}
