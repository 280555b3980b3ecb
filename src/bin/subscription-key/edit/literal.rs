use std::fmt::Write;

use super::{EditError, Fields, Syntax};

/// A value of a catalog, with its fields in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    /// A number or truth value, which both languages write alike.
    Plain(String),
    Null,
    List(Vec<Literal>),
    Table(Fields),
}

impl Literal {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
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
            Self::Plain(value) => text.push_str(value),
            Self::Null if syntax == Syntax::Toml => return Err(EditError::Null),
            Self::Null => text.push_str("null"),
            Self::List(values) => {
                text.push('[');
                for (at, value) in values.iter().enumerate() {
                    text.push_str(if at > 0 { ", " } else { "" });
                    value.write_to(syntax, text)?;
                }
                text.push(']');
            }
            Self::Table(fields) if fields.is_empty() => text.push_str("{}"),
            Self::Table(fields) => {
                for (at, (field, value)) in fields.iter().enumerate() {
                    text.push_str(if at > 0 { ", " } else { "{ " });
                    name(field, syntax, text);
                    text.push_str(match syntax {
                        Syntax::Toml => " = ",
                        Syntax::Json => ": ",
                    });
                    value.write_to(syntax, text)?;
                }
                text.push_str(" }");
            }
        }
        Ok(())
    }
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
