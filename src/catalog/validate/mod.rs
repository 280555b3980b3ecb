//! The rules for catalogs, each of them once: for the builder, for changes, for
//! the readers of documents and for management.
//!
//! This file has the rules for one API, product or subscription. The rules
//! between them need indexes and live where these are built: equal ids and paths,
//! unknown APIs and open products in `definitions`, equal ids, unknown scopes and
//! shared keys in `packed` and `change`.

mod draft;
mod path;

use crate::catalog::{Api, Field, IssueKind, Metadata, Product, Subscription};

pub(crate) use draft::{Draft, Unread};
pub use path::PathError;
pub(crate) use path::{check_path, is_plain, lenient_reading};

/// What breaks a rule, and in which field.
pub(crate) type Findings = Vec<(Field, IssueKind)>;

/// Checks an API independent of other entities, except its unread fields.
pub(crate) fn api(api: &Api, unread: &[Field]) -> Findings {
    let mut findings = common(api.id(), api.display_name(), api.metadata(), unread);
    if !unread.contains(&Field::Path)
        && let Err(error) = check_path(&api.path)
    {
        findings.push((Field::Path, error.into()));
    }
    findings
}

/// Checks a product independent of other entities, except its unread fields.
pub(crate) fn product(product: &Product, unread: &[Field]) -> Findings {
    let (id, name) = (product.id(), product.display_name());
    common(id, name, product.metadata(), unread)
}

/// Checks a subscription independent of other entities, except its unread fields.
pub(crate) fn subscription(subscription: &Subscription, unread: &[Field]) -> Findings {
    let (id, name) = (subscription.id(), subscription.display_name());
    let mut findings = common(id, name, subscription.metadata(), unread);
    let is_scope = |field: &Field| matches!(field, Field::Scope(_));
    if subscription.scopes().is_empty() && !unread.iter().any(is_scope) {
        findings.push((Field::Scope(0), IssueKind::NoScope));
    }
    let is_key = |field: &Field| matches!(field, Field::Key(_));
    if subscription.keys().next().is_none() && !unread.iter().any(is_key) {
        findings.push((Field::Whole, IssueKind::NoKey));
    }
    for (at, (held, key)) in subscription.held_keys().enumerate() {
        let field = held.into();
        if let Err(error) = key.check() {
            findings.push((field, error.into()));
        }
        if held.retired && key.expires_at().is_none() && !unread.contains(&field) {
            findings.push((field, IssueKind::RetiredKeyWithoutExpiry));
        }
        let mut earlier = subscription.held_keys().take(at);
        if earlier.any(|(_, other)| other.digest() == key.digest()) {
            findings.push((field, IssueKind::SameKeys));
        }
    }
    findings
}

/// The rules for the fields that all three have.
fn common(id: &str, display_name: &str, metadata: &Metadata, unread: &[Field]) -> Findings {
    let mut findings = Vec::new();
    if !unread.contains(&Field::Id)
        && let Err(error) = check_id(id)
    {
        findings.push((Field::Id, error.into()));
    }
    // Without a display name, the id is the name and was checked above.
    if display_name != id && display_name.chars().any(char::is_control) {
        findings.push((Field::DisplayName, IssueKind::ControlCharacter));
    }
    if let Err(error) = metadata.check() {
        findings.push((Field::Metadata, error.into()));
    }
    findings
}

/// The longest id, in characters.
pub const MAX_ID_CHARS: usize = 256;

const FORBIDDEN: [char; 9] = ['*', '#', '&', '+', ':', '<', '>', '?', '/'];

/// An invalid id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// It is empty.
    #[error("an id needs at least one character")]
    Empty,
    /// It has more than [`MAX_ID_CHARS`] characters.
    #[error("an id has at most 256 characters: choose a shorter one")]
    TooLong,
    /// It contains a character that ids cannot contain.
    #[error("an id must not contain {0:?}, nor any of `* # & + : < > ? /` or control characters")]
    Character(char),
}

/// Checks the id of an API, a product or a subscription.
///
/// The rule is Azure's (`^[^*#&+:<>?]+$`, up to 256), but also without `/`, so that
/// a scope can be read in one way only, and without control characters, which
/// could forge lines of a log.
pub(crate) fn check_id(id: &str) -> Result<(), IdError> {
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    let is_forbidden = |c: &char| FORBIDDEN.contains(c) || c.is_control();
    if let Some(character) = id.chars().find(is_forbidden) {
        return Err(IdError::Character(character));
    }
    if id.len() > MAX_ID_CHARS && id.chars().count() > MAX_ID_CHARS {
        return Err(IdError::TooLong);
    }
    Ok(())
}

/// The beginning of a text, for messages: a text from outside may be very long.
pub(crate) fn clipped(text: &str) -> String {
    match text.char_indices().nth(MAX_ID_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_of_1_to_256_plain_characters_is_accepted() {
        for good in ["a", "Contoso Ltd.", "ä-ö_1", &"é".repeat(256)] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        assert_eq!(check_id(""), Err(IdError::Empty));
        assert_eq!(check_id(&"é".repeat(257)), Err(IdError::TooLong));
    }

    #[test]
    fn id_with_a_reserved_or_control_character_is_refused() {
        for character in FORBIDDEN
            .into_iter()
            .chain(['\n', '\0', '\u{7f}', '\u{85}'])
        {
            let id = format!("a{character}b");
            assert_eq!(check_id(&id), Err(IdError::Character(character)));
        }
    }
}
