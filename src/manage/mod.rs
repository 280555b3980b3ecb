//! Management: creates, rotates and withdraws subscriptions.
//!
//! [`Manage`] holds all rules. The REST interface, the page and the command-line
//! tool call it and repeat none of them. It works on a repository: in memory for
//! tests and demos, SQLite or PostgreSQL for real.
//!
//! Every operation is made on behalf of a [`Caller`], is accepted as a whole or
//! refused as a whole, and leaves entries in the audit trail. Each fails with a
//! [`ManageError`].
//! An accepted change has a number, which counts up by one in the database.
//!
//! ```
//! use tower_subscription_key::catalog::Scope;
//! use tower_subscription_key::manage::{ApiFields, Caller, Expected, Manage, SubscriptionFields};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manage = Manage::in_memory()?;
//! let admin = Caller::publisher("admin");
//!
//! let fields = ApiFields { path: Some("/echo".into()), ..Default::default() };
//! manage.put_api(&admin, "echo", fields, Expected::Absent).await?;
//!
//! let fields = SubscriptionFields { scope: Some(Scope::Api("echo".into())), ..Default::default() };
//! let created = manage.put_subscription(&admin, "contoso", fields, Expected::Absent).await?;
//! let key = created.value.primary_key.expect("a new subscription gets two keys");
//! assert_eq!(key.expose().len(), 32);
//! # Ok(()) }
//! ```

mod audit;
mod builder;
mod caller;
mod error;
mod fields;
mod filter;
mod memory;
mod operations;
mod record;
mod reference;
pub(crate) mod repository;
#[cfg(feature = "rest")]
pub mod rest;
mod seal;
mod secret;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) mod sql;
pub(crate) mod stored;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) mod usage;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::catalog::KeySlot;

pub use audit::{AuditEntry, AuditQuery, FieldChange, Operation, Outcome};
pub use builder::ManageBuilder;
pub use caller::Caller;
pub use error::{FieldIssue, ManageError, RepositoryError};
pub use fields::{ApiFields, Expected, KeyInput, ProductFields, Set, SubscriptionFields};
pub use filter::{Comparison, Filter, FilterField, ListQuery, Order, Page};
pub use operations::{
    Changed, Deletion, Import, ImportOptions, Imported, NewKeys, Put, PutSubscription, Regenerated,
    Rotation, Secrets, Transition,
};
pub use record::{ApiRecord, KeyRecord, ProductRecord, SubscriptionRecord};
pub use reference::{RecordKind, RecordRef};
pub use secret::Secret;

use repository::Repository;
use seal::Sealer;

/// Both slots.
pub(crate) const SLOTS: [KeySlot; 2] = [KeySlot::Primary, KeySlot::Secondary];

/// A control plane: all rules of management over a repository.
///
/// A clone is another handle to the same control plane.
#[derive(Clone)]
pub struct Manage {
    shared: Arc<Shared>,
}

struct Shared {
    repository: Box<dyn Repository>,
    sealer: Option<Sealer>,
}

impl Manage {
    /// A builder of a control plane, without an encryption key.
    pub fn builder() -> ManageBuilder {
        ManageBuilder::new()
    }

    /// A control plane over a new database in memory, for tests and demos.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the system's random source fails.
    pub fn in_memory() -> Result<Self, ManageError> {
        Self::builder().in_memory()
    }

    /// Opens the database at a path (SQLite) or a `postgres://` URL. Same as
    /// [`ManageBuilder::open`] without an encryption key.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the database cannot be opened.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub async fn open(target: &str) -> Result<Self, ManageError> {
        Self::builder().open(target).await
    }

    /// Whether new keys are stored such that they can be read back.
    #[must_use]
    pub fn keys_are_recoverable(&self) -> bool {
        self.shared.sealer.is_some()
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A replica that follows the database: a service with the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replica {
    /// The name that it reports under.
    pub id: String,
    /// The number of the last change that it has applied.
    pub applied: u64,
    /// The time since its last report.
    pub age: Duration,
}

impl std::fmt::Debug for Manage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manage").finish_non_exhaustive()
    }
}
