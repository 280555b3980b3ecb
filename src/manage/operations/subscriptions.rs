use std::time::SystemTime;

use crate::catalog::{KeySlot, Metadata, Scope, State};
use crate::key::KeyDigest;
use crate::manage::error::FieldIssue;
use crate::manage::fields::{KeyInput, Set};
use crate::manage::operations::apis::put_operation;
use crate::manage::operations::keys::new_key;
use crate::manage::operations::lifecycle::CANCEL;
use crate::manage::operations::rules::refuse;
use crate::manage::operations::work::check_expected;
use crate::manage::operations::{Changed, PutSubscription, Work};
use crate::manage::record::KeyRecord;
use crate::manage::repository::SealedKey;
use crate::manage::{
    Caller, Expected, Manage, ManageError, Operation, RecordRef, Secret, SubscriptionFields,
    SubscriptionRecord, stored,
};

impl Manage {
    /// Creates the subscription with the given id, or changes the fields that
    /// `fields` names.
    ///
    /// A new subscription gets both keys, generated unless `fields` sets them.
    /// An owner creates its own subscriptions to offered products, and renames
    /// them.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `Invalid` with every broken rule, `LimitReached` if the
    /// product's limit for the owner is reached.
    pub async fn put_subscription(
        &self,
        caller: &Caller,
        id: &str,
        fields: SubscriptionFields,
        expected: Expected,
    ) -> Result<Changed<PutSubscription>, ManageError> {
        let target = RecordRef::subscription(id);
        let mut work = self.work(caller, Operation::Update, target).await?;
        let result = work.put_subscription_fields(id, fields, expected).await;
        work.finish(result).await
    }
}

