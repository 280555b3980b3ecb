use std::time::Duration;

use crate::catalog::KeySlot;
use crate::manage::error::FieldIssue;
use crate::manage::operations::rules::refuse;
use crate::manage::operations::{Changed, Regenerated, Rotation, Secrets, Work};
use crate::manage::record::KeyRecord;
use crate::manage::{Caller, Expected, Manage, ManageError, Operation, RecordRef, Secret, Set};

/// The longest grace period.
const LONGEST_GRACE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Manage {
    /// Gives a slot a new key, which works at once. The other slot is not touched.
    ///
    /// With a grace period the replaced key keeps working until it ends, but
    /// never beyond its own end or the subscription's. A slot has one replaced
    /// key: regenerating again ends the older one. Owners may regenerate the keys
    /// of their own subscriptions.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `Invalid` if the slot's own end has passed and no new end
    /// is given.
    pub async fn regenerate(
        &self,
        caller: &Caller,
        id: &str,
        slot: KeySlot,
        rotation: Rotation,
    ) -> Result<Changed<Regenerated>, ManageError> {
        let target = RecordRef::subscription(id);
        let mut work = self.work(caller, Operation::Regenerate, target).await?;
        let result = work.regenerate(id, slot, rotation).await;
        work.finish(result).await
    }

    /// Replaces a key as [`regenerate`](Self::regenerate) does, but only if the
    /// keys can be read back, for callers that are not shown the new key.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `KeysNotRecoverable` without an encryption key, and then
    /// nothing changed.
    pub async fn regenerate_recoverable(
        &self,
        caller: &Caller,
        id: &str,
        slot: KeySlot,
    ) -> Result<Changed<Regenerated>, ManageError> {
        let target = RecordRef::subscription(id);
        let mut work = self.work(caller, Operation::Regenerate, target).await?;
        let result = if self.keys_are_recoverable() {
            work.regenerate(id, slot, Rotation::default()).await
        } else {
            let found = work.expect_subscription(id, Expected::Anything).await;
            found.and(Err(ManageError::KeysNotRecoverable { id: id.to_owned() }))
        };
        work.finish(result).await
    }

    /// Reads the keys of a subscription back. Those that are only stored as
    /// digests are `None`. The reading is audited. Owners may read the keys of
    /// their own subscriptions.
    pub async fn read_secrets(&self, caller: &Caller, id: &str) -> Result<Secrets, ManageError> {
        let target = RecordRef::subscription(id);
        let mut work = self.work(caller, Operation::ReadSecrets, target).await?;
        let result = work.read_secrets(id).await;
        Ok(work.finish(result).await?.value)
    }
}

impl Work<'_> {
    async fn regenerate(
        &mut self,
        id: &str,
        slot: KeySlot,
        rotation: Rotation,
    ) -> Result<Regenerated, ManageError> {
        if rotation.expires_at != Set::Keep {
            self.caller.only_publishers("change the end of a key")?;
        }
        let before = self.expect_subscription(id, rotation.expected).await?;
        let mut issues = Vec::new();
        if rotation.grace > LONGEST_GRACE {
            let message = "a grace period has at most 365 days";
            issues.push(FieldIssue::new("grace", message));
        }
        let replaced = before.key(slot);
        let has_ended = replaced.is_some_and(|key| key.has_ended(self.now));
        if has_ended && rotation.expires_at == Set::Keep {
            let message = "the key of this slot has ended: a publisher gives a new end, or none";
            issues.push(FieldIssue::new("expires_at", message));
        }
        let key = new_key(rotation.prefix.as_deref(), &mut issues);
        refuse(&RecordRef::subscription(id), issues)?;
        let mut retired = replaced.cloned();
        if let Some(retired) = &mut retired {
            let grace_ends = self.now.checked_add(rotation.grace);
            let ends = [retired.expires_at, before.expires_at, grace_ends];
            retired.expires_at = ends.into_iter().flatten().min();
            retired.last_used_at = None;
        }
        retired.take_if(|retired| retired.has_ended(self.now));
        let mut new = KeyRecord::new(key.digest(), self.now);
        new.expires_at = replaced.and_then(|key| key.expires_at);
        rotation.expires_at.apply_rounded(&mut new.expires_at);
        let mut after = before.clone();
        self.set_key(&mut after, slot, new, Some(&key))?;
        let replaced_key_expires_at = retired.as_ref().and_then(|key| key.expires_at);
        *after.retired_key_mut(slot) = retired;
        Ok(Regenerated {
            record: self.put_subscription(Some(before), after).await?,
            slot,
            key,
            replaced_key_expires_at,
        })
    }

    async fn read_secrets(&mut self, id: &str) -> Result<Secrets, ManageError> {
        let record = self.expect_subscription(id, Expected::Anything).await?;
        let sealed = self.tx.sealed_keys(id).await?;
        let open = |slot: KeySlot| -> Option<Secret> {
            let sealed = sealed.get(&record.key(slot)?.digest)?;
            self.manage.shared.sealer.as_ref()?.open(id, slot, sealed)
        };
        let (primary_key, secondary_key) = (open(KeySlot::Primary), open(KeySlot::Secondary));
        self.note_read(RecordRef::subscription(id), record.version);
        Ok(Secrets {
            primary_key,
            secondary_key,
        })
    }
}

/// A new key. A prefix that breaks the rule is an issue, and then the key has none.
pub(super) fn new_key(prefix: Option<&str>, issues: &mut Vec<FieldIssue>) -> Secret {
    Secret::generate(prefix).unwrap_or_else(|error| {
        issues.push(FieldIssue::new("key_prefix", error.to_string()));
        Secret::random()
    })
}
