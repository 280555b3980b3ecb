//! Reads JSON documents: straight from the text into the builder, without a tree,
//! and in parts side by side if the document is long.

mod parts;
mod walk;

use std::convert::Infallible;

use crate::document::explain::{Note, json};
use crate::document::reader::{Broken, Read, Rules};

use walk::{Border, Part};

pub(crate) use parts::PART_BYTES;
#[cfg(feature = "file")]
pub(crate) use parts::last_cut;
pub(super) use parts::{cut, read as read_parts};

/// Reads a document.
pub(super) fn read(document: &[u8], rules: Rules<'_>) -> Result<Read, Broken> {
    read_by(document, PART_BYTES, rules)
}

/// The same, in parts of about that many bytes.
pub(super) fn read_by(document: &[u8], bytes: usize, rules: Rules<'_>) -> Result<Read, Broken> {
    if document.len() > 2 * bytes {
        let parts = cut(document, bytes).map(Ok::<_, Infallible>);
        if let Ok(Ok(read)) = read_parts(parts, rules, |_, _| {}) {
            return Ok(read);
        }
        // The cause need not be the document: it may have been cut at a wrong place.
        if serde_json::from_slice::<serde::de::IgnoredAny>(document).is_err() {
            return Err(Broken);
        }
    }
    Part::read(document, 0, Border::Document, rules)?.whole()
}

/// The document that could not be read, with the place where its syntax is broken.
pub(super) fn broken(text: &str) -> Read {
    Read::broken(syntax_note(text))
}

pub(super) fn syntax_note(text: &str) -> Note {
    let error = json::syntax_error(text);
    let (at, what) = error.unwrap_or((0, "this is not JSON".into()));
    Note::new(at, what)
}
