use std::time::SystemTime;

use crate::key::{KeyDigest, MAX_KEY_BYTES};
use crate::words::words;

words! {
    /// One of the two keys of a subscription. Both work at all times, so that one can
    /// be replaced while the other is in use.
    pub enum KeySlot: "a key slot" {
        /// The first.
        Primary = "primary",
        /// The second.
        Secondary = "secondary",
    }
}

/// One key of a subscription: its digest, and optionally the time at which it ends.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_subscription_key::catalog::SubscriptionKey;
///
/// let key = SubscriptionKey::new("264a41411c0b43e782f483eb6f3eaeab");
/// let key = key.with_expiry(SystemTime::now() + Duration::from_secs(3600));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionKey {
    digest: KeyDigest,
    expires_at: Option<SystemTime>,
    /// What is wrong with the text that it was made of.
    fault: Option<KeyTextError>,
}

impl SubscriptionKey {
    /// The key with the given text, of which only the digest is kept.
    ///
    /// A catalog refuses a key that no client could send (1 to 256 bytes, without
    /// outer white space and control characters), and an unresolved placeholder
    /// such as `${KEY}`.
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        Self {
            digest: KeyDigest::of(key),
            expires_at: None,
            fault: check_key(key).err(),
        }
    }

    /// The key with the given digest.
    pub fn from_digest(digest: KeyDigest) -> Self {
        Self {
            digest,
            expires_at: None,
            fault: None,
        }
    }

    /// Sets the time from which the key no longer works. Default: none.
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Removes the time at which the key ends.
    pub fn without_expiry(mut self) -> Self {
        self.expires_at = None;
        self
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// The time from which the key no longer works.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Whether the text that it was made of can be a key.
    pub(crate) fn check(&self) -> Result<(), KeyTextError> {
        self.fault.map_or(Ok(()), Err)
    }
}

impl From<KeyDigest> for SubscriptionKey {
    fn from(digest: KeyDigest) -> Self {
        Self::from_digest(digest)
    }
}

impl From<&str> for SubscriptionKey {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for SubscriptionKey {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

/// Why a text cannot be a key. The messages never contain the text.
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
fn check_key(key: &[u8]) -> Result<(), KeyTextError> {
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
