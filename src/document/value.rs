use serde_json::Value as Json;

use crate::document::explain::{Node, Notes, Value};
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
    match tree(format, text, &mut notes) {
        Some(tree) if notes.list.is_empty() => Ok(json_of(tree)),
        _ => Err(explain_notes(&source, text, notes)),
    }
}

fn json_of(node: Node) -> Json {
    match node.value {
        Value::Refused | Value::Null | Value::Unbounded => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Number(number) => Json::Number(number),
        Value::Time(text) => text.into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(nodes) => nodes.into_iter().map(json_of).collect(),
        Value::Table(members) => {
            let members = members.into_iter();
            members
                .map(|member| (member.name.to_string(), json_of(member.node)))
                .collect()
        }
    }
}
