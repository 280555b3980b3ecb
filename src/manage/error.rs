use std::error::Error;
use std::fmt;

use crate::catalog::{Field, IssueKind, State};
use crate::manage::{Operation, RecordRef};

/// The reason why an operation was refused, or could not be made. A refused
/// operation changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// The record does not exist, or the caller may not know that it does.
    #[error("{record} does not exist: check the id")]
    NotFound {
        /// The record that was asked for.
        record: RecordRef,
    },
    /// The caller may not do this, whatever the record.
    #[error("{caller} may not {action}: ask a publisher")]
    Forbidden {
        /// The caller, with its role.
        caller: String,
        /// The forbidden action, as a verb phrase.
        action: String,
    },
    /// The record is not in the version that the caller named.
    #[error("{record} {}: read it again and repeat the change", found(*.current))]
    PreconditionFailed {
        /// The record.
        record: RecordRef,
        /// Its current version, or `None` if it does not exist.
        current: Option<u64>,
    },
    /// One or more values break a rule.
    #[error("{record} is refused{}", listed(.issues))]
    Invalid {
        /// The record.
        record: RecordRef,
        /// Every broken rule.
        issues: Vec<FieldIssue>,
    },
    /// A record cannot be deleted because others refer to it.
    #[error("{record} is in use by {}: delete them first, or delete it with its subscriptions", names(.by))]
    InUse {
        /// The record to delete.
        record: RecordRef,
        /// The subscriptions that refer to it.
        by: Vec<RecordRef>,
    },
    /// Records of an import exist with other content.
    #[error("{} with other content: import with replacing, or leave them out", exist(.records))]
    Conflict {
        /// The records.
        records: Vec<RecordRef>,
    },
    /// The subscription's state does not allow the operation.
    #[error("subscription {id:?} is {from}, and `{operation}` to {to} starts from {}: set the state instead", starts(.allowed))]
    Transition {
        /// The subscription.
        id: String,
        /// The refused operation.
        operation: Operation,
        /// The current state.
        from: State,
        /// The state that the operation leads to.
        to: State,
        /// The states that the operation starts from.
        allowed: &'static [State],
    },
    /// The owner has as many subscriptions to the product as it allows.
    #[error("Subscriptions limit reached for same user")]
    LimitReached {
        /// The subscription that would be one too many.
        record: RecordRef,
        /// The product with the limit.
        product: String,
        /// Its limit.
        limit: u32,
    },
    /// The keys are not stored in a form that can be read back.
    #[error(
        "the keys of subscription {id:?} cannot be read back: open the repository with an encryption key, or use `rotate`, which returns the new key once"
    )]
    KeysNotRecoverable {
        /// The subscription.
        id: String,
    },
    /// The repository could not be reached, read or written.
    #[error(transparent)]
    Unavailable(#[from] RepositoryError),
}

impl ManageError {
    /// The code of the refusal, as REST answers and audit entries carry it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "ResourceNotFound",
            Self::Forbidden { .. } => "Forbidden",
            Self::PreconditionFailed { .. } => "PreconditionFailed",
            Self::Invalid { .. }
            | Self::InUse { .. }
            | Self::Conflict { .. }
            | Self::Transition { .. }
            | Self::LimitReached { .. } => "ValidationError",
            Self::KeysNotRecoverable { .. } => "KeysNotRecoverable",
            Self::Unavailable(_) => "ServiceUnavailable",
        }
    }

    /// The broken rules by field, for whichever refusal is a validation error.
    #[must_use]
    pub fn issues(&self) -> Vec<FieldIssue> {
        match self {
            Self::Invalid { issues, .. } => issues.clone(),
            Self::InUse { by, .. } => by
                .iter()
                .map(|by| FieldIssue::new(by.id.clone(), format!("{by} refers to it")))
                .collect(),
            Self::Conflict { records } => records
                .iter()
                .map(|record| FieldIssue::new(record.id.clone(), format!("{record} exists")))
                .collect(),
            Self::Transition { .. } => vec![FieldIssue::new("state", self.to_string())],
            Self::LimitReached { .. } => vec![FieldIssue::new("scope", self.to_string())],
            _ => Vec::new(),
        }
    }

    pub(crate) fn not_found(record: RecordRef) -> Self {
        Self::NotFound { record }
    }

    pub(crate) fn invalid(
        record: RecordRef,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let issues = vec![FieldIssue::new(field, message)];
        Self::Invalid { record, issues }
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldIssue {
    /// The field, by its name in catalog files (`display_name`, `scopes`), or the
    /// id of the record in the way.
    pub field: String,
    /// The broken rule and the cure. Never a key.
    pub message: String,
}

impl FieldIssue {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self { field, message }
    }

    /// A violated rule of the catalog.
    pub(crate) fn broken(field: &Field, kind: &IssueKind) -> Self {
        Self::new(field.to_string(), kind.to_string())
    }
}

impl fmt::Display for FieldIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// A repository that could not be opened, reached, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RepositoryError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl RepositoryError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        let (message, source) = (message.into(), None);
        Self { message, source }
    }

    #[cfg(feature = "sql")]
    pub(crate) fn with_source(
        message: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        let (message, source) = (message.into(), Some(source.into()));
        Self { message, source }
    }
}

fn found(current: Option<u64>) -> String {
    match current {
        Some(version) => format!("is in version {version}, not in the expected one"),
        None => "does not exist".to_owned(),
    }
}

fn listed(issues: &[FieldIssue]) -> String {
    issues.iter().map(|issue| format!("\n  {issue}")).collect()
}

fn exist(records: &[RecordRef]) -> String {
    let verb = if records.len() == 1 {
        "exists"
    } else {
        "exist"
    };
    format!("{} {verb}", names(records))
}

fn names(records: &[RecordRef]) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<String> = records
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if records.len() > SHOWN {
        names.push(format!("{} more", records.len() - SHOWN));
    }
    names.join(", ")
}

fn starts(states: &[State]) -> String {
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    states.join(", ")
}
