//! Rows as records.

use serde::de::DeserializeOwned;
use sqlx::error::BoxDynError;

use crate::catalog::KeySlot;
use crate::key::KeyDigest;
use crate::manage::RepositoryError;
use crate::manage::record::{ApiRecord, ProductRecord, SubscriptionRecord};
use crate::manage::sql::session::{Row, SqlError, SqlResult, Value};
use crate::manage::stored::from_micros;

impl From<SqlError> for RepositoryError {
    fn from(error: SqlError) -> Self {
        Self::with_source("the database could not be read or written", error.0)
    }
}

/// A row that this crate did not write.
pub(crate) fn broken(error: impl Into<BoxDynError>) -> SqlError {
    SqlError(sqlx::Error::Decode(error.into()))
}

/// Reads a record, and its place.
pub(crate) fn record<T: Placed>(row: &Row) -> SqlResult<T> {
    let mut record: T = serde_json::from_str(row.str(0)?).map_err(broken)?;
    *record.place() = row.int(1)?;
    Ok(record)
}

pub(crate) trait Placed: DeserializeOwned {
    fn place(&mut self) -> &mut i64;
}

macro_rules! placed {
    ($($record:ty),*) => {
        $(impl Placed for $record {
            fn place(&mut self) -> &mut i64 {
                &mut self.place
            }
        })*
    };
}

placed!(ApiRecord, ProductRecord, SubscriptionRecord);

/// A subscription with the last use of its slots.
pub(super) fn subscription_with_use(row: &Row) -> SqlResult<SubscriptionRecord> {
    let mut record: SubscriptionRecord = record(row)?;
    for (slot, at) in [(KeySlot::Primary, 2), (KeySlot::Secondary, 3)] {
        let used = row.optional_int(at)?;
        if let Some(key) = record.key_mut(slot) {
            key.last_used_at = used.map(from_micros);
        }
    }
    Ok(record)
}

pub(super) fn json(record: &impl serde::Serialize) -> SqlResult<Value> {
    let text = serde_json::to_string(record);
    text.map(Value::from)
        .map_err(|error| sqlx::Error::Encode(Box::new(error)).into())
}

pub(crate) fn read_digest(row: &Row, at: usize) -> SqlResult<KeyDigest> {
    let bytes: Result<[u8; 32], _> = row.bytes(at)?.try_into();
    bytes
        .map(KeyDigest::from_bytes)
        .map_err(|_| broken("a digest has 32 bytes"))
}
