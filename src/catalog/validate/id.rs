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
