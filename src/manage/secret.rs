use std::fmt;

use zeroize::Zeroizing;

use crate::key::KeyDigest;
use crate::manage::ManageError;
use crate::manage::error::{FieldIssue, RepositoryError};

/// The text of a key, to be shown once. It is wiped when dropped, and `Debug`
/// shows nothing of it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// A new key of 32 hex digits.
    pub(crate) fn random() -> Result<Self, ManageError> {
        let mut bytes = Zeroizing::new([0_u8; 16]);
        getrandom::fill(&mut *bytes).map_err(|error| {
            RepositoryError::new(format!("the system's random source failed: {error}"))
        })?;
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        Ok(Self(Zeroizing::new(digits.collect())))
    }

    /// A new key, or none and an issue for a prefix that breaks the rule.
    pub(crate) fn generate(
        prefix: Option<&str>,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<Option<Self>, ManageError> {
        if prefix.is_some() {
            issues.push(FieldIssue::new("key_prefix", "not yet"));
            return Ok(None);
        }
        Self::random().map(Some)
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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
