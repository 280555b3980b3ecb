use std::collections::HashMap;
use std::time::SystemTime;

use crate::catalog::{Catalog, IssueKind, KeySlot, Scope, State, SubscriptionKey, validate};
use crate::key::KeyDigest;
use crate::manage::error::FieldIssue;
use crate::manage::operations::Work;
use crate::manage::record::{ApiRecord, ProductRecord, SubscriptionRecord};
use crate::manage::reference::RecordRef;
use crate::manage::repository::Counted;
use crate::manage::{ManageError, SubscriptionFields};

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
    issues.extend(broken.map(|issue| FieldIssue::broken(&issue.field, &issue.kind)));
}

/// Refuses to activate a subscription that has ended.
pub(super) fn check_end(
    record: &SubscriptionRecord,
    now: SystemTime,
    issues: &mut Vec<FieldIssue>,
) {
    if record.expires_at.is_some_and(|end| end <= now) {
        let message = "the subscription has ended: give it a new end, or none";
        issues.push(FieldIssue::new("expires_at", message));
    }
}

/// The list without repetitions.
pub(super) fn without_repetitions<T: Clone + PartialEq>(list: &[T]) -> Vec<T> {
    let mut found = Vec::with_capacity(list.len());
    for item in list {
        if !found.contains(item) {
            found.push(item.clone());
        }
    }
    found
}

/// The message for a scope that names nothing.
pub(super) fn unknown_scope(scope: &Scope) -> String {
    let (scope, nearest) = (scope.clone(), None);
    IssueKind::UnknownScope { scope, nearest }.to_string()
}

impl Work<'_> {
    /// Checks the rules for a subscription alone and for its scopes.
    pub(super) async fn check_subscription(
        &mut self,
        before: Option<&SubscriptionRecord>,
        after: &SubscriptionRecord,
        fields: &SubscriptionFields,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<(), ManageError> {
        check_id(&after.id, issues);
        check_display_name(after.display_name.as_deref(), issues);
        check_owner(after.owner.as_deref(), issues);
        // With the texts of keys that the caller sets: these have their own rules.
        let mut probe = after.to_catalog();
        let text = |slot| {
            Some(SubscriptionKey::new(
                fields.key(slot)?.text.as_ref()?.expose(),
            ))
        };
        probe.primary_key = text(KeySlot::Primary).or(probe.primary_key);
        probe.secondary_key = text(KeySlot::Secondary).or(probe.secondary_key);
        let broken = validate::subscription(&probe, &[]).into_iter();
        issues.extend(broken.map(|(field, kind)| FieldIssue::broken(&field, &kind)));
        if let (Some(from), Some(end)) = (after.not_before, after.expires_at)
            && from > end
        {
            let message = "the start is after the end, `expires_at`: correct one of them";
            issues.push(FieldIssue::new("not_before", message));
        }
        for scope in &after.scopes {
            let held = before.is_some_and(|before| before.scopes.contains(scope));
            if !held && !self.scope_exists(scope).await? {
                issues.push(FieldIssue::new("scope", unknown_scope(scope)));
            }
        }
        Ok(())
    }

    /// Whether the scope names something that exists to the caller.
    pub(super) async fn scope_exists(&mut self, scope: &Scope) -> Result<bool, ManageError> {
        Ok(match scope {
            Scope::Service | Scope::AllApis => true,
            Scope::Api(id) => self.tx.api(id).await?.is_some(),
            Scope::Product(id) => {
                let product = self.tx.product(id).await?;
                product.is_some_and(|product| self.caller.sees_product(&product))
            }
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
        let keys = after.all_keys().map(|(slot, _, key)| (key.digest, slot));
        let held: HashMap<KeyDigest, KeySlot> = keys.collect();
        let is_new = |digest: &&KeyDigest| !before.is_some_and(|before| before.holds(digest));
        let new: Vec<KeyDigest> = held.keys().filter(is_new).copied().collect();
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
                self.write_subscription(Some(record), without).await?;
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
        let before = before
            .filter(|before| counts(before.state_at(self.now)) && before.owner == after.owner);
        for scope in &after.scopes {
            let Scope::Product(product) = scope else {
                continue;
            };
            if before.is_some_and(|before| before.scopes.contains(scope)) {
                continue;
            }
            let record = self.tx.product(product).await?;
            let Some(limit) = record.and_then(|product| product.subscriptions_limit) else {
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
