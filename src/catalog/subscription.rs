use std::time::SystemTime;

use crate::catalog::{HeldKey, KeySlot, Metadata, Scope, ScopeParseError, State, SubscriptionKey};
use crate::key::KeyDigest;

/// A named container for a pair of keys, with the scopes that they open.
///
/// ```
/// use tower_subscription_key::catalog::{Scope, Subscription};
///
/// let contoso = Subscription::new("contoso")
///     .with_scope(Scope::product("starter"))
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
    /// An active, standalone subscription, without scopes and keys yet.
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

    /// Sets a name for people. Default: the id.
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Adds a scope. If several fit a request, the most specific one names its
    /// context: API, then product, then all APIs, then service.
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Adds scopes, as text.
    ///
    /// # Errors
    ///
    /// [`ScopeParseError`] if a text is not a scope.
    ///
    /// ```
    /// use tower_subscription_key::catalog::Subscription;
    ///
    /// let contoso = Subscription::new("contoso").with_scopes(["/products/starter", "/apis/orders"])?;
    /// # Ok::<(), tower_subscription_key::catalog::ScopeParseError>(())
    /// ```
    pub fn with_scopes<T: AsRef<str>>(
        mut self,
        scopes: impl IntoIterator<Item = T>,
    ) -> Result<Self, ScopeParseError> {
        for scope in scopes {
            self.scopes.push(scope.as_ref().parse()?);
        }
        Ok(self)
    }

    /// Removes a scope.
    pub fn without_scope(mut self, scope: &Scope) -> Self {
        self.scopes.retain(|other| other != scope);
        self
    }

    /// Removes all scopes, so that others can replace them.
    pub fn without_scopes(mut self) -> Self {
        self.scopes.clear();
        self
    }

    /// Sets the owner. Default: none, a *standalone* subscription.
    pub fn with_owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Removes the owner: the subscription is standalone.
    pub fn without_owner(mut self) -> Self {
        self.owner = None;
        self
    }

    /// Sets the state. Default: [`State::Active`].
    pub fn with_state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Sets the primary key.
    pub fn with_primary_key(mut self, key: impl Into<SubscriptionKey>) -> Self {
        self.primary_key = Some(key.into());
        self
    }

    /// Sets the secondary key.
    pub fn with_secondary_key(mut self, key: impl Into<SubscriptionKey>) -> Self {
        self.secondary_key = Some(key.into());
        self
    }

    /// Removes the key in a slot, but not a retired one.
    pub fn without_key(mut self, slot: KeySlot) -> Self {
        match slot {
            KeySlot::Primary => self.primary_key = None,
            KeySlot::Secondary => self.secondary_key = None,
        }
        self
    }

    /// Sets a replaced key that works for a grace period, as the key of its slot.
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
    pub fn with_retired_key(mut self, slot: KeySlot, key: impl Into<SubscriptionKey>) -> Self {
        self.retired_keys[slot as usize] = Some(Box::new(key.into()));
        self
    }

    /// Removes the retired key of a slot.
    pub fn without_retired_key(mut self, slot: KeySlot) -> Self {
        self.retired_keys[slot as usize] = None;
        self
    }

    /// Sets the time from which it is valid. Default: always.
    pub fn with_not_before(mut self, not_before: SystemTime) -> Self {
        self.not_before = Some(not_before);
        self
    }

    /// Sets the time from which it is no longer valid. Default: never.
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Removes both ends of its validity.
    pub fn without_validity(mut self) -> Self {
        self.not_before = None;
        self.expires_at = None;
        self
    }

    /// Sets the values for later layers.
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

    /// Its scopes.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The owner. `None`: it is standalone.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The key in a slot.
    #[must_use]
    pub fn key(&self, slot: KeySlot) -> Option<&SubscriptionKey> {
        match slot {
            KeySlot::Primary => self.primary_key.as_ref(),
            KeySlot::Secondary => self.secondary_key.as_ref(),
        }
    }

    /// Its keys with their slots, without retired ones.
    pub fn keys(&self) -> impl Iterator<Item = (KeySlot, &SubscriptionKey)> {
        KeySlot::ALL
            .into_iter()
            .filter_map(|slot| Some((slot, self.key(slot)?)))
    }

    /// The replaced key of a slot that works for a grace period.
    #[must_use]
    pub fn retired_key(&self, slot: KeySlot) -> Option<&SubscriptionKey> {
        self.retired_keys[slot as usize].as_deref()
    }

    /// The replaced keys that work for a grace period, with their slots.
    pub fn retired_keys(&self) -> impl Iterator<Item = (KeySlot, &SubscriptionKey)> {
        KeySlot::ALL
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

    /// Which of its keys has the given digest.
    pub(crate) fn place_of(&self, digest: &KeyDigest) -> Option<HeldKey> {
        let mut keys = self.held_keys();
        let (held, _) = keys.find(|(_, key)| key.digest() == digest)?;
        Some(held)
    }

    /// The time from which it is valid.
    #[must_use]
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// The time from which it is no longer valid.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Values for later layers.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
