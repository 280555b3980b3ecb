use std::collections::HashMap;

use crate::catalog::{
    Catalog, IssueKind, KeySlot, Scope, State, Subscription, SubscriptionKey, validate,
};
use crate::key::KeyDigest;
use crate::manage::error::FieldIssue;
use crate::manage::fields::KeyInput;
use crate::manage::operations::Work;
use crate::manage::record::{ApiRecord, ProductRecord, RecordRef, SubscriptionRecord};
use crate::manage::repository::Counted;
use crate::manage::{Caller, ManageError};

/// The longest display name and owner id, in characters.
const LONGEST: usize = 300;

/// Rules for a display name.
pub(super) fn check_display_name(name: Option<&str>, issues: &mut Vec<FieldIssue>) {
    if name.is_some_and(|name| name.is_empty() || name.chars().count() > LONGEST) {
        let message = format!("a display name has 1 to {LONGEST} characters");
        issues.push(FieldIssue::new("display_name", message));
    }
}

fn check_owner(owner: Option<&str>, issues: &mut Vec<FieldIssue>) {
    let Some(owner) = owner else { return };
    let valid = (1..=LONGEST).contains(&owner.chars().count())
        && !owner.contains(|c: char| c == '/' || c.is_control());
    if !valid {
        let message = format!(
            "an owner id has 1 to {LONGEST} characters, none of them `/` or a control character"
        );
        issues.push(FieldIssue::new("owner", message));
    }
}

/// Ids of path segments that clients and proxies resolve away.
pub(super) fn check_id(id: &str, issues: &mut Vec<FieldIssue>) {
    if matches!(id, "." | "..") {
        let message = "an id is not `.` or `..`, which paths resolve away: choose another";
        issues.push(FieldIssue::new("id", message));
    }
}

/// Refuses a record with issues.
pub(super) fn refuse(record: &RecordRef, issues: Vec<FieldIssue>) -> Result<(), ManageError> {
    if issues.is_empty() {
        return Ok(());
    }
    let record = record.clone();
    Err(ManageError::Invalid { record, issues })
}

/// The rules of the catalog for its definitions, all together.
pub(super) fn check_definitions(
    apis: &[ApiRecord],
    products: &[ProductRecord],
    issues: &mut Vec<FieldIssue>,
) {
    let mut builder = Catalog::builder();
    for api in apis {
        builder.push_api(api.to_catalog());
    }
    for product in products {
        builder.push_product(product.to_catalog());
    }
    let Err(error) = builder.build() else { return };
    let broken = error.issues().iter();
    let broken = broken.filter(|issue| issue.kind != IssueKind::NoApis);
    issues.extend(
        broken.map(|issue| FieldIssue::new(issue.field.to_string(), issue.kind.to_string())),
    );
}

/// The keys that an update sets by hand.
pub(super) type KeyTexts<'k> = [(KeySlot, Option<&'k KeyInput>); 2];

