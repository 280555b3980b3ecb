use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::manage::sql::SqlRepository;
use crate::manage::usage::UseRecorder;
use crate::manage::{ManageError, RepositoryError};
use crate::store::replica::{FollowTask, Replica};
use crate::store::save::Saver;
use crate::store::snapshot::{SnapshotFile, SnapshotKind};
use crate::store::sql::SqlStore;
use crate::store::sql::follow::{Follower, OnChange, Reloaded};
use crate::store::sql::load::Extent;
use crate::store::sql::store::Shared;

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

    /// Reports the applied number under this name, such as the name of the host.
    /// Each store of a database needs its own. Default: nothing is reported.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The time between two looks at the database while nothing is pushed, 20 %
    /// shorter at random. Default: 100 ms on SQLite, 1 s on PostgreSQL.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll = Some(interval);
        self
    }

    /// Refuses to answer (503) when the database has not confirmed the version for
    /// this long. Default: the last version answers for ever.
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
    /// [`ManageError`] if there is neither.
    pub async fn open(self) -> Result<SqlStore, ManageError> {
        let reports = self.name.is_some();
        let store = self.start()?;
        let mut status = store.watch_status();
        let first = status.wait_for(|status| status.version() > 0 || status.last_error().is_some());
        // The sender lives as long as the store.
        let _ = first.await;
        if store.catalog().is_some() && !reports {
            return Ok(store);
        }
        // The snapshot may be read just now. After a look that follows the first
        // one, the store has reported what it applied.
        match store.reload().await {
            Err(error) if store.catalog().is_none() => {
                let cause = crate::store::replica::describe(&*error);
                Err(RepositoryError::new(cause.to_string()).into())
            }
            _ => Ok(store),
        }
    }

    /// Starts the store without waiting. Until there is a version, requests get 503.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the path or URL cannot be read.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<SqlStore, ManageError> {
        self.begin(Extent::Everything, None).map(SqlStore::new)
    }

    pub(super) fn begin(
        self,
        extent: Extent,
        on_change: Option<OnChange>,
    ) -> Result<Shared, ManageError> {
        let repository = Arc::new(SqlRepository::connect(&self.target)?);
        let database = repository.database();
        let default = database.dialect().choose("100", "1000").parse();
        let default = Duration::from_millis(default.unwrap_or(1000));
        let source = database.name().to_owned();
        let replica = Arc::new(Replica::new(&*source, self.max_staleness));
        let snapshot = self.snapshot.map(|path| {
            SnapshotFile::new(path)
                .with_source(&source)
                .of_kind(SnapshotKind::Sql)
        });
        let (reloads, receiver) = mpsc::unbounded_channel::<oneshot::Sender<Reloaded>>();
        let receiver = Arc::new(Mutex::new(receiver));
        let uses = Arc::new(UseRecorder::new());
        let name = self.name.clone();
        let follow = {
            let (repository, replica) = (Arc::clone(&repository), Arc::clone(&replica));
            let uses = Arc::clone(&uses);
            move || {
                let saver = snapshot
                    .clone()
                    .map(|file| Saver::start(file, self.max_staleness, Arc::clone(&replica)));
                let follower = Follower {
                    repository: Arc::clone(&repository),
                    replica: Arc::clone(&replica),
                    extent,
                    poll: self.poll.unwrap_or(default),
                    name: self.name.clone(),
                    snapshot: snapshot.clone(),
                    saver,
                    uses: Arc::clone(&uses),
                    on_change: on_change.clone(),
                    mark: None,
                    reported: None,
                };
                follower.run(Arc::clone(&receiver))
            }
        };
        let task = FollowTask::start(Arc::clone(&replica), &Handle::current(), follow);
        Ok(Shared {
            task,
            repository,
            replica,
            reloads,
            name,
            uses,
        })
    }
}