impl Work<'_> {
    async fn put_subscription_fields(
        &mut self,
        id: &str,
        fields: SubscriptionFields,
        expected: Expected,
    ) -> Result<PutSubscription, ManageError> {
        let target = RecordRef::subscription(id);
        let existing = self.tx.subscription(id).await?;
        let taken = existing.is_some();
        let before = existing.filter(|record| self.is_visible(record));
        let cancels = self.caller.as_owner().is_some() && fields.state == Some(State::Cancelled);
        self.operation = match (&before, &fields) {
            (Some(_), fields) if sets_state_only(fields) && cancels => Operation::Cancel,
            (Some(_), fields) if sets_state_only(fields) => Operation::SetState,
            (before, _) => put_operation(before.is_some()),
        };
        let mut issues = fields.issues.clone();
        let mut after = match &before {
            Some(before) => before.clone(),
            None => new_subscription(id, self.now),
        };
        after.drop_ended_keys(self.now);
        self.set_fields(before.as_ref(), &mut after, &fields, &mut issues);
        self.check_owner_may(before.as_ref(), &after, &fields)?;
        check_expected(
            &target,
            before.as_ref().map(|record| record.version),
            expected,
        )?;
        if taken && before.is_none() {
            return Err(ManageError::not_found(target));
        }
        if let Some(before) = before.as_ref().filter(|_| cancels) {
            CANCEL.check(id, before.state_at(self.now))?;
        }
        if before.is_none() {
            self.set_initial_state(&mut after, &fields, &mut issues)
                .await?;
        } else if fields.terms_accepted == Some(true) && after.terms_accepted_at.is_none() {
            after.terms_accepted_at = Some(self.now);
        }
        let mut put = PutSubscription {
            created: before.is_none(),
            record: after,
            primary_key: None,
            secondary_key: None,
        };
        if put.created && !fields.leave_keys_out {
            self.generate_missing_keys(&mut put, &fields, &mut issues);
        }
        let keys = [
            (KeySlot::Primary, fields.primary_key.as_ref()),
            (KeySlot::Secondary, fields.secondary_key.as_ref()),
        ];
        let (before, after) = (before.as_ref(), &put.record);
        self.check_subscription(before, after, keys, &mut issues)
            .await?;
        self.check_keys(before, after, &mut issues).await?;
        refuse(&target, issues)?;
        self.check_limits(before, after).await?;
        let sealed = self.seal(&put, &fields)?;
        let (before, after) = (before.cloned(), put.record);
        put.record = self
            .put_subscription(before, after, sealed)
            .await?
            .seen_at(self.now);
        Ok(put)
    }

    fn is_visible(&self, record: &SubscriptionRecord) -> bool {
        match self.caller.as_owner() {
            None => true,
            Some(owner) => record.owner.as_deref() == Some(owner),
        }
    }

    /// Sets what the fields name, but for the state of a new subscription.
    fn set_fields(
        &self,
        before: Option<&SubscriptionRecord>,
        after: &mut SubscriptionRecord,
        fields: &SubscriptionFields,
        issues: &mut Vec<FieldIssue>,
    ) {
        fields.display_name.clone().apply(&mut after.display_name);
        if let Some(scopes) = named_scopes(before, fields, issues) {
            after.scopes = scopes;
        }
        fields.owner.clone().apply(&mut after.owner);
        if before.is_none()
            && let Some(owner) = self.caller.as_owner()
            && matches!(fields.owner, Set::Keep)
        {
            after.owner = Some(owner.to_owned());
        }
        fields
            .not_before
            .clone()
            .map(stored::rounded)
            .apply(&mut after.not_before);
        fields
            .expires_at
            .clone()
            .map(stored::rounded)
            .apply(&mut after.expires_at);
        fields
            .metadata
            .clone()
            .apply_or_default(&mut after.metadata);
        fields.description.clone().apply(&mut after.description);
        fields.state_comment.clone().apply(&mut after.state_comment);
        fields.allow_tracing.clone().apply(&mut after.allow_tracing);
        for (slot, key) in [
            (KeySlot::Primary, &fields.primary_key),
            (KeySlot::Secondary, &fields.secondary_key),
        ] {
            if let Some(key) = key {
                self.set_key(after, slot, key);
            }
        }
        let Some(before) = before else { return };
        let seen = before.state_at(self.now);
        let has_new_end = after.expires_at != before.expires_at
            && after.expires_at.is_none_or(|end| end > self.now);
        match fields.state {
            Some(state) if state != seen => {
                if state == State::Active {
                    check_end(after, self.now, issues);
                }
                self.enter(after, state);
            }
            // A new end alone revives; with the state as it reads it does not.
            None if seen == State::Expired && has_new_end => self.enter(after, State::Active),
            Some(State::Expired) if has_new_end => self.enter(after, State::Expired),
            _ => {}
        }
    }

    /// Sets a key by hand, which ends the replaced key of the slot.
    fn set_key(&self, record: &mut SubscriptionRecord, slot: KeySlot, key: &KeyInput) {
        let current = record
            .key(slot)
            .filter(|current| current.digest == key.digest);
        let mut new = match current {
            Some(current) => current.clone(),
            None => {
                let mut new = KeyRecord::new(key.digest, self.now);
                new.expires_at = record.key(slot).and_then(|replaced| replaced.expires_at);
                *record.retired_key_mut(slot) = None;
                new
            }
        };
        key.expires_at
            .clone()
            .map(stored::rounded)
            .apply(&mut new.expires_at);
        *record.key_mut(slot) = Some(new);
    }

    /// Refuses an owner that names anything but what it may change.
    fn check_owner_may(
        &self,
        before: Option<&SubscriptionRecord>,
        after: &SubscriptionRecord,
        fields: &SubscriptionFields,
    ) -> Result<(), ManageError> {
        let Some(owner) = self.caller.as_owner() else {
            return Ok(());
        };
        let same_owner = after.owner.as_deref() == Some(owner);
        let allowed = match before {
            Some(before) => {
                let mut renamed = before.clone();
                renamed.drop_ended_keys(self.now);
                renamed.display_name.clone_from(&after.display_name);
                let cancels = fields.state == Some(State::Cancelled);
                if cancels && before.state_at(self.now) != State::Cancelled {
                    self.enter(&mut renamed, State::Cancelled);
                }
                same_owner && renamed == *after
            }
            None => {
                let mut plain = new_subscription(&after.id, self.now);
                plain.display_name.clone_from(&after.display_name);
                plain.owner.clone_from(&after.owner);
                plain.scopes.clone_from(&after.scopes);
                let only_product = match &*after.scopes {
                    [] => true,
                    [scope] => matches!(scope, Scope::Product(_)),
                    _ => false,
                };
                same_owner && only_product && fields.state.is_none() && plain == *after
            }
        };
        if allowed {
            return Ok(());
        }
        Err(self
            .forbidden("do more than subscribe to one product for itself, rename and cancel that"))
    }

    /// The state of a new subscription, and what an owner needs for it.
    async fn set_initial_state(
        &mut self,
        after: &mut SubscriptionRecord,
        fields: &SubscriptionFields,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<(), ManageError> {
        let product = match &*after.scopes {
            [Scope::Product(id)] => self.tx.product(id).await?,
            _ => None,
        };
        let accepted = fields.terms_accepted == Some(true);
        if accepted {
            after.terms_accepted_at = Some(self.now);
        }
        let mut state = match self.caller {
            Caller::Publisher(_) => fields.state.or(fields.initial_state).unwrap_or_default(),
            Caller::Owner(_) => State::Active,
        };
        if let (Caller::Owner(_), Some(product)) = (&self.caller, product)
            && product.is_offered()
        {
            if product.approval_required {
                state = State::Submitted;
            }
            if product.terms.is_some() && !accepted {
                let message = "the product has terms of use: accept them to subscribe";
                issues.push(FieldIssue::new("terms_accepted", message));
            }
        }
        self.enter(after, state);
        Ok(())
    }

    fn generate_missing_keys(
        &self,
        put: &mut PutSubscription,
        fields: &SubscriptionFields,
        issues: &mut Vec<FieldIssue>,
    ) {
        let mut prefix = fields.key_prefix.as_deref();
        for slot in [KeySlot::Primary, KeySlot::Secondary] {
            if put.record.key(slot).is_some() {
                continue;
            }
            // A wrong prefix is reported once, and not also as missing keys.
            let key = new_key(prefix, issues).unwrap_or_else(|| {
                prefix = None;
                Secret::random()
            });
            *put.record.key_mut(slot) = Some(KeyRecord::new(key.digest(), self.now));
            match slot {
                KeySlot::Primary => put.primary_key = Some(key),
                KeySlot::Secondary => put.secondary_key = Some(key),
            }
        }
    }

    /// The encrypted texts of the keys that this operation sets.
    fn seal(
        &self,
        put: &PutSubscription,
        fields: &SubscriptionFields,
    ) -> Result<Vec<SealedKey>, ManageError> {
        let text = |key: &Option<KeyInput>| -> Option<Secret> {
            Some(Secret::new(key.as_ref()?.text.as_ref()?.0.clone()))
        };
        let slots = [
            (KeySlot::Primary, &put.primary_key, &fields.primary_key),
            (
                KeySlot::Secondary,
                &put.secondary_key,
                &fields.secondary_key,
            ),
        ];
        let mut sealed = Vec::new();
        for (slot, generated, given) in slots {
            if let Some(key) = generated.clone().or_else(|| text(given)) {
                sealed.extend(self.manage.seal(&put.record.id, slot, &key)?);
            }
        }
        Ok(sealed)
    }
}

