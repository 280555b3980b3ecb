use std::time::SystemTime;

use crate::catalog::{KeySlot, Metadata, Scope, State};
use crate::manage::error::FieldIssue;
use crate::manage::fields::{KeyInput, Set};
use crate::manage::operations::apis::put_operation;
use crate::manage::operations::keys::new_key;
use crate::manage::operations::lifecycle::CANCEL;
use crate::manage::operations::rules::{check_end, refuse, without_repetitions};
use crate::manage::operations::work::check_expected;
use crate::manage::operations::{Changed, PutSubscription, Work};
use crate::manage::record::KeyRecord;
use crate::manage::{
    Caller, Expected, Manage, ManageError, Operation, RecordRef, SLOTS, Secret, SubscriptionFields,
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
        let before = existing.filter(|record| self.caller.sees(record));
        let cancels = self.caller.as_owner().is_some() && fields.state == Some(State::Cancelled);
        self.operation = match &before {
            Some(_) if sets_state_only(&fields) && cancels => Operation::Cancel,
            Some(_) if sets_state_only(&fields) => Operation::SetState,
            before => put_operation(before.is_some()),
        };
        let mut issues = fields.issues.clone();
        let mut after = match &before {
            Some(before) => before.clone(),
            None => new_subscription(id, self.now),
        };
        after.drop_ended_keys(self.now);
        self.set_fields(before.as_ref(), &mut after, &fields, &mut issues)?;
        self.check_owner_may(before.as_ref(), &after, &fields)?;
        let version = before.as_ref().map(|record| record.version);
        check_expected(&target, version, expected)?;
        if taken && before.is_none() {
            return Err(ManageError::not_found(target));
        }
        if let Some(before) = before.as_ref().filter(|_| cancels) {
            CANCEL.check(id, before.state_at(self.now))?;
        }
        let mut generated = [None, None];
        if before.is_none() {
            self.set_initial_state(&mut after, &fields, &mut issues)
                .await?;
            if !fields.leave_keys_out {
                generated = self.generate_missing_keys(&mut after, &fields, &mut issues)?;
            }
        } else if fields.terms_accepted == Some(true) && after.terms_accepted_at.is_none() {
            after.terms_accepted_at = Some(self.now);
        }
        let created = before.is_none();
        self.check_subscription(before.as_ref(), &after, &fields, &mut issues)
            .await?;
        self.check_keys(before.as_ref(), &after, &mut issues)
            .await?;
        refuse(&target, issues)?;
        self.check_limits(before.as_ref(), &after).await?;
        let [primary_key, secondary_key] = generated;
        Ok(PutSubscription {
            record: self.put_subscription(before, after).await?,
            created,
            primary_key,
            secondary_key,
        })
    }

    /// Sets what the fields name, but for the state of a new subscription.
    fn set_fields(
        &mut self,
        before: Option<&SubscriptionRecord>,
        after: &mut SubscriptionRecord,
        fields: &SubscriptionFields,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<(), ManageError> {
        fields.display_name.apply(&mut after.display_name);
        if let Some(scopes) = named_scopes(before, fields, issues) {
            after.scopes = scopes;
        }
        if before.is_none() {
            after.owner = self.caller.as_owner().map(str::to_owned);
        }
        fields.owner.apply(&mut after.owner);
        fields.not_before.apply_rounded(&mut after.not_before);
        fields.expires_at.apply_rounded(&mut after.expires_at);
        fields.metadata.apply_or_default(&mut after.metadata);
        fields.description.apply(&mut after.description);
        fields.state_comment.apply(&mut after.state_comment);
        fields.allow_tracing.apply(&mut after.allow_tracing);
        for slot in SLOTS {
            if let Some(key) = fields.key(slot) {
                self.set_given_key(after, slot, key)?;
            }
        }
        let Some(before) = before else { return Ok(()) };
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
            // A new end alone revives the subscription, unless the state is given, too.
            None if seen == State::Expired && has_new_end => self.enter(after, State::Active),
            Some(State::Expired) if has_new_end => self.enter(after, State::Expired),
            _ => {}
        }
        Ok(())
    }

    /// Sets a key by hand, which ends the replaced key of the slot.
    fn set_given_key(
        &mut self,
        record: &mut SubscriptionRecord,
        slot: KeySlot,
        given: &KeyInput,
    ) -> Result<(), ManageError> {
        let mut key = KeyRecord::new(given.digest, self.now);
        match record.key(slot) {
            Some(current) if current.digest == given.digest => key = current.clone(),
            current => {
                key.expires_at = current.and_then(|replaced| replaced.expires_at);
                *record.retired_key_mut(slot) = None;
            }
        }
        given.expires_at.apply_rounded(&mut key.expires_at);
        self.set_key(record, slot, key, given.text.as_ref())
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
        let action = "do more than subscribe to one product for itself, rename and cancel that";
        self.caller.only_publishers(action)
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
        &mut self,
        record: &mut SubscriptionRecord,
        fields: &SubscriptionFields,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<[Option<Secret>; 2], ManageError> {
        let mut prefix = fields.key_prefix.as_deref();
        let mut generated = [None, None];
        for slot in SLOTS {
            if record.key(slot).is_none() {
                let known = issues.len();
                let key = new_key(prefix, issues);
                // A wrong prefix is reported once.
                prefix = prefix.filter(|_| issues.len() == known);
                let new = KeyRecord::new(key.digest(), self.now);
                self.set_key(record, slot, new, Some(&key))?;
                generated[slot as usize] = Some(key);
            }
        }
        Ok(generated)
    }
}

/// Whether the fields name a state and no other field than its comment and the end.
fn sets_state_only(fields: &SubscriptionFields) -> bool {
    matches!(
        fields,
        SubscriptionFields {
            state: Some(_),
            display_name: Set::Keep,
            scope: None,
            scopes: None,
            owner: Set::Keep,
            primary_key: None,
            secondary_key: None,
            not_before: Set::Keep,
            metadata: Set::Keep,
            description: Set::Keep,
            terms_accepted: None,
            allow_tracing: Set::Keep,
            ..
        }
    )
}

/// The scopes that the fields name, without repetitions.
fn named_scopes(
    before: Option<&SubscriptionRecord>,
    fields: &SubscriptionFields,
    issues: &mut Vec<FieldIssue>,
) -> Option<Vec<Scope>> {
    if let (Some(scope), Some(scopes)) = (&fields.scope, &fields.scopes)
        && scopes.first() != Some(scope)
    {
        let message = "`scope` is not the first of `scopes`: name one of the two fields";
        issues.push(FieldIssue::new("scope", message));
    }
    match (&fields.scope, &fields.scopes) {
        (_, Some(scopes)) => Some(without_repetitions(scopes)),
        (Some(scope), None) => {
            let first = before.and_then(|before| before.scopes.first());
            (first != Some(scope)).then(|| vec![scope.clone()])
        }
        (None, None) => None,
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

/// The all-access subscription of a new database, still without keys.
pub(in crate::manage) fn new_master(now: SystemTime) -> SubscriptionRecord {
    let now = stored::rounded(now);
    let mut record = new_subscription(MASTER, now);
    record.scopes = vec![Scope::Service];
    record.started_at = Some(now);
    record.version = 1;
    record
}
