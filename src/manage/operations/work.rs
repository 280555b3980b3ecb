use std::collections::HashMap;
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::catalog::KeySlot;
use crate::manage::audit::{AuditEntry, FieldChange, Operation, Outcome};
use crate::manage::record::{ApiRecord, KeyRecord, ProductRecord, SubscriptionRecord};
use crate::manage::reference::{RecordKind, RecordRef};
use crate::manage::repository::{SealedKeys, SubscriptionPut, Transaction};
use crate::manage::{Caller, Changed, Expected, Manage, ManageError, Secret, stored};

/// One operation under way: its transaction, and the entries it leaves.
pub(super) struct Work<'m> {
    pub(super) manage: &'m Manage,
    pub(super) tx: Box<dyn Transaction>,
    pub(super) caller: Caller,
    pub(super) operation: Operation,
    pub(super) target: RecordRef,
    pub(super) now: SystemTime,
    entries: Vec<AuditEntry>,
    /// The number of entries so far.
    noted: u64,
    puts: Vec<SubscriptionPut>,
    sealed: SealedKeys,
    places: i64,
    deleted: Option<HashMap<String, u64>>,
}

/// How many records of one operation fit between the places of two numbers.
const PLACES: i64 = 1 << 24;

impl Manage {
    /// Begins an operation on a record.
    pub(super) async fn work(
        &self,
        caller: &Caller,
        operation: Operation,
        target: RecordRef,
    ) -> Result<Work<'_>, ManageError> {
        Ok(Work {
            manage: self,
            tx: self.shared.repository.begin().await?,
            caller: caller.clone(),
            operation,
            target,
            now: stored::rounded(self.now()),
            entries: Vec::new(),
            noted: 0,
            puts: Vec::new(),
            sealed: SealedKeys::new(),
            places: 0,
            deleted: None,
        })
    }
}

