use crate::key::MAX_KEY_BYTES;

/// Text that cannot be a key. The messages never contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// It is empty or longer than 256 bytes.
    #[error("a key has 1 to 256 bytes")]
    Length,
    /// It begins or ends with white space.
    #[error(
        "the key begins or ends with white space, which no client can send in a header: remove \
         it, or a line end that was saved with the key"
    )]
    OuterWhiteSpace,
    /// It contains a control character.
    #[error(
        "the key contains a control character, which no client can send in a header: make a new one"
    )]
    ControlCharacter,
    /// It is a placeholder that was not replaced.
    #[error(
        "the key is a placeholder that was not replaced: fill in the key, or use `env` or `file`"
    )]
    Placeholder,
}

/// Checks the text of a key. A client must be able to send it in a header, and
/// it must not be a placeholder such as `${KEY}`, which anybody could guess.
pub(crate) fn check_key(key: &[u8]) -> Result<(), KeyTextError> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(KeyTextError::Length);
    }
    let text = String::from_utf8_lossy(key);
    if text.trim().len() < text.len() {
        return Err(KeyTextError::OuterWhiteSpace);
    }
    if text.chars().any(char::is_control) {
        return Err(KeyTextError::ControlCharacter);
    }
    if is_placeholder(&text) {
        return Err(KeyTextError::Placeholder);
    }
    Ok(())
}

fn is_placeholder(text: &str) -> bool {
    let forms = [("${", "}"), ("#{", "}"), ("{{", "}}"), ("ENC[", "]")];
    let is_form = |(begin, end): (&str, &str)| {
        let rest = text.strip_prefix(begin);
        rest.is_some_and(|rest| rest.ends_with(end))
    };
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    forms.into_iter().any(is_form) || text.strip_prefix('$').is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_of_printable_text_is_accepted() {
        for good in [
            "264a41411c0b43e782f483eb6f3eaeab",
            "a b",
            "$5.00",
            "$",
            "${a",
            "x${a}",
            "{a}",
            "ENC",
            "schlüssel",
            &"k".repeat(256),
        ] {
            assert_eq!(check_key(good.as_bytes()), Ok(()), "{good}");
        }
        assert_eq!(check_key(b"not \xff utf-8"), Ok(()));
    }

    #[test]
    fn key_that_no_client_can_send_is_refused() {
        assert_eq!(check_key(b""), Err(KeyTextError::Length));
        assert_eq!(check_key(&[b'k'; 257]), Err(KeyTextError::Length));
        for key in ["k\n", " k", "k\u{a0}", "\tk", "k\r\n", "\u{3000}k", " "] {
            let refused = check_key(key.as_bytes());
            assert_eq!(refused, Err(KeyTextError::OuterWhiteSpace), "{key:?}");
        }
        for key in ["a\nb", "a\0", "\u{1b}[0m", "a\u{7f}b", "a\u{9f}b"] {
            let refused = check_key(key.as_bytes());
            assert_eq!(refused, Err(KeyTextError::ControlCharacter), "{key:?}");
        }
        assert_eq!(check_key(b"\xff\0"), Err(KeyTextError::ControlCharacter));
    }

    #[test]
    fn key_that_is_an_unresolved_placeholder_is_refused() {
        for key in [
            "${KEY}",
            "#{KEY}#{OTHER}",
            "{{ vault.key }}",
            "{{}}",
            "ENC[AES256_GCM,data:x]",
            "$KEY",
            "$_key2",
        ] {
            let refused = check_key(key.as_bytes());
            assert_eq!(refused, Err(KeyTextError::Placeholder), "{key}");
        }
    }
}
