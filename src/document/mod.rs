//! Catalog documents: text in JSON, TOML or YAML that becomes a [`Catalog`], or
//! all that is wrong with it at once.
//!
//! ```
//! use tower_subscription_key::document::{self, Format};
//!
//! let text = r#"{
//!   "apis": [{ "id": "echo", "path": "/echo" }],
//!   "subscriptions": [{ "id": "contoso", "scope": "/apis/ecko", "primary_key": "264a4141", "stat": "active" }]
//! }"#;
//! let error = document::parse(Format::Json, text).unwrap_err();
//! let told: Vec<String> = error.issues().iter().map(ToString::to_string).collect();
//! assert!(told[0].starts_with(r#"3:49: subscription "contoso", scope: /apis/ecko does not exist"#));
//! assert_eq!(told[1], r#"3:90: subscription "contoso": unknown field `stat`: did you mean `state`?"#);
//! ```
//!
//! Names and rules are the same in every format:
//!
//! 1. A document is one table with `apis`, `products` and `subscriptions`, each a
//!    list. Unknown fields are refused, and a name that stands twice in one table.
//! 2. Every problem is told with the line and column where it stands, in their
//!    order. Only a document that is no JSON, TOML or YAML at all is told about
//!    that alone.
//! 3. No message holds a key or a part of one. Source lines are therefore never
//!    quoted, and values never repeated, but for ids, which are no secrets.
//! 4. Only digests of keys stay in memory. What was read on the way is wiped,
//!    as far as the parsers let it.
//!
//! [`write()`] is the way back. This room opens no files and knows nothing of
//! requests.

mod error;
mod json;
mod limits;
mod names;
mod position;
mod read;
mod stream;
#[cfg(feature = "file")]
mod toml;
mod tree;
mod write;
#[cfg(feature = "file")]
mod yaml;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::Path;
use std::time::SystemTime;

use crate::catalog::{Catalog, CatalogBuilder, KeySlot, Subscription};
use crate::document::error::Issues;
use crate::document::tree::Node;

use read::key_field;

#[cfg(feature = "file")]
pub(crate) use stream::{PART_BYTES, last_cut};

pub use error::{DocumentError, DocumentIssue, UnknownFormat};
pub use write::{owner_to_json, to_json, write};

/// The language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JSON as RFC 8259 has it: no comments, no trailing commas.
    Json,
    /// TOML 1.
    #[cfg(feature = "file")]
    Toml,
    /// YAML 1.2 with its core schema, one document.
    #[cfg(feature = "file")]
    Yaml,
}

impl Format {
    /// The format that a file's extension tells, in any case: `.json`, `.toml`,
    /// `.yaml` or `.yml`.
    ///
    /// # Errors
    ///
    /// [`UnknownFormat`] for every other extension, and for none.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, UnknownFormat> {
        let extension = path.as_ref().extension().unwrap_or_default();
        let extension = extension.to_str().unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "json" => Ok(Self::Json),
            #[cfg(feature = "file")]
            "toml" => Ok(Self::Toml),
            #[cfg(feature = "file")]
            "yaml" | "yml" => Ok(Self::Yaml),
            _ => Err(UnknownFormat),
        }
    }
}

/// Where the values of environment variables come from. `None`: the document is
/// not of this machine, and its environment is none of the document's business.
type Environment<'e> = Option<&'e (dyn Fn(&str) -> Option<OsString> + Sync)>;

/// The fields of an answer about one key.
const OWNER: &str = "subscription";
const SLOT: &str = "slot";

/// Reads a document. A byte order mark at its beginning is ignored.
///
/// Keys that are given as `env` are read from this process's environment.
///
/// # Errors
///
/// [`DocumentError`] with everything that is wrong.
pub fn parse(format: Format, document: impl AsRef<[u8]>) -> Result<Catalog, DocumentError> {
    let environment = |name: &str| std::env::var_os(name);
    parse_with(format, document.as_ref(), Some(&environment))
}

/// Reads a document with the given environment variables.
///
/// # Errors
///
/// [`DocumentError`] with everything that is wrong.
pub fn parse_with_environment(
    format: Format,
    document: impl AsRef<[u8]>,
    environment: &(dyn Fn(&str) -> Option<OsString> + Sync),
) -> Result<Catalog, DocumentError> {
    parse_with(format, document.as_ref(), Some(environment))
}