/// Whether the fields name a state and no other field than its comment and the end.
fn sets_state_only(fields: &SubscriptionFields) -> bool {
    fields.state.is_some()
        && fields.display_name == Set::Keep
        && fields.scope.is_none()
        && fields.scopes.is_none()
        && fields.owner == Set::Keep
        && fields.primary_key.is_none()
        && fields.secondary_key.is_none()
        && fields.not_before == Set::Keep
        && fields.metadata == Set::Keep
        && fields.description == Set::Keep
        && fields.terms_accepted.is_none()
        && fields.allow_tracing == Set::Keep
}

/// The scopes that the fields name, without repetitions.
fn named_scopes(
    before: Option<&SubscriptionRecord>,
    fields: &SubscriptionFields,
    issues: &mut Vec<FieldIssue>,
) -> Option<Vec<Scope>> {
    let named = match (&fields.scope, &fields.scopes) {
        (None, None) => return None,
        (None, Some(scopes)) => scopes.clone(),
        (Some(scope), None) => match before.and_then(|before| before.scopes.first()) {
            Some(first) if first == scope => return None,
            _ => vec![scope.clone()],
        },
        (Some(scope), Some(scopes)) => {
            if scopes.first() != Some(scope) {
                let message = "`scope` is not the first of `scopes`: name one of the two fields";
                issues.push(FieldIssue::new("scope", message));
            }
            scopes.clone()
        }
    };
    let mut scopes: Vec<Scope> = Vec::with_capacity(named.len());
    for scope in named {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Some(scopes)
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

pub(super) fn new_subscription(id: &str, now: SystemTime) -> SubscriptionRecord {
    SubscriptionRecord {
        id: id.to_owned(),
        display_name: None,
        scopes: Vec::new(),
        owner: None,
        state: State::Active,
        state_comment: None,
        primary_key: None,
        secondary_key: None,
        retired_primary_key: None,
        retired_secondary_key: None,
        not_before: None,
        expires_at: None,
        metadata: Metadata::default(),
        description: None,
        started_at: None,
        ended_at: None,
        terms_accepted_at: None,
        allow_tracing: None,
        created_at: now,
        updated_at: now,
        version: 0,
        place: 0,
    }
}

/// The id of the all-access subscription.
const MASTER: &str = "master";

/// The all-access subscription of a new database.
pub(in crate::manage) fn new_master(
    primary: KeyDigest,
    secondary: KeyDigest,
    now: SystemTime,
) -> SubscriptionRecord {
    let now = stored::rounded(now);
    let mut record = new_subscription(MASTER, now);
    record.scopes = vec![Scope::Service];
    record.primary_key = Some(KeyRecord::new(primary, now));
    record.secondary_key = Some(KeyRecord::new(secondary, now));
    record.started_at = Some(now);
    record.version = 1;
    record
}
