use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::manage::sql::{Dialect, SqlRepository};
use crate::manage::usage::UseRecorder;
use crate::manage::{ManageError, RepositoryError};
use crate::store::backoff::Backoff;
use crate::store::invalidation::Watchers;
use crate::store::replica::{First, Following, KeptSnapshot, Replica, describe};
use crate::store::snapshot::{SnapshotFile, SnapshotKind};
use crate::store::sql::SqlStore;
use crate::store::sql::follow::Follower;
use crate::store::sql::load::Extent;
use crate::store::sql::store::Shared;
use crate::store::sql::wake::Wake;

/// How long the first load is waited for before the snapshot is used.
const SNAPSHOT_AFTER: Duration = Duration::from_secs(5);

/// Builds an [`SqlStore`]. Made by [`SqlStore::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it opens a store"]
pub struct SqlStoreBuilder {
    target: String,
    name: Option<String>,
    poll: Option<Duration>,
    max_staleness: Option<Duration>,
    snapshot: Option<PathBuf>,
}

impl SqlStoreBuilder {
    pub(super) fn new(target: String) -> Self {
        Self {
            target,
            name: None,
            poll: None,
            max_staleness: None,
            snapshot: None,
        }
    }

    /// Sets the name under which the applied number is reported, such as the name of the
    /// host. Each store of a database needs its own. Default: nothing is reported.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the time between two polls of the database while nothing is pushed, shortened
    /// by up to a fifth at random. Default: 100 ms on SQLite, 1 s on PostgreSQL.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll = Some(interval);
        self
    }

    /// Sets how long a version is served after the database last confirmed it. After
    /// that, every request gets a 503. Default: without end.
    pub fn max_staleness(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = Some(max_staleness);
        self
    }

    /// Keeps the version in a file, for starts while the database is away. Default:
    /// none.
    pub fn keep_snapshot(mut self, path: impl Into<PathBuf>) -> Self {
        self.snapshot = Some(path.into());
        self
    }

    /// Starts the store and waits for the first version: from the database, or, if
    /// that cannot be read, from the snapshot.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if there is neither, or if a setting cannot work.
    pub async fn open(self) -> Result<SqlStore, ManageError> {
        let shared = self.open_with(Extent::Everything).await?;
        Ok(SqlStore(Arc::new(shared)))
    }

    /// Starts the store without waiting. Until there is a version, requests get 503.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the path or URL cannot be read, if a duration is zero, or
    /// outside a tokio runtime.
    pub fn start(self) -> Result<SqlStore, ManageError> {
        let (shared, _) = self.begin(Extent::Everything)?;
        Ok(SqlStore(Arc::new(shared)))
    }

    pub(super) async fn open_with(self, extent: Extent) -> Result<Shared, ManageError> {
        let (shared, first) = self.begin(extent)?;
        match shared.following.opened(first).await {
            Ok(()) => Ok(shared),
            Err(error) => Err(RepositoryError::new(describe(&*error).to_string()).into()),
        }
    }

    fn begin(self, extent: Extent) -> Result<(Shared, First<RepositoryError>), ManageError> {
        for (setting, time) in [
            ("poll_interval", self.poll),
            ("max_staleness", self.max_staleness),
        ] {
            if time.is_some_and(|time| time.is_zero()) {
                let what = format!("{setting} is zero: choose a longer time");
                return Err(RepositoryError::new(what).into());
            }
        }
        if Handle::try_current().is_err() {
            let what = "the store needs a tokio runtime: start it in one";
            return Err(RepositoryError::new(what).into());
        }
        let repository = Arc::new(SqlRepository::connect(&self.target)?);
        let database = repository.database();
        let poll = self.poll.unwrap_or(match database.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => Duration::from_millis(100),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => Duration::from_secs(1),
        });
        let replica = Arc::new(Replica::new(database.name(), self.max_staleness));
        let snapshot = self.snapshot.map(|path| {
            let file = SnapshotFile::new(path).with_source(database.name());
            KeptSnapshot {
                file: file.of_kind(SnapshotKind::Sql),
                after: SNAPSHOT_AFTER,
            }
        });
        let uses = Arc::new(UseRecorder::new());
        let watchers = Arc::new(Watchers::default());
        let name = self.name.clone();
        let follower = {
            let (repository, replica) = (Arc::clone(&repository), Arc::clone(&replica));
            let (uses, watchers) = (Arc::clone(&uses), Arc::clone(&watchers));
            move || Follower {
                wake: Wake::new(repository.database().clone()),
                repository: Arc::clone(&repository),
                replica: Arc::clone(&replica),
                extent,
                poll,
                name: self.name.clone(),
                uses: Arc::clone(&uses),
                watchers: Arc::clone(&watchers),
                backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
                mark: None,
                reported: None,
                flushed: Instant::now(),
            }
        };
        let (following, first) = Following::start(&Handle::current(), replica, snapshot, follower);
        let shared = Shared {
            following,
            repository,
            name,
            uses,
            watchers,
        };
        Ok((shared, first))
    }
}
