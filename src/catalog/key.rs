use std::fmt;
use std::time::SystemTime;

use crate::catalog::KeyTextError;
use crate::catalog::validate::check_key;
use crate::key::KeyDigest;

/// One of the two keys of a subscription. Both work at all times, so that one can
/// be replaced while the other is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySlot {
    /// The first.
    Primary,
    /// The second.
    Secondary,
}

impl KeySlot {
    /// `primary` or `secondary`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

impl fmt::Display for KeySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    #[must_use]
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        Self {
            digest: KeyDigest::of(key),
            expires_at: None,
            fault: check_key(key).err(),
        }
    }

    /// The key with the given digest.
    #[must_use]
    pub fn from_digest(digest: KeyDigest) -> Self {
        Self {
            digest,
            expires_at: None,
            fault: None,
        }
    }

    /// Sets the time from which the key no longer works. Default: none.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Removes the time at which the key ends.
    #[must_use]
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
