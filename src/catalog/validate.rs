//! The rules for catalogs.

use crate::catalog::id::check_id;
use crate::catalog::{Field, IssueKind, Subscription};

/// What is wrong with a subscription by itself.
pub(super) fn subscription(subscription: &Subscription) -> Vec<(Field, IssueKind)> {
    let mut issues = Vec::new();
    let mut refuse = |field, kind| issues.push((field, kind));
    if let Err(error) = check_id(subscription.id()) {
        refuse(Field::Id, error.into());
    }
    if subscription.scopes().is_empty() {
        refuse(Field::Scope(0), IssueKind::NoScope);
    }
    if subscription.keys().next().is_none() {
        refuse(Field::Whole, IssueKind::NoKey);
    }
    for (at, (held, key)) in subscription.held_keys().enumerate() {
        if !key.length_is_valid() {
            refuse(held.into(), IssueKind::KeyLength);
        }
        if held.retired && key.expires_at().is_none() {
            refuse(held.into(), IssueKind::RetiredKeyWithoutExpiry);
        }
        let mut earlier = subscription.held_keys().take(at);
        if earlier.any(|(_, other)| other.digest() == key.digest()) {
            refuse(held.into(), IssueKind::SameKeys);
        }
    }
    issues
}
