//! Changes of a catalog file that touch only what they change: comments,
//! order, spacing and line ends stay.
//!
//! The libraries that read TOML and JSON say where everything is
//! ([`outline`]); changes are then splices of the text ([`splice`]).

mod diff;
mod entries;
mod fields;
mod json;
mod literal;
mod outline;
mod splice;
mod style;
mod toml;

use tower_subscription_key::document::Format;

pub(crate) use diff::{KeyForm, KeyForms, diff};
pub(crate) use literal::Literal;
pub(crate) use outline::{Kind, Outline};

/// The fields of an entry or a table, in order.
pub(crate) type Fields = Vec<(String, Literal)>;

/// One entry that is added, changed or removed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EntryChange {
    Add(Kind, Fields),
    Set(Kind, String, Vec<FieldChange>),
    Remove(Kind, String),
}

/// One field of an entry. `None` removes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldChange {
    pub(crate) name: String,
    pub(crate) value: Option<Literal>,
}

/// A text that cannot be edited in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    #[error(
        "YAML files are only read: `subscription-key export --format toml` makes a file that can be edited"
    )]
    Yaml,
    #[error(
        "the file has a shape that cannot be edited in place: `subscription-key export` writes one that can"
    )]
    Shape,
    #[error("TOML has no null: give the metadata another value")]
    Null,
}

/// The text with all changes in it.
pub(crate) fn apply(
    format: Format,
    text: &str,
    changes: &[EntryChange],
) -> Result<String, EditError> {
    let syntax = Syntax::of(format)?;
    let mut text = text.to_owned();
    // Fields first, then removals, then additions: each pass sees the text that
    // the one before has left.
    for pass in [fields::splices, entries::removals, entries::additions] {
        let outline = syntax.outline(&text)?;
        let splices = pass(syntax, &text, &outline, changes)?;
        text = splices.apply(&text);
    }
    Ok(text)
}

/// The languages that can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Toml,
    Json,
}

impl Syntax {
    pub(crate) fn of(format: Format) -> Result<Self, EditError> {
        match format {
            Format::Toml => Ok(Self::Toml),
            Format::Json => Ok(Self::Json),
            _ => Err(EditError::Yaml),
        }
    }

    pub(crate) fn outline(self, text: &str) -> Result<Outline, EditError> {
        match self {
            Self::Toml => toml::outline(text),
            Self::Json => json::outline(text),
        }
    }
}
