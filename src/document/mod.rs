//! Catalog documents: JSON, TOML or YAML text that becomes a
//! [`Catalog`], or an error with everything that is wrong.
//!
#![cfg_attr(feature = "json", doc = "```")]
#![cfg_attr(not(feature = "json"), doc = "```ignore")]
//! use tower_subscription_key::document::{self, Format};
//!
//! let text = r#"{
//!   "apis": [{ "id": "echo", "path": "/echo" }],
//!   "subscriptions": [{ "id": "contoso", "scope": "/apis/ecko", "primary_key": "264a4141", "stat": "active" }]
//! }"#;
//! let error = document::parse(text, Format::Json).unwrap_err();
//! let issues: Vec<String> = error.issues().iter().map(ToString::to_string).collect();
//! assert!(issues[0].starts_with(r#"3:49: subscription "contoso", scope: /apis/ecko does not exist"#));
//! assert_eq!(issues[1], r#"3:90: subscription "contoso": unknown field `stat`: did you mean `state`?"#);
//! ```
//!
//! Names and rules are the same in every format:
//!
//! 1. A document is a table with the lists `apis`, `products` and `subscriptions`.
//!    Unknown fields are refused, and so are names that occur twice in one table.
//!    A field that is `null` is absent.
//! 2. Every problem is reported with its line and column, in the order of the
//!    document, up to 1,000 of them. If the syntax is broken, only that is reported.
//! 3. No message holds a key or a part of one. Lines of the document are never
//!    quoted, and values are not repeated, except for ids.
//! 4. Only digests of keys stay in memory.
//! 5. Several documents can be one catalog ([`parse_all`]): the APIs from one file,
//!    the keys from another.
//!
//! Documents that machines exchange have the field `format`, which is 1. They are
//! read more tolerantly: fields that are not known are ignored and reported to
//! `tracing`, so that a newer service can add some. A higher `format` is refused.
//!
//! Parsing needs the feature of the format (`json`, `toml`, `yaml`). Writing
//! ([`write()`]) needs none of them.

mod entry;
mod error;
mod explain;
mod findings;
mod free_form;
mod json;
mod key;
mod owner;
mod positions;
mod problems;
mod reader;
mod schema;
mod time;
#[cfg(feature = "json")]
mod value;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use crate::catalog::Catalog;

use explain::{Node, Notes};
use findings::{Document, Findings};
use reader::{Broken, Read, Reader, Rules};

pub use error::{DocumentError, DocumentIssue, Position, UnknownFormat, WriteError};
pub use key::{HostKeys, KeySources};
pub use owner::parse_owner;
pub use positions::Positions;
#[cfg(feature = "json")]
pub(crate) use value::value;
pub use write::{owner_to_json, to_json, write, write_to};

#[cfg(feature = "file")]
pub(crate) use json::{PART_BYTES, last_cut};

/// The language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JSON (RFC 8259): no comments, no trailing commas.
    Json,
    /// TOML 1.
    Toml,
    /// YAML 1.2 with its core schema, one document.
    Yaml,
}

impl Format {
    /// Returns the format of a file by its extension, in any case: `.json`, `.toml`,
    /// `.yaml` or `.yml`.
    ///
    /// # Errors
    ///
    /// [`UnknownFormat`] for any other extension, and if the feature for the format
    /// is not enabled.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, UnknownFormat> {
        let extension = path.as_ref().extension().unwrap_or_default();
        let extension = extension.to_str().unwrap_or_default().to_ascii_lowercase();
        let format = match extension.as_str() {
            "json" => Self::Json,
            "toml" => Self::Toml,
            "yaml" | "yml" => Self::Yaml,
            _ => return Err(UnknownFormat::Extension),
        };
        format.check_enabled().map(|()| format)
    }

    fn check_enabled(self) -> Result<(), UnknownFormat> {
        let (feature, is_enabled) = match self {
            Self::Json => ("json", cfg!(feature = "json")),
            Self::Toml => ("toml", cfg!(feature = "toml")),
            Self::Yaml => ("yaml", cfg!(feature = "yaml")),
        };
        match is_enabled {
            true => Ok(()),
            false => Err(UnknownFormat::Disabled { feature }),
        }
    }
}

