//! Rows as records.

use std::time::SystemTime;

use sqlx::error::BoxDynError;

use crate::catalog::KeySlot;
use crate::key::KeyDigest;
use crate::manage::audit::{AuditEntry, Outcome};
use crate::manage::record::{ApiRecord, ProductRecord, SubscriptionRecord};
use crate::manage::reference::RecordRef;
use crate::manage::sql::session::{Row, SqlError, SqlResult, Value};
use crate::manage::stored::{from_micros, to_micros};
use crate::manage::{Caller, RepositoryError};

impl From<SqlError> for RepositoryError {
    fn from(error: SqlError) -> Self {
        Self::with_source("the database could not be read or written", error.0)
    }
}

/// A row that this crate did not write.
pub(crate) fn broken(error: impl Into<BoxDynError>) -> SqlError {
    SqlError(sqlx::Error::Decode(error.into()))
}

pub(crate) fn api(row: &Row) -> SqlResult<ApiRecord> {
    let mut record: ApiRecord = serde_json::from_str(row.str(0)?).map_err(broken)?;
    record.place = row.int(1)?;
    Ok(record)
}

pub(crate) fn product(row: &Row) -> SqlResult<ProductRecord> {
    let mut record: ProductRecord = serde_json::from_str(row.str(0)?).map_err(broken)?;
    record.place = row.int(1)?;
    Ok(record)
}

pub(super) fn subscription(row: &Row) -> SqlResult<SubscriptionRecord> {
    let mut record: SubscriptionRecord = serde_json::from_str(row.str(0)?).map_err(broken)?;
    record.place = row.int(1)?;
    Ok(record)
}

/// A subscription with the last use of its slots.
pub(super) fn subscription_with_use(row: &Row) -> SqlResult<SubscriptionRecord> {
    let mut record = subscription(row)?;
    for (slot, at) in [(KeySlot::Primary, 2), (KeySlot::Secondary, 3)] {
        let used = row.optional_int(at)?;
        if let Some(key) = record.key_mut(slot) {
            key.last_used_at = used.map(from_micros);
        }
    }
    Ok(record)
}

pub(super) fn entry(row: &Row) -> SqlResult<AuditEntry> {
    let caller = match row.str(3)? {
        "owner" => Caller::Owner(row.text(4)?),
        _ => Caller::Publisher(row.text(4)?),
    };
    let version = |at| SqlResult::Ok(row.optional_int(at)?.and_then(|v| u64::try_from(v).ok()));
    Ok(AuditEntry {
        number: row.number(0)?,
        index: row.number(1)?,
        time: from_micros(row.int(2)?),
        caller,
        operation: row.str(5)?.parse().map_err(broken)?,
        outcome: match row.int(6)? {
            0 => Outcome::Accepted,
            _ => Outcome::Refused,
        },
        record: RecordRef {
            kind: row.str(7)?.parse().map_err(broken)?,
            id: row.text(8)?,
        },
        version_before: version(9)?,
        version_after: version(10)?,
        code: row.optional_text(11)?,
        changes: serde_json::from_str(row.str(12)?).map_err(broken)?,
    })
}

pub(super) fn entry_values(entry: &AuditEntry) -> SqlResult<Vec<Value>> {
    let version = |version: Option<u64>| version.and_then(|v| i64::try_from(v).ok());
    Ok(vec![
        entry.number.into(),
        entry.index.into(),
        time(entry.time),
        entry.caller.role().into(),
        entry.caller.id().into(),
        entry.operation.as_str().into(),
        i64::from(entry.outcome == Outcome::Refused).into(),
        entry.record.kind.as_str().into(),
        entry.record.id.as_str().into(),
        version(entry.version_before).into(),
        version(entry.version_after).into(),
        entry.code.as_deref().into(),
        json(&entry.changes)?,
    ])
}

pub(super) fn json(record: &impl serde::Serialize) -> SqlResult<Value> {
    let text = serde_json::to_string(record);
    text.map(Value::from)
        .map_err(|error| sqlx::Error::Encode(Box::new(error)).into())
}

pub(super) fn time(time: SystemTime) -> Value {
    to_micros(time).into()
}

pub(crate) fn read_digest(row: &Row, at: usize) -> SqlResult<KeyDigest> {
    let bytes: Result<[u8; 32], _> = row.bytes(at)?.try_into();
    bytes
        .map(KeyDigest::from_bytes)
        .map_err(|_| broken("a digest has 32 bytes"))
}
