use std::fmt;
use std::time::SystemTime;

use crate::catalog::validate::check_key;
#[cfg(feature = "document")]
use crate::catalog::{Entity, Issue, validate};
use crate::catalog::{HeldKey, KeyTextError, Metadata, Scope, State};
use crate::key::KeyDigest;

/// Which of a subscription's two keys. Both work at all times, so that one can
/// be replaced while the other serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySlot {
    /// The first.
    Primary,
    /// The second.
    Secondary,
}

impl KeySlot {
    /// The word for it.
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

/// One key of a subscription: its digest, and perhaps the time at which it ends.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_subscription_key::catalog::SubscriptionKey;
///
/// let key = SubscriptionKey::new("264a41411c0b43e782f483eb6f3eaeab");
/// let replaced = key.with_expiry(SystemTime::now() + Duration::from_secs(3600));
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

    /// The key of that digest.
    #[must_use]
    pub fn from_digest(digest: KeyDigest) -> Self {
        Self {
            digest,
            expires_at: None,
            fault: None,
        }
    }

    /// The moment from which the key no longer works. Default: none.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// The moment from which the key no longer works.
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

/// A named container for a pair of keys, and what they open.
///
/// ```
/// use tower_subscription_key::catalog::{Scope, Subscription};
///
/// let contoso = Subscription::new("contoso")
///     .with_scope(Scope::Product("starter".into()))
///     .with_owner("jane@contoso.example")
///     .with_primary_key("264a41411c0b43e782f483eb6f3eaeab");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) owner: Option<String>,
    pub(crate) state: State,
    pub(crate) primary_key: Option<SubscriptionKey>,
    pub(crate) secondary_key: Option<SubscriptionKey>,
    /// By slot. Few subscriptions have any.
    pub(crate) retired_keys: [Option<Box<SubscriptionKey>>; 2],
    pub(crate) not_before: Option<SystemTime>,
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) metadata: Metadata,
}

impl Subscription {
    /// An active, standalone subscription, still without scopes and keys.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            display_name: None,
            scopes: Vec::new(),
            owner: None,
            state: State::Active,
            primary_key: None,
            secondary_key: None,
            retired_keys: [None, None],
            not_before: None,
            expires_at: None,
            metadata: Metadata::default(),
        }
    }

    /// A name for people. Default: the id.
    #[must_use]
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Adds a scope. When several fit a request, the most specific names its
    /// context: API, then product, then all APIs, then service.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Who it belongs to. Default: nobody (*standalone*).
    #[must_use]
    pub fn with_owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Where it stands. Default: [`State::Active`].
    #[must_use]
    pub fn with_state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// The primary key.
    #[must_use]
    pub fn with_primary_key(mut self, key: impl Into<SubscriptionKey>) -> Self {
        self.primary_key = Some(key.into());
        self
    }

    /// The secondary key.
    #[must_use]
    pub fn with_secondary_key(mut self, key: impl Into<SubscriptionKey>) -> Self {
        self.secondary_key = Some(key.into());
        self
    }

    /// A replaced key that still works for a while, as the key of its slot.
    ///
    /// It needs an [expiry](SubscriptionKey::with_expiry). A slot has at most one:
    /// a second one replaces the first.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use tower_subscription_key::catalog::{KeySlot, Scope, Subscription, SubscriptionKey};
    ///
    /// let tomorrow = SystemTime::now() + Duration::from_secs(24 * 3600);
    /// let contoso = Subscription::new("contoso")
    ///     .with_scope(Scope::AllApis)
    ///     .with_primary_key("the new key")
    ///     .with_retired_key(
    ///         KeySlot::Primary,
    ///         SubscriptionKey::new("the old key").with_expiry(tomorrow),
    ///     );
    /// assert_eq!(contoso.retired_keys().count(), 1);
    /// ```
    #[must_use]
    pub fn with_retired_key(mut self, slot: KeySlot, key: impl Into<SubscriptionKey>) -> Self {
        self.retired_keys[slot as usize] = Some(Box::new(key.into()));
        self
    }

    /// The moment from which it opens anything. Default: always.
    #[must_use]
    pub fn with_not_before(mut self, not_before: SystemTime) -> Self {
        self.not_before = Some(not_before);
        self
    }

    /// The moment from which it opens nothing more. Default: never.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Values for later layers.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Metadata>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name for people, or the id.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.id)
    }

    /// The name for people, where one was given.
    #[cfg(feature = "document")]
    pub(crate) fn given_display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    /// What it opens.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Who it belongs to.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The key in that slot.
    #[must_use]
    pub fn key(&self, slot: KeySlot) -> Option<&SubscriptionKey> {
        match slot {
            KeySlot::Primary => self.primary_key.as_ref(),
            KeySlot::Secondary => self.secondary_key.as_ref(),
        }
    }

    /// The keys it has, with their slots.
    pub fn keys(&self) -> impl Iterator<Item = (KeySlot, &SubscriptionKey)> {
        [KeySlot::Primary, KeySlot::Secondary]
            .into_iter()
            .filter_map(|slot| Some((slot, self.key(slot)?)))
    }

    /// The replaced key of that slot that still works for a while.
    #[must_use]
    pub fn retired_key(&self, slot: KeySlot) -> Option<&SubscriptionKey> {
        self.retired_keys[slot as usize].as_deref()
    }

    /// The replaced keys that still work for a while, with their slots.
    pub fn retired_keys(&self) -> impl Iterator<Item = (KeySlot, &SubscriptionKey)> {
        [KeySlot::Primary, KeySlot::Secondary]
            .into_iter()
            .filter_map(|slot| Some((slot, self.retired_key(slot)?)))
    }

    /// One of its keys, current or retired.
    pub(crate) fn held_key(&self, held: HeldKey) -> Option<&SubscriptionKey> {
        if held.retired {
            self.retired_key(held.slot)
        } else {
            self.key(held.slot)
        }
    }

    /// All its keys, current and retired.
    pub(crate) fn held_keys(&self) -> impl Iterator<Item = (HeldKey, &SubscriptionKey)> {
        let all = HeldKey::ALL.into_iter();
        all.filter_map(|held| Some((held, self.held_key(held)?)))
    }

    /// The moment from which it opens anything.
    #[must_use]
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// The moment from which it opens nothing more.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Values for later layers.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Everything that is wrong with it by itself.
    #[cfg(feature = "document")]
    pub(crate) fn issues(&self) -> Vec<Issue> {
        let issue = |(field, kind)| Issue::new(Entity::subscription(0, &self.id), field, kind);
        let findings = validate::subscription(self, &[]).into_iter();
        findings.map(issue).collect()
    }
}
