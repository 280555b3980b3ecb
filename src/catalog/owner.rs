use std::sync::Arc;

use crate::catalog::packed::PackedKey;
use crate::catalog::{Definitions, KeySlot, Scope, State, Subscription, Target, Validity};
use crate::key::KeyDigest;

/// The owner of a key: a subscription, and which of its keys it is.
#[derive(Debug, Clone)]
pub struct KeyOwner {
    pub(crate) subscription: Arc<Subscription>,
    held: HeldKey,
}

/// The owner of a key, as a version of the catalog holds it.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    /// One of the packed subscriptions of that version.
    Packed(PackedKey),
    /// A subscription that is not packed.
    Shared(KeyOwner),
}

impl Owner {
    /// The slot of the key. A retired key counts as its slot's key.
    pub(crate) fn slot(&self) -> KeySlot {
        match self {
            Self::Packed(key) => key.held().slot,
            Self::Shared(owner) => owner.slot(),
        }
    }
}

/// Which of a subscription's keys: the one in a slot, or the one that it replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldKey {
    pub(crate) slot: KeySlot,
    pub(crate) retired: bool,
}

impl HeldKey {
    pub(crate) const ALL: [Self; 4] = [
        Self::current(KeySlot::Primary),
        Self::current(KeySlot::Secondary),
        Self::retired(KeySlot::Primary),
        Self::retired(KeySlot::Secondary),
    ];

    pub(crate) const fn current(slot: KeySlot) -> Self {
        let retired = false;
        Self { slot, retired }
    }

    pub(crate) const fn retired(slot: KeySlot) -> Self {
        let retired = true;
        Self { slot, retired }
    }
}

impl KeyOwner {
    /// The subscription that holds the key in the given slot. If the
    /// subscription has a key there, the key's own expiry counts.
    #[must_use]
    pub fn new(subscription: impl Into<Arc<Subscription>>, slot: KeySlot) -> Self {
        Self::held(subscription.into(), HeldKey::current(slot))
    }

    /// The subscription, if the key with the given digest is one of its keys,
    /// current or [retired](Subscription::retired_key).
    #[must_use]
    pub fn of_key(subscription: impl Into<Arc<Subscription>>, digest: &KeyDigest) -> Option<Self> {
        let subscription = subscription.into();
        let held = subscription.place_of(digest)?;
        Some(Self { subscription, held })
    }

    pub(crate) fn held(subscription: Arc<Subscription>, held: HeldKey) -> Self {
        Self { subscription, held }
    }

    /// The owner of the key with the given digest. If the subscription lists that key,
    /// its place there counts, whatever a store says: a retired key that a store takes
    /// for its slot's key would outlive its grace period.
    pub(crate) fn for_key(self, digest: &KeyDigest) -> Self {
        let held = self.subscription.place_of(digest).unwrap_or(self.held);
        Self { held, ..self }
    }

    /// The subscription.
    #[must_use]
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// The slot of the key. A retired key counts as its slot's key.
    #[must_use]
    pub fn slot(&self) -> KeySlot {
        self.held.slot
    }

    /// Whether the key was replaced and works for its grace period only.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.held.retired
    }

    /// What the owner brings to a decision.
    pub(crate) fn claim(&self) -> Claim<'_> {
        let subscription = &*self.subscription;
        let key = subscription.held_key(self.held);
        Claim {
            state: subscription.state(),
            validity: Validity::new(subscription.not_before(), subscription.expires_at()),
            key_validity: Validity::until(key.and_then(|key| key.expires_at())),
            scopes: Scopes::Named(subscription.scopes()),
        }
    }
}

/// What a decision needs to know about a key and its owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) state: State,
    pub(crate) validity: Validity,
    pub(crate) key_validity: Validity,
    pub(crate) scopes: Scopes<'a>,
}

/// The scopes of a subscription, as memory holds them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scopes<'a> {
    One(Target),
    Resolved(&'a [Target]),
    Named(&'a [Scope]),
}

impl Scopes<'_> {
    /// The scopes by name.
    pub(crate) fn to_scopes(self, definitions: &Definitions) -> Vec<Scope> {
        let named = |target: &Target| definitions.scope(*target);
        match self {
            Self::One(target) => vec![named(&target)],
            Self::Resolved(targets) => targets.iter().map(named).collect(),
            Self::Named(scopes) => scopes.to_vec(),
        }
    }
}
