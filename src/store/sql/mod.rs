//! Stores that follow a management database on SQLite or PostgreSQL.
//!
//! | | [`SqlStore`] | [`SqlLookupStore`] |
//! |---|---|---|
//! | keeps in memory | the whole catalog | APIs and products; it looks up one key at a time |
//! | a request waits for the database | never | always, unless cached |
//! | the database is away | the last version, however old or up to a bound | 503, unless cached |
//! | a restart during an outage | the snapshot on disk | 503 |
//! | suited for | up to some millions of subscriptions | more |
//!
//! Both read the tables that [`manage`](crate::manage) writes, and follow its
//! change numbers:
//!
//! 1. A version is read in one transaction, so it is never half of a change.
//! 2. PostgreSQL pushes each change (`LISTEN`); a SQLite file is pushed within the
//!    process that changes it. Besides, both are polled, because a connection can
//!    be dead without anyone noticing.
//! 3. Several changes since the last look become one version. If there are very
//!    many, or the numbers do not continue those seen, everything is read again. A
//!    database that went back, such as a replica that lacks the last changes after
//!    a failover, is reported
//!    ([`StoreStatus::went_back_at`](crate::store::StoreStatus::went_back_at)).
//! 4. While the database is away, the last version answers, and attempts to read
//!    it follow each other with growing pauses.
//! 5. A store with a name reports the number that it has applied, so that
//!    [`Manage::wait_applied`](crate::manage::Manage::wait_applied) knows when a
//!    change is in effect everywhere. The report is valid for 30 seconds, or until
//!    [`SqlStore::close`].

#[cfg(feature = "redis")]
mod bridge;
mod builder;
mod feed;
mod follow;
mod load;
mod lookup;
mod store;
mod wake;

pub use builder::SqlStoreBuilder;
pub use lookup::{SqlLookupError, SqlLookupStore};
pub use store::SqlStore;