/// One of the documents of a catalog.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    name: &'a Path,
    format: Format,
    text: &'a [u8],
}

impl<'a> Source<'a> {
    /// A document with the path of its file. Issues begin with the path, and key files
    /// are relative to its folder. An empty path counts as no path.
    #[must_use]
    pub fn new(name: &'a (impl AsRef<Path> + ?Sized), format: Format, text: &'a [u8]) -> Self {
        let name = name.as_ref();
        Self { name, format, text }
    }
}

/// Prints no text: it may hold keys.
impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Source");
        debug
            .field("name", &self.name)
            .field("format", &self.format);
        debug.finish_non_exhaustive()
    }
}

/// Reads a document. A byte order mark at its beginning is ignored.
///
/// Keys given as `env` or `file` are refused; [`parse_all`] reads them.
///
/// # Errors
///
/// [`DocumentError`] with everything that is wrong.
pub fn parse(document: impl AsRef<[u8]>, format: Format) -> Result<Catalog, DocumentError> {
    parse_sources(&[Source::new("", format, document.as_ref())], None)
}

/// Reads one or several documents as one catalog. Keys given as `env` or `file` come
/// from `keys`.
///
/// Entries of one document can refer to those of the others.
///
/// ```
/// use tower_subscription_key::document::{self, Format, HostKeys, Source};
///
/// let apis = Source::new("apis.json", Format::Json, br#"{"apis": [{"id": "echo", "path": "/echo"}]}"#);
/// let keys = Source::new("keys.json", Format::Json, br#"{"subscriptions": [
///     {"id": "contoso", "scope": "/apis/echo", "primary_key": {"env": "NO_SUCH_KEY"}}]}"#);
/// # #[cfg(feature = "json")] {
/// let error = document::parse_all(&[apis, keys], &HostKeys::new()).unwrap_err();
/// assert!(error.to_string().contains("keys.json:2:"), "{error}");
/// # }
/// ```
///
/// # Errors
///
/// [`DocumentError`] with everything that is wrong, in the order of the documents.
pub fn parse_all(sources: &[Source<'_>], keys: &dyn KeySources) -> Result<Catalog, DocumentError> {
    parse_sources(sources, Some(keys))
}

/// Reads a JSON document that another machine wrote.
pub(crate) fn parse_machine(document: &[u8]) -> Result<Catalog, DocumentError> {
    let (catalog, ignored) = read_machine(document)?;
    if !ignored.is_empty() {
        let fields = Vec::from_iter(ignored).join(", ");
        tracing::warn!(
            fields,
            "a catalog document has fields that this version does not know and ignores; \
             a newer version wrote it"
        );
    }
    Ok(catalog)
}

/// The catalog and the fields that were ignored.
fn read_machine(document: &[u8]) -> Result<(Catalog, BTreeSet<String>), DocumentError> {
    let source = Source::new("", Format::Json, document);
    parse_by(&[source], Rules::of_machine())
}

/// Writes a time as documents do: RFC 3339, in UTC.
///
/// A time outside the years 0 to 9999 becomes the nearest one inside.
#[must_use]
pub fn format_time(time: SystemTime) -> String {
    time::format(time)
}

/// Reads a time as documents write it: RFC 3339, with an offset.
#[must_use]
pub fn parse_time(text: &str) -> Option<SystemTime> {
    time::parse(text).ok()
}

fn parse_sources(
    sources: &[Source<'_>],
    keys: Option<&dyn KeySources>,
) -> Result<Catalog, DocumentError> {
    parse_by(sources, Rules::of_files(keys)).map(|(catalog, _)| catalog)
}

fn parse_by(
    sources: &[Source<'_>],
    rules: Rules<'_>,
) -> Result<(Catalog, BTreeSet<String>), DocumentError> {
    let mut documents = Vec::with_capacity(sources.len());
    let mut reads = Vec::with_capacity(sources.len());
    for source in sources {
        let (text, path) = (utf8(source)?, source.name);
        let (read, tree) = read(source.format, text, Rules { path, ..rules });
        reads.push(read);
        documents.push(Document::new(source, text, tree));
    }
    findings::build(reads).map_err(|findings| findings.explain(&documents))
}

/// Reads a document, and returns its tree if it was read by way of one.
fn read(format: Format, text: &str, rules: Rules<'_>) -> (Read, Option<Node>) {
    if format == Format::Json && format.check_enabled().is_ok() {
        let read = json::read(text.as_bytes(), rules);
        return (read.unwrap_or_else(|Broken| json::broken(text)), None);
    }
    let mut reader = Reader::new(rules);
    let Some(mut tree) = tree(format, text, &mut reader.read.notes) else {
        reader.read.lacks_everything();
        return (reader.read, None);
    };
    reader.tree(&mut tree);
    (reader.read, Some(tree))
}

/// The tree of a document. `None`: its syntax is broken.
fn tree(format: Format, text: &str, notes: &mut Notes) -> Option<Node> {
    if let Err(error) = format.check_enabled() {
        notes.push(0, error.to_string());
        return None;
    }
    match format {
        #[cfg(feature = "toml")]
        Format::Toml => explain::toml::tree(text, notes),
        #[cfg(feature = "yaml")]
        Format::Yaml => explain::yaml::tree(text, notes),
        _ => explain::json::tree(text, notes),
    }
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

fn utf8<'s>(source: &Source<'s>) -> Result<&'s str, DocumentError> {
    let error = match std::str::from_utf8(source.text) {
        Ok(text) => return Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)),
        Err(error) => error,
    };
    let valid = source.text.get(..error.valid_up_to()).unwrap_or_default();
    let valid = String::from_utf8_lossy(valid);
    let text = valid.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&valid);
    let mut notes = Notes::default();
    match source.text {
        [0x1f, 0x8b, ..] => notes.push(0, "this is compressed (gzip), not text"),
        _ => notes.push(text.len(), "this is not UTF-8"),
    }
    Err(explain_notes(source, text, notes))
}

