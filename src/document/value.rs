use serde_json::Value as Json;

use crate::document::explain::{Notes, Subject, free_form};
use crate::document::{DocumentError, Format, Source, explain_notes, json, tree, utf8};

/// The values of any document of the format, catalog or not. Dates of TOML become
/// text.
///
/// # Errors
///
/// [`DocumentError`] if the syntax is broken.
pub(crate) fn value(document: &[u8], format: Format) -> Result<Json, DocumentError> {
    let source = Source::new("", format, document);
    let text = utf8(&source)?;
    let mut notes = Notes::default();
    if format == Format::Json {
        return serde_json::from_str(text).map_err(|_| {
            notes.add(json::syntax_note(text));
            explain_notes(&source, text, notes)
        });
    }
    let tree = tree(format, text, &mut notes);
    match tree.filter(|_| notes.is_empty()).as_ref().map(free_form) {
        Some(Ok(value)) => return Ok(value),
        Some(Err(misfit)) => notes.add(misfit.note(Subject::Nothing)),
        None => {}
    }
    Err(explain_notes(&source, text, notes))
}