/// Reads a JSON document that came from elsewhere: a key given as `env` is
/// refused.
pub(crate) fn parse_foreign(document: &[u8]) -> Result<Catalog, DocumentError> {
    parse_with(Format::Json, document, None)
}

/// A time as documents write it, and back.
pub(crate) fn time_to_text(time: SystemTime) -> String {
    write::Rfc3339(time).to_string()
}

/// Writes a time as documents do: RFC 3339, in UTC.
///
/// A time outside the years 0 to 9999 becomes the nearest one inside.
#[must_use]
pub fn format_time(time: SystemTime) -> String {
    time_to_text(time)
}

/// Reads a time as documents write it: RFC 3339, with an offset.
#[must_use]
pub fn parse_time(text: &str) -> Option<SystemTime> {
    time_from_text(text)
}

pub(crate) fn time_from_text(text: &str) -> Option<SystemTime> {
    read::time(text).ok()
}

/// Reads what [`owner_to_json`] writes: the owner of a key and the key's slot, or
/// `None` where the document says that no subscription has the key.
///
/// Held to the same rules as a catalog, as far as one subscription by itself can
/// be; a key given as `env` is refused. The slot has a key.
///
/// # Errors
///
/// [`DocumentError`] with everything that is wrong.
pub fn parse_owner(
    document: impl AsRef<[u8]>,
) -> Result<Option<(Subscription, KeySlot)>, DocumentError> {
    explained(Format::Json, utf8(document.as_ref())?, read::owner)
}

/// The quick way through a long JSON document that comes in parts: what is in it,
/// before the rules between its entries are looked at. `told` learns of the
/// entries and bytes so far. `None` where only [`parse`] can tell what it is.
///
/// A part begins where the document does or where [`last_cut`] says.
///
/// # Errors
///
/// The first error of `parts`.
#[cfg(feature = "file")]
pub(crate) fn builder_of_parts<T, E>(
    parts: impl Iterator<Item = Result<T, E>>,
    told: impl FnMut(u64, u64),
) -> Result<Option<CatalogBuilder>, E>
where
    T: AsRef<[u8]> + Send,
{
    let environment = |name: &str| std::env::var_os(name);
    stream::builder_of_parts(parts, Some(&environment), told)
}

fn parse_with(
    format: Format,
    document: &[u8],
    environment: Environment<'_>,
) -> Result<Catalog, DocumentError> {
    let quick = match format {
        Format::Json => stream::builder(document, environment),
        #[cfg(feature = "file")]
        Format::Toml | Format::Yaml => None,
    };
    match quick.map(CatalogBuilder::build) {
        Some(Ok(catalog)) => Ok(catalog),
        Some(Err(_)) | None => explain_with(format, utf8(document)?, environment),
    }
}

fn utf8(document: &[u8]) -> Result<&str, DocumentError> {
    match std::str::from_utf8(document) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => Err(DocumentError::not_utf8(document, error.valid_up_to())),
    }
}

/// The thorough way, which knows where everything stands.
fn explain_with(
    format: Format,
    text: &str,
    environment: Environment<'_>,
) -> Result<Catalog, DocumentError> {
    explained(format, text, |root, issues| {
        read::catalog(root, environment, issues)
    })
}

/// Reads a document by way of a tree, which knows where everything stands.
fn explained<T>(
    format: Format,
    text: &str,
    read: impl FnOnce(&Node, &mut Issues) -> Option<T>,
) -> Result<T, DocumentError> {
    let mut issues = Issues::default();
    let read = tree(format, text, &mut issues).and_then(|root| read(&root, &mut issues));
    match read {
        Some(read) if issues.is_empty() => Ok(read),
        _ => Err(issues.locate(text)),
    }
}

/// The document as a tree. `None` where it is not of that format.
fn tree(format: Format, text: &str, issues: &mut Issues) -> Option<Node> {
    match format {
        Format::Json => json::tree(text, issues),
        #[cfg(feature = "file")]
        Format::Toml => toml::tree(text, issues),
        #[cfg(feature = "file")]
        Format::Yaml => yaml::tree(text, issues),
    }
}
