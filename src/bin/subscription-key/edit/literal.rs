use std::fmt::Write;

use serde_json::Value;

use super::{EditError, Syntax};

/// A value of a catalog, with its fields in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Flag(bool),
    List(Vec<Literal>),
    Table(Vec<(String, Literal)>),
    /// Metadata, which may hold anything.
    Json(Value),
}

impl Literal {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// The literal on one line.
    pub(super) fn write(&self, syntax: Syntax) -> Result<String, EditError> {
        let mut text = String::new();
        self.write_to(syntax, &mut text)?;
        Ok(text)
    }

    fn write_to(&self, syntax: Syntax, text: &mut String) -> Result<(), EditError> {
        match self {
            Self::Text(value) => string(value, text),
            Self::Flag(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::List(values) => list(values.iter(), syntax, text, Self::write_to)?,
            Self::Table(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
                table(fields, syntax, text, Self::write_to)?;
            }
            Self::Json(value) => json(value, syntax, text)?,
        }
        Ok(())
    }
}

/// How one value is written.
type Write1<T> = fn(&T, Syntax, &mut String) -> Result<(), EditError>;

fn list<'v, T: 'v>(
    values: impl Iterator<Item = &'v T>,
    syntax: Syntax,
    text: &mut String,
    write: Write1<T>,
) -> Result<(), EditError> {
    text.push('[');
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        write(value, syntax, text)?;
    }
    text.push(']');
    Ok(())
}

fn table<'v, T: 'v>(
    fields: impl ExactSizeIterator<Item = (&'v str, &'v T)>,
    syntax: Syntax,
    text: &mut String,
    write: Write1<T>,
) -> Result<(), EditError> {
    if fields.len() == 0 {
        text.push_str("{}");
        return Ok(());
    }
    for (at, (key, value)) in fields.enumerate() {
        text.push_str(if at == 0 { "{ " } else { ", " });
        name(key, syntax, text);
        text.push_str(match syntax {
            Syntax::Toml => " = ",
            Syntax::Json => ": ",
        });
        write(value, syntax, text)?;
    }
    text.push_str(" }");
    Ok(())
}

fn json(value: &Value, syntax: Syntax, text: &mut String) -> Result<(), EditError> {
    match value {
        Value::Null if syntax == Syntax::Toml => return Err(EditError::Null),
        Value::String(value) => string(value, text),
        Value::Array(values) => list(values.iter(), syntax, text, json)?,
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect();
            table(fields.into_iter(), syntax, text, json)?;
        }
        // Both languages write the rest alike.
        other => text.push_str(&other.to_string()),
    }
    Ok(())
}

/// The name of a field, in quotes if the language needs them.
pub(super) fn name(name: &str, syntax: Syntax, text: &mut String) {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if syntax == Syntax::Toml && !name.is_empty() && name.bytes().all(is_bare) {
        text.push_str(name);
    } else {
        string(name, text);
    }
}

fn string(value: &str, text: &mut String) {
    text.push('"');
    for char in value.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{0}'..='\u{1f}' | '\u{7f}' => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            char => text.push(char),
        }
    }
    text.push('"');
}
