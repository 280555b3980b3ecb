/// The longest id, in characters.
pub const MAX_ID_CHARS: usize = 256;

const FORBIDDEN: [char; 9] = ['*', '#', '&', '+', ':', '<', '>', '?', '/'];

/// What is wrong with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// It has no characters.
    #[error("an id has at least one character")]
    Empty,
    /// It has more than [`MAX_ID_CHARS`] characters.
    #[error("an id has at most 256 characters")]
    TooLong,
    /// It has a character that ids cannot have.
    #[error("an id holds none of `* # & + : < > ? /`; this one holds `{0}`")]
    Character(char),
}

/// The rule for the ids of APIs, products and subscriptions alike
/// (Azure: `^[^*#&+:<>?]+$`, up to 256; here without `/` too, so that a scope
/// reads one way only).
pub(crate) fn check_id(id: &str) -> Result<(), IdError> {
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    if let Some(character) = id.chars().find(|c| FORBIDDEN.contains(c)) {
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
    fn takes_1_to_256_characters_and_none_that_scopes_and_filters_use() {
        for good in ["a", "Contoso Ltd.", "ä-ö_1", &"é".repeat(256)] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        assert_eq!(check_id(""), Err(IdError::Empty));
        assert_eq!(check_id(&"é".repeat(257)), Err(IdError::TooLong));
        for character in FORBIDDEN {
            let id = format!("a{character}b");
            assert_eq!(check_id(&id), Err(IdError::Character(character)));
        }
    }
}