impl Work<'_> {
    /// Checks the rules for a subscription alone and for its scopes.
    pub(super) async fn check_subscription(
        &mut self,
        before: Option<&SubscriptionRecord>,
        after: &SubscriptionRecord,
        keys: KeyTexts<'_>,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<(), ManageError> {
        check_id(&after.id, issues);
        check_display_name(after.display_name.as_deref(), issues);
        check_owner(after.owner.as_deref(), issues);
        let probe = probe(after, keys);
        // Keys are only absent if they could not be generated, which is an issue of
        // its own.
        let broken = validate::subscription(&probe, &[]).into_iter();
        let broken = broken.filter(|(_, kind)| *kind != IssueKind::NoKey);
        issues.extend(
            broken.map(|(field, kind)| FieldIssue::new(field.to_string(), kind.to_string())),
        );
        if let (Some(from), Some(end)) = (after.not_before, after.expires_at)
            && from > end
        {
            let message = "the start is after the end, `expires_at`: correct one of them";
            issues.push(FieldIssue::new("not_before", message));
        }
        for scope in &after.scopes {
            let held = before.is_some_and(|before| before.scopes.contains(scope));
            if !held && !self.scope_exists(scope).await? {
                let scope = scope.clone();
                let message = IssueKind::UnknownScope {
                    scope,
                    nearest: None,
                }
                .to_string();
                issues.push(FieldIssue::new("scope", message));
            }
        }
        Ok(())
    }

    /// Whether the scope names something that exists to the caller.
    pub(super) async fn scope_exists(&mut self, scope: &Scope) -> Result<bool, ManageError> {
        Ok(match scope {
            Scope::Service | Scope::AllApis => true,
            Scope::Api(id) => self.tx.api(id).await?.is_some(),
            Scope::Product(id) => match self.tx.product(id).await? {
                Some(product) => {
                    matches!(self.caller, Caller::Publisher(_)) || product.is_offered()
                }
                None => false,
            },
        })
    }

    /// Refuses keys that any other subscription holds. A replaced key that has
    /// ended gives way.
    pub(super) async fn check_keys(
        &mut self,
        before: Option<&SubscriptionRecord>,
        after: &SubscriptionRecord,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<(), ManageError> {
        let is_known = |digest| {
            let mut held = before.into_iter().flat_map(SubscriptionRecord::all_keys);
            held.any(|(_, _, key)| key.digest == digest)
        };
        let keys = after.all_keys().map(|(slot, _, key)| (key.digest, slot));
        let held: HashMap<KeyDigest, KeySlot> = keys.collect();
        let new: Vec<KeyDigest> = held
            .keys()
            .copied()
            .filter(|digest| !is_known(*digest))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        for (digest, other) in self.tx.key_holders(&new).await? {
            let Some(record) = self.tx.subscription(&other).await? else {
                continue;
            };
            let Some((slot, retired, key)) =
                record.all_keys().find(|(_, _, key)| key.digest == digest)
            else {
                continue;
            };
            if retired && key.has_ended(self.now) {
                let mut without = record.clone();
                *without.retired_key_mut(slot) = None;
                self.write_subscription(Some(record), without, Vec::new())
                    .await?;
                self.flush().await?;
                continue;
            }
            let here = held.get(&digest).copied().unwrap_or(slot);
            let message = IssueKind::DuplicateKey { other, slot }.to_string();
            issues.push(FieldIssue::new(format!("{here}_key"), message));
        }
        Ok(())
    }

    /// Refuses what would raise the number of an owner's subscriptions to a
    /// product above its limit.
    pub(super) async fn check_limits(
        &mut self,
        before: Option<&SubscriptionRecord>,
        after: &SubscriptionRecord,
    ) -> Result<(), ManageError> {
        if !counts(after.state_at(self.now)) {
            return Ok(());
        }
        for scope in &after.scopes {
            let Scope::Product(product) = scope else {
                continue;
            };
            let counted = before.is_some_and(|before| {
                counts(before.state_at(self.now))
                    && before.scopes.contains(scope)
                    && before.owner == after.owner
            });
            if counted {
                continue;
            }
            let Some(limit) = self
                .tx
                .product(product)
                .await?
                .and_then(|product| product.subscriptions_limit)
            else {
                continue;
            };
            self.flush().await?;
            let counted = Counted {
                product,
                owner: after.owner.as_deref(),
                except: &after.id,
                now: self.now,
                most: u64::from(limit),
            };
            if self.tx.count(counted).await? >= u64::from(limit) {
                return Err(ManageError::LimitReached {
                    record: RecordRef::subscription(&*after.id),
                    product: product.clone(),
                    limit,
                });
            }
        }
        Ok(())
    }
}

/// Whether a subscription in the state counts towards a limit.
fn counts(state: State) -> bool {
    matches!(state, State::Active | State::Submitted | State::Suspended)
}

/// The subscription as the catalog's rules check it: with the texts of keys that
/// are set by hand.
fn probe(record: &SubscriptionRecord, keys: KeyTexts<'_>) -> Subscription {
    let mut probe = record.to_catalog();
    for (slot, key) in keys {
        let Some(text) = key.and_then(|key| key.text.as_ref()) else {
            continue;
        };
        let key = SubscriptionKey::new(text.0.as_bytes());
        probe = match slot {
            KeySlot::Primary => probe.with_primary_key(key),
            KeySlot::Secondary => probe.with_secondary_key(key),
        };
    }
    probe
}