fn explain_notes(source: &Source<'_>, text: &str, notes: Notes) -> DocumentError {
    Findings::of(notes).explain(&[Document::new(source, text, None)])
}

/// What was read of a long JSON document that came in parts.
#[cfg(feature = "file")]
pub(crate) struct LongRead(Result<Read, Broken>);

/// Reads a long JSON document that comes in parts, without ever holding its text.
/// `progress` is called with the numbers of entries and bytes so far.
///
/// A part begins where the document does or where [`last_cut`] says.
///
/// # Errors
///
/// The first error of `parts`.
#[cfg(feature = "file")]
pub(crate) fn read_parts<T: AsRef<[u8]>, E: Send>(
    parts: impl Iterator<Item = Result<T, E>> + Send,
    path: &Path,
    keys: &dyn KeySources,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<LongRead, E> {
    let rules = Rules {
        path,
        ..Rules::of_files(Some(keys))
    };
    json::read_parts(parts, rules, progress).map(LongRead)
}

#[cfg(feature = "file")]
impl LongRead {
    /// Builds the catalog. If the document is refused, it is explained with its
    /// whole text.
    ///
    /// # Errors
    ///
    /// The outer error is that of `text`. The inner one says what is wrong with it.
    pub(crate) fn build<T: AsRef<[u8]>, E>(
        self,
        path: &Path,
        keys: &dyn KeySources,
        text: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<Catalog, DocumentError>, E> {
        let built = self.0.map(|read| findings::build(vec![read]));
        if let Ok(Ok((catalog, _))) = built {
            return Ok(Ok(catalog));
        }
        let text = text()?;
        let source = Source::new(path, Format::Json, text.as_ref());
        let Ok(Err(findings)) = built else {
            // The text may be valid, but was split in the wrong place.
            return Ok(parse_all(&[source], keys));
        };
        let text = utf8(&source);
        Ok(text.and_then(|text| Err(findings.explain(&[Document::new(&source, text, None)]))))
    }
}
