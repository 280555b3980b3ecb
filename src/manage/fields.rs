use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::catalog::{KeySlot, Metadata, Scope, State};
use crate::key::KeyDigest;
use crate::manage::{FieldIssue, Secret, stored};

/// What an update does with a value that is optional.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Set<T> {
    /// Keeps it as it is.
    #[default]
    Keep,
    /// Removes it.
    Clear,
    /// Sets it.
    To(T),
}

impl<T> Set<T> {
    /// The same with another form of the value.
    pub(crate) fn map<U>(self, other: impl FnOnce(T) -> U) -> Set<U> {
        match self {
            Self::Keep => Set::Keep,
            Self::Clear => Set::Clear,
            Self::To(value) => Set::To(other(value)),
        }
    }
}

impl<T: Clone> Set<T> {
    /// The value after the update.
    pub(crate) fn apply(&self, value: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *value = None,
            Self::To(new) => *value = Some(new.clone()),
        }
    }

    /// Same as `apply`, for a value with a default that counts as absent.
    pub(crate) fn apply_or_default(&self, value: &mut T)
    where
        T: Default,
    {
        match self {
            Self::Keep => {}
            Self::Clear => *value = T::default(),
            Self::To(new) => value.clone_from(new),
        }
    }
}

impl Set<SystemTime> {
    /// Same as `apply`, with the time rounded as repositories store it.
    pub(crate) fn apply_rounded(&self, value: &mut Option<SystemTime>) {
        self.clone().map(stored::rounded).apply(value);
    }
}

impl<T> From<Option<T>> for Set<T> {
    /// `None` clears.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::To)
    }
}

/// The fields of an API that a creation or update names. The others keep their
/// values, or get their defaults.
#[derive(Debug, Clone, Default)]
pub struct ApiFields {
    /// The URL prefix. Required for a new API.
    pub path: Option<String>,
    /// The name for people. Default: the id.
    pub display_name: Set<String>,
    /// Whether a caller needs a subscription. Default: `true`.
    pub subscription_required: Option<bool>,
    /// The name of the header that carries keys.
    pub key_header: Set<String>,
    /// The name of the query parameter that carries keys.
    pub key_query: Set<String>,
    /// Free-form values for later layers.
    pub metadata: Set<Metadata>,
    /// A description for people.
    pub description: Set<String>,
    /// Kept for clients, without effect.
    pub service_url: Set<String>,
    /// Kept for clients, without effect.
    pub protocols: Set<Vec<String>>,
    /// Kept for clients, without effect.
    pub api_type: Set<String>,
    /// Kept for clients, without effect.
    pub api_version: Set<String>,
    /// Kept for clients, without effect.
    pub api_revision: Set<String>,
    /// What the face already found wrong with the request. It is refused with
    /// these issues and those that the rules find.
    pub issues: Vec<FieldIssue>,
}

/// The fields of a product that a creation or update names. The others keep
/// their values, or get their defaults.
#[derive(Debug, Clone, Default)]
pub struct ProductFields {
    /// The name for people. Default: the id.
    pub display_name: Set<String>,
    /// The ids of all its APIs, in order. Default: none.
    pub apis: Option<Vec<String>>,
    /// Whether callers need a subscription. Default: `true`.
    pub subscription_required: Option<bool>,
    /// Whether owners see it. Default: as `initially_published` says.
    pub published: Option<bool>,
    /// Whether owners see a new product if `published` is absent. Default: `true`.
    pub initially_published: Option<bool>,
    /// Free-form values for later layers.
    pub metadata: Set<Metadata>,
    /// A description for people.
    pub description: Set<String>,
    /// The terms of use that an owner has to accept.
    pub terms: Set<String>,
    /// Whether a publisher has to approve the subscriptions that owners make.
    /// Default: `false`.
    pub approval_required: Option<bool>,
    /// How many subscriptions each owner may have, above 0. Default: no limit.
    pub subscriptions_limit: Set<u32>,
    /// What the face already found wrong with the request. It is refused with
    /// these issues and those that the rules find.
    pub issues: Vec<FieldIssue>,
}

/// The fields of a subscription that a creation or update names. The others keep
/// their values, or get their defaults.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionFields {
    /// The name for people. Default: the id.
    pub display_name: Set<String>,
    /// The only scope, or the first one repeated: equal to the first scope it
    /// changes nothing, else it replaces all. Disagreement with `scopes` is
    /// refused.
    pub scope: Option<Scope>,
    /// All scopes. A new subscription needs at least one.
    pub scopes: Option<Vec<Scope>>,
    /// The owner. Default: none, or the caller if it is an owner.
    pub owner: Set<String>,
    /// The state, any. Owners may only name `cancelled`, for what they may cancel.
    pub state: Option<State>,
    /// The state of a new subscription that a publisher makes, if `state` is
    /// absent. Default: `active`.
    pub initial_state: Option<State>,
    /// A comment on the state.
    pub state_comment: Set<String>,
    /// The key in the primary slot. Default for a new subscription: generated.
    pub primary_key: Option<KeyInput>,
    /// The key in the secondary slot. Default for a new subscription: generated.
    pub secondary_key: Option<KeyInput>,
    /// The prefix of keys that this call generates.
    pub key_prefix: Option<String>,
    /// Whether a new subscription gets no generated keys for slots that are not
    /// named. Default: `false`.
    pub leave_keys_out: bool,
    /// The start of its validity.
    pub not_before: Set<SystemTime>,
    /// The end of its validity.
    pub expires_at: Set<SystemTime>,
    /// Free-form values for later layers.
    pub metadata: Set<Metadata>,
    /// A description for people.
    pub description: Set<String>,
    /// Whether the caller accepts the terms of the product.
    pub terms_accepted: Option<bool>,
    /// Kept for clients, without effect.
    pub allow_tracing: Set<bool>,
    /// What the face already found wrong with the request. It is refused with
    /// these issues and those that the rules find.
    pub issues: Vec<FieldIssue>,
}

impl SubscriptionFields {
    /// The key that the fields set in the given slot.
    pub(crate) fn key(&self, slot: KeySlot) -> Option<&KeyInput> {
        match slot {
            KeySlot::Primary => self.primary_key.as_ref(),
            KeySlot::Secondary => self.secondary_key.as_ref(),
        }
    }
}

/// A key that is set by hand. `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct KeyInput {
    pub(crate) digest: KeyDigest,
    pub(crate) text: Option<Secret>,
    pub(crate) expires_at: Set<SystemTime>,
}

impl KeyInput {
    /// The key itself.
    #[must_use]
    pub fn text(key: impl Into<String>) -> Self {
        let key = Secret::new(Zeroizing::new(key.into()));
        Self {
            text: Some(key.clone()),
            ..Self::digest(key.digest())
        }
    }

    /// The SHA-256 of a key. It can never be read back.
    #[must_use]
    pub fn digest(digest: KeyDigest) -> Self {
        Self {
            digest,
            text: None,
            expires_at: Set::Keep,
        }
    }

    /// The time from which the key no longer works. Default: the slot keeps its own.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Set::To(expires_at);
        self
    }
}

/// What an operation expects of the record before it changes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Expected {
    /// Nothing.
    #[default]
    Anything,
    /// The record does not exist.
    Absent,
    /// The record exists, in whatever version.
    Present,
    /// The record exists in exactly this version.
    Version(u64),
    /// The record exists in one of the given versions.
    OneOf(Vec<u64>),
}