impl Work<'_> {
    /// Commits what an accepted operation changed, or records its refusal.
    pub(super) async fn finish<T>(
        mut self,
        result: Result<T, ManageError>,
    ) -> Result<Changed<T>, ManageError> {
        let value = match result {
            Ok(value) => value,
            Err(error @ ManageError::Unavailable(_)) => return Err(error),
            Err(error) => {
                self.refuse(&error).await?;
                return Err(error);
            }
        };
        self.flush().await?;
        if self.noted == 0 {
            return Ok(Changed::nothing(value));
        }
        let number = self.counts().then(|| self.tx.next_number());
        self.tx.commit(number.is_some()).await?;
        Ok(Changed { value, number })
    }

    /// Rolls back, and leaves one entry that says what was refused.
    async fn refuse(self, error: &ManageError) -> Result<(), ManageError> {
        let mut entry = self.entry(&self.target, None, None, Vec::new());
        entry.outcome = Outcome::Refused;
        entry.code = Some(error.code().to_owned());
        drop(self.tx);
        let mut tx = self.manage.shared.repository.begin().await?;
        let id = &entry.record.id;
        entry.version_before = match entry.record.kind {
            RecordKind::Api => tx.api(id).await?.map(|record| record.version),
            RecordKind::Product => tx.product(id).await?.map(|record| record.version),
            RecordKind::Subscription => tx.subscription(id).await?.map(|record| record.version),
            RecordKind::Catalog => None,
        };
        entry.version_after = entry.version_before;
        tx.note(vec![entry], false).await?;
        tx.commit(false).await?;
        Ok(())
    }

    fn entry(
        &self,
        record: &RecordRef,
        version_before: Option<u64>,
        version_after: Option<u64>,
        changes: Vec<FieldChange>,
    ) -> AuditEntry {
        const LONGEST: usize = 300;
        let mut record = record.clone();
        if record.id.chars().count() > LONGEST {
            record.id = record.id.chars().take(LONGEST).collect();
        }
        AuditEntry {
            number: self.tx.next_number(),
            index: self.noted,
            time: self.now,
            caller: self.caller.clone(),
            operation: self.operation,
            outcome: Outcome::Accepted,
            record,
            version_before,
            version_after,
            code: None,
            changes,
        }
    }

    /// An entry without changed fields: something was read.
    pub(super) fn note_read(&mut self, record: RecordRef, version: u64) {
        let entry = self.entry(&record, Some(version), Some(version), Vec::new());
        self.entries.push(entry);
        self.noted += 1;
    }

    fn note(&mut self, before: Option<&dyn Recorded>, after: Option<&dyn Recorded>) {
        let Some(record) = after.or(before).map(Recorded::reference) else {
            return;
        };
        let entry = self.entry(
            &record,
            before.map(Recorded::version),
            after.map(Recorded::version),
            differences(before, after),
        );
        self.entries.push(entry);
        self.noted += 1;
    }

    /// Sets the version, the date and the place of a record that is about to be
    /// written. A new record comes after all others, and gets no version that a deleted
    /// one with its id had.
    async fn stamp<R: Recorded>(
        &mut self,
        before: Option<&R>,
        after: &mut R,
    ) -> Result<(), ManageError> {
        if let Some(before) = before {
            after.stamp(before.version() + 1, None, self.now);
            return Ok(());
        }
        let RecordRef { kind, id } = after.reference();
        let deleted = match &self.deleted {
            Some(deleted) if kind == RecordKind::Subscription => deleted.get(&id).copied(),
            _ => {
                let ids = [id];
                let versions = self.tx.deleted_versions(kind, &ids).await?;
                versions.into_values().next()
            }
        };
        self.places += 1;
        let number = i64::try_from(self.tx.next_number()).unwrap_or(i64::MAX);
        let place = number.saturating_mul(PLACES).saturating_add(self.places);
        after.stamp(deleted.unwrap_or_default() + 1, Some(place), self.now);
        Ok(())
    }

    /// Asks at once in which versions any of many subscriptions were deleted. Until
    /// the next call only these may be made.
    pub(super) async fn know_deleted(&mut self, ids: &[String]) -> Result<(), ManageError> {
        let kind = RecordKind::Subscription;
        self.deleted = Some(self.tx.deleted_versions(kind, ids).await?);
        Ok(())
    }

    pub(super) async fn put_api(
        &mut self,
        before: Option<&ApiRecord>,
        mut after: ApiRecord,
    ) -> Result<ApiRecord, ManageError> {
        if before != Some(&after) {
            self.stamp(before, &mut after).await?;
            self.tx.put_api(&after, before.is_none()).await?;
            self.note(before.map(|before| before as _), Some(&after));
        }
        Ok(after)
    }

    pub(super) async fn put_product(
        &mut self,
        before: Option<&ProductRecord>,
        mut after: ProductRecord,
    ) -> Result<ProductRecord, ManageError> {
        if before != Some(&after) {
            self.stamp(before, &mut after).await?;
            self.tx.put_product(&after, before.is_none()).await?;
            self.note(before.map(|before| before as _), Some(&after));
        }
        Ok(after)
    }

    /// Writes a subscription, unless it has not changed. Returns it as callers see it.
    pub(super) async fn put_subscription(
        &mut self,
        before: Option<SubscriptionRecord>,
        after: SubscriptionRecord,
    ) -> Result<SubscriptionRecord, ManageError> {
        if let Some(before) = &before {
            let seen = after.clone().seen_at(self.now);
            if before.clone().seen_at(self.now) == seen {
                return Ok(seen);
            }
        }
        self.write_subscription(before, after).await
    }

    /// Writes a subscription at the end of the operation, or when there are many.
    pub(super) async fn write_subscription(
        &mut self,
        before: Option<SubscriptionRecord>,
        mut after: SubscriptionRecord,
    ) -> Result<SubscriptionRecord, ManageError> {
        const MANY: usize = 1000;
        after.drop_ended_keys(self.now);
        self.stamp(before.as_ref(), &mut after).await?;
        let seen_before = before.clone().map(|before| before.seen_at(self.now));
        let seen = after.clone().seen_at(self.now);
        self.note(seen_before.as_ref().map(|before| before as _), Some(&seen));
        self.puts.push(SubscriptionPut { before, after });
        if self.puts.len() >= MANY {
            self.flush().await?;
        }
        Ok(seen)
    }

    /// Puts a key into a slot, to be stored encrypted too if keys can be read back.
    pub(super) fn set_key(
        &mut self,
        record: &mut SubscriptionRecord,
        slot: KeySlot,
        key: KeyRecord,
        text: Option<&Secret>,
    ) -> Result<(), ManageError> {
        if let (Some(sealer), Some(text)) = (&self.manage.shared.sealer, text) {
            let sealed = sealer.seal(&record.id, slot, text)?;
            self.sealed.insert(key.digest, sealed);
        }
        *record.key_mut(slot) = Some(key);
        Ok(())
    }

    /// Whether the operation takes a change number if it writes audit entries.
    fn counts(&self) -> bool {
        self.operation != Operation::ReadSecrets
    }

    /// Writes the pending subscriptions, so that queries find them.
    pub(super) async fn flush(&mut self) -> Result<(), ManageError> {
        if !self.puts.is_empty() {
            let puts = std::mem::take(&mut self.puts);
            self.tx.put_subscriptions(&puts, &self.sealed).await?;
        }
        if !self.entries.is_empty() {
            let entries = std::mem::take(&mut self.entries);
            self.tx.note(entries, self.counts()).await?;
        }
        Ok(())
    }

    pub(super) async fn delete(&mut self, record: &dyn Recorded) -> Result<(), ManageError> {
        self.flush().await?;
        self.tx
            .delete(&record.reference(), record.version())
            .await?;
        self.note(Some(record), None);
        Ok(())
    }

    /// The subscription with the id, if it exists to the caller in the expected version.
    pub(super) async fn expect_subscription(
        &mut self,
        id: &str,
        expected: Expected,
    ) -> Result<SubscriptionRecord, ManageError> {
        let target = RecordRef::subscription(id);
        let found = self.tx.subscription(id).await?;
        match found.filter(|record| self.caller.sees(record)) {
            Some(record) => {
                check_expected(&target, Some(record.version), expected)?;
                Ok(record)
            }
            None => Err(ManageError::not_found(target)),
        }
    }
}

