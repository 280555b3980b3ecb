use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::access::Access;
use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;
use crate::manage::sql::SqlRepository;
use crate::manage::usage::UseRecorder;
use crate::manage::{ManageError, RepositoryError};
use crate::store::replica::{FollowTask, Replica};
use crate::store::sql::SqlStoreBuilder;
use crate::store::sql::builder::Started;
use crate::store::sql::follow::Reloaded;
use crate::store::{CatalogUnavailable, Holdings, StoreStatus, SubscriptionStore};

/// A store that keeps the whole catalog of a management database in memory and
/// follows its changes.
///
/// Clones share the catalog and the background task, which ends with the last of
/// them. See the [module](super) for how it follows.
///
/// ```no_run
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_subscription_key::SubscriptionKeyLayer;
/// use tower_subscription_key::store::SqlStore;
///
/// let store = SqlStore::builder("postgres://orders@db.example/keys")
///     .name("orders-7f9c")
///     .keep_snapshot("/var/lib/orders/catalog.snapshot")
///     .open()
///     .await?;
/// let layer = SubscriptionKeyLayer::new(store.clone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqlStore {
    shared: Arc<Shared>,
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    repository: Arc<SqlRepository>,
}

pub(super) struct Shared {
    /// Dropped first: it says that the task ends on purpose, which it also does when
    /// `reloads` is gone.
    pub(super) task: FollowTask,
    pub(super) replica: Arc<Replica>,
    pub(super) reloads: mpsc::UnboundedSender<oneshot::Sender<Reloaded>>,
    pub(super) uses: Arc<UseRecorder>,
}

impl SqlStore {
    /// A builder of a store for the database at a path (SQLite) or a
    /// `postgres://` URL.
    pub fn builder(target: impl Into<String>) -> SqlStoreBuilder {
        SqlStoreBuilder::new(target.into())
    }

    /// Opens the database at a path (SQLite) or a `postgres://` URL and waits for
    /// the catalog. Same as [`SqlStoreBuilder::open`] with default settings.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the database cannot be opened or read.
    pub async fn open(target: impl Into<String>) -> Result<Self, ManageError> {
        Self::builder(target).open().await
    }

    pub(super) fn new(started: Started) -> Self {
        Self {
            shared: Arc::new(started.shared),
            repository: started.repository,
        }
    }

    #[cfg(feature = "redis")]
    pub(super) fn repository(&self) -> &SqlRepository {
        &self.repository
    }

    /// The version in use, however old it is. `None` before the first.
    #[must_use]
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        self.shared.replica.catalog()
    }

    /// The version in use, its age, and the last error. Its revision is the number
    /// of the last change that was applied.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.shared.replica.status()
    }

    /// Announces every change of the [status](Self::status).
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<StoreStatus> {
        self.shared.replica.watch_status()
    }

    /// Looks for changes now and waits for the outcome.
    ///
    /// # Errors
    ///
    /// If the database could not be read. The last version stays in use.
    pub async fn reload(&self) -> Result<StoreStatus, Arc<RepositoryError>> {
        let ended = || {
            Arc::new(RepositoryError::new(
                "the store's background task has ended",
            ))
        };
        self.shared.task.ensure_running();
        let (sender, answer) = oneshot::channel();
        self.shared.reloads.send(sender).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Waits until the change with the given number is applied here.
    pub async fn wait_applied(&self, number: u64) {
        let mut status = self.watch_status();
        let applied = |status: &StoreStatus| {
            let revision = status.revision().and_then(|text| text.parse::<u64>().ok());
            revision.is_some_and(|revision| revision >= number)
        };
        // The sender lives as long as the store.
        let _ = status.wait_for(applied).await;
    }
}

impl SubscriptionStore for SqlStore {
    type Error = CatalogUnavailable;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, CatalogUnavailable> {
        self.shared.task.ensure_running();
        self.shared.replica.owner(key)
    }

    fn holdings(&self) -> Result<Holdings, CatalogUnavailable> {
        self.shared.task.ensure_running();
        self.shared.replica.current().map(Holdings::Everything)
    }

    fn record_use(&self, access: &Access) {
        self.shared.uses.record(access);
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &self.shared.replica.source())
            .field("status", &self.status())
            .finish()
    }
}
