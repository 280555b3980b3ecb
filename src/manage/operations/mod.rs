//! The operations, each as one transaction: what is checked, changed and audited.

mod apis;
mod deletion;
mod export;
mod import;
mod keys;
mod lifecycle;
mod products;
mod reading;
mod rules;
mod scopes;
mod subscriptions;
mod work;

use std::time::{Duration, SystemTime};

use crate::catalog::KeySlot;
use crate::manage::{Expected, Secret, Set, SubscriptionRecord};

pub use import::{Import, ImportOptions, Imported, NewKeys};
pub(super) use subscriptions::new_master;
use work::Work;

/// The result of an accepted operation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Changed<T> {
    /// The result.
    pub value: T,
    /// The change number, or `None` if the operation changed nothing.
    pub number: Option<u64>,
}

impl<T> Changed<T> {
    pub(super) fn nothing(value: T) -> Self {
        Self {
            value,
            number: None,
        }
    }
}

/// A record that was created or updated.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Put<T> {
    /// The record as it is now.
    pub record: T,
    /// Whether it is new.
    pub created: bool,
}

/// A subscription that was created or updated, with the keys that the call
/// generated. They are shown once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutSubscription {
    /// The record as it is now.
    pub record: SubscriptionRecord,
    /// Whether it is new.
    pub created: bool,
    /// The primary key, if this call generated it.
    pub primary_key: Option<Secret>,
    /// The secondary key, if this call generated it.
    pub secondary_key: Option<Secret>,
}

/// How to delete a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deletion {
    /// What the record is expected to be. Default: anything, also absent.
    pub expected: Expected,
    /// Whether subscriptions that refer to an API or product go along: those
    /// with no other scope are deleted, the others lose the scope. Default: the
    /// deletion is refused with the list of them.
    pub with_subscriptions: bool,
}

/// Details of a change of state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transition {
    /// What the record is expected to be.
    pub expected: Expected,
    /// The comment on the state.
    pub comment: Set<String>,
    /// The end of the subscription. A subscription that has ended is activated
    /// only with a new end, or explicitly without one. For publishers.
    pub expires_at: Set<SystemTime>,
}

/// How to replace a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rotation {
    /// What the record is expected to be.
    pub expected: Expected,
    /// For how long the replaced key keeps working. Default: not at all.
    pub grace: Duration,
    /// The end of the new key. Default: the slot keeps its own. For publishers.
    pub expires_at: Set<SystemTime>,
    /// The prefix of the new key. Default: 32 hex digits without a prefix.
    pub prefix: Option<String>,
}

/// A replaced key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Regenerated {
    /// The subscription as it is now.
    pub record: SubscriptionRecord,
    /// The slot.
    pub slot: KeySlot,
    /// The new key, shown once.
    pub key: Secret,
    /// The time until which the replaced key works, if it still does.
    pub replaced_key_expires_at: Option<SystemTime>,
}

/// The keys of a subscription, each `None` if it cannot be read back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Secrets {
    /// The primary key.
    pub primary_key: Option<Secret>,
    /// The secondary key.
    pub secondary_key: Option<Secret>,
}
