use std::fmt;

use zeroize::Zeroizing;

use crate::key::{self, GeneratedKey, KeyDigest, PrefixError};

/// The text of a key, to be shown once. It is wiped when dropped, and `Debug`
/// shows nothing of it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// A new key of 32 hex digits.
    pub(crate) fn random() -> Self {
        key::generate().into()
    }

    /// A new key, with a prefix if there is one.
    pub(crate) fn generate(prefix: Option<&str>) -> Result<Self, PrefixError> {
        match prefix {
            Some(prefix) => key::generate_prefixed(prefix).map(Into::into),
            None => Ok(Self::random()),
        }
    }

    /// The key. Do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> KeyDigest {
        KeyDigest::of(self.0.as_bytes())
    }
}

impl From<GeneratedKey> for Secret {
    fn from(key: GeneratedKey) -> Self {
        Self(Zeroizing::new(key.expose().to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