/// Refuses a record that is not what the caller expected.
pub(super) fn check_expected(
    record: &RecordRef,
    current: Option<u64>,
    expected: Expected,
) -> Result<(), ManageError> {
    let holds = match expected {
        Expected::Anything => true,
        Expected::Absent => current.is_none(),
        Expected::Present if current.is_none() => {
            return Err(ManageError::not_found(record.clone()));
        }
        Expected::Present => true,
        Expected::Version(version) => current == Some(version),
        Expected::OneOf(versions) => current.is_some_and(|version| versions.contains(&version)),
    };
    if holds {
        return Ok(());
    }
    Err(ManageError::PreconditionFailed {
        record: record.clone(),
        current,
    })
}

/// A record as the audit trail sees it.
pub(super) trait Recorded: Send + Sync {
    fn reference(&self) -> RecordRef;
    fn version(&self) -> u64;
    fn fields(&self) -> Map<String, Value>;
    fn stamp(&mut self, version: u64, place: Option<i64>, now: SystemTime);
}

macro_rules! recorded {
    ($($record:ty => $kind:ident),*) => {
        $(impl Recorded for $record {
            fn reference(&self) -> RecordRef {
                RecordRef::$kind(&*self.id)
            }

            fn version(&self) -> u64 {
                self.version
            }

            fn fields(&self) -> Map<String, Value> {
                match serde_json::to_value(self) {
                    Ok(Value::Object(fields)) => fields.into_iter().filter_map(shown).collect(),
                    _ => Map::new(),
                }
            }

            fn stamp(&mut self, version: u64, place: Option<i64>, now: SystemTime) {
                self.version = version;
                self.place = place.unwrap_or(self.place);
                self.updated_at = now;
            }
        })*
    };
}

recorded!(ApiRecord => api, ProductRecord => product, SubscriptionRecord => subscription);

/// A field as the audit trail shows it: times as text, keys without digests.
fn shown((name, value): (String, Value)) -> Option<(String, Value)> {
    if matches!(&*name, "id" | "version" | "created_at" | "updated_at") {
        return None;
    }
    let value = match value {
        Value::Object(key) if name.ends_with("_key") => {
            let shown = key.into_iter().filter(|(name, _)| name != "digest");
            Value::Object(shown.map(|(name, at)| (name, time(at))).collect())
        }
        value if name.ends_with("_at") || name == "not_before" => time(value),
        value => value,
    };
    Some((name, value))
}

fn time(micros: Value) -> Value {
    match micros.as_i64() {
        Some(micros) => stored::time_text(stored::from_micros(micros)).into(),
        None => micros,
    }
}

/// The fields in which two versions of a record differ.
fn differences(before: Option<&dyn Recorded>, after: Option<&dyn Recorded>) -> Vec<FieldChange> {
    let mut before = before.map(Recorded::fields).unwrap_or_default();
    let after = after.map(Recorded::fields).unwrap_or_default();
    let changed = after.into_iter().map(|(field, after)| FieldChange {
        before: before.remove(&field).unwrap_or_default(),
        field,
        after,
    });
    let mut changes: Vec<FieldChange> = changed.collect();
    changes.extend(before.into_iter().map(|(field, before)| FieldChange {
        field,
        before,
        after: Value::Null,
    }));
    changes.retain(|change| change.before != change.after);
    changes.sort_unstable_by(|one, other| one.field.cmp(&other.field));
    changes
}
