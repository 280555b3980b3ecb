use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manage::{Caller, RecordKind, RecordRef};
use crate::words::words;

/// One line of the audit trail: one record that an operation changed, or that a
/// refused operation would have changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The change number of the operation. A refused operation, or one that only
    /// reads, carries the number of the last change before it.
    pub number: u64,
    /// The place among the entries with the same number, from 0.
    pub index: u64,
    /// The time of the operation.
    pub time: SystemTime,
    /// The caller.
    pub caller: Caller,
    /// The operation.
    pub operation: Operation,
    /// Whether it was accepted.
    pub outcome: Outcome,
    /// The record.
    pub record: RecordRef,
    /// The record's version before, if it existed.
    pub version_before: Option<u64>,
    /// The record's version after, if it exists.
    pub version_after: Option<u64>,
    /// The code of the refusal.
    pub code: Option<String>,
    /// The changed fields. Never a key or a digest.
    pub changes: Vec<FieldChange>,
}

impl AuditEntry {
    /// The entry's name: `NUMBER.INDEX`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.number, self.index)
    }
}

/// A field before and after a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "rest", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FieldChange {
    /// The field, by its name in catalog files.
    pub field: String,
    /// Its value before, or null.
    pub before: Value,
    /// Its value after, or null.
    pub after: Value,
}

words! {
    /// What a caller did, or tried to do.
    #[non_exhaustive]
    pub enum Operation: "an operation" {
        /// A record was made.
        Create = "create",
        /// Fields of a record were changed.
        Update = "update",
        /// A record was deleted.
        Delete = "delete",
        /// A submitted subscription became active.
        Approve = "approve",
        /// A submitted subscription was rejected.
        Reject = "reject",
        /// An active subscription was suspended.
        Suspend = "suspend",
        /// A subscription became active again.
        Activate = "activate",
        /// A subscription was cancelled.
        Cancel = "cancel",
        /// A publisher set the state directly.
        SetState = "setState",
        /// A key was replaced.
        Regenerate = "regenerate",
        /// A subscription got a scope.
        Grant = "grant",
        /// A subscription lost a scope.
        Revoke = "revoke",
        /// A product got an API.
        AddApi = "addApi",
        /// A product lost an API.
        RemoveApi = "removeApi",
        /// A catalog was imported.
        Import = "import",
        /// Keys were read back.
        ReadSecrets = "readSecrets",
    }
}

words! {
    /// Whether an operation was accepted.
    #[non_exhaustive]
    pub enum Outcome: "an outcome" {
        /// It was made.
        Accepted = "accepted",
        /// It was refused and changed nothing.
        Refused = "refused",
    }
}

/// Which entries of the audit trail to list, newest first. Default: the newest 100.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditQuery {
    /// Only entries of this kind of record.
    pub kind: Option<RecordKind>,
    /// Only entries of records with this id.
    pub record: Option<String>,
    /// Only entries of callers with this name or owner id.
    pub caller: Option<String>,
    /// Only entries of this operation.
    pub operation: Option<Operation>,
    /// Only entries with this outcome.
    pub outcome: Option<Outcome>,
    /// Only entries from this time on.
    pub from: Option<SystemTime>,
    /// Only entries before this time.
    pub until: Option<SystemTime>,
    /// Only entries before the one with this number and index: the last one of the page
    /// before. Not counted by the total.
    pub before: Option<(u64, u64)>,
    /// How many entries to leave out.
    pub skip: u64,
    /// At most how many entries to return.
    pub top: u32,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            kind: None,
            record: None,
            caller: None,
            operation: None,
            outcome: None,
            from: None,
            until: None,
            before: None,
            skip: 0,
            top: 100,
        }
    }
}

impl AuditQuery {
    /// Whether the query asks for the entry.
    pub(crate) fn takes(&self, entry: &AuditEntry) -> bool {
        self.kind.is_none_or(|kind| kind == entry.record.kind)
            && self.record.as_ref().is_none_or(|id| *id == entry.record.id)
            && self
                .caller
                .as_ref()
                .is_none_or(|id| id == entry.caller.id())
            && self
                .operation
                .is_none_or(|operation| operation == entry.operation)
            && self.outcome.is_none_or(|outcome| outcome == entry.outcome)
            && self.from.is_none_or(|from| from <= entry.time)
            && self.until.is_none_or(|until| entry.time < until)
    }
}
