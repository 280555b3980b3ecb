use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::access::Access;
use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;
use crate::manage::sql::SqlRepository;
use crate::manage::usage::UseRecorder;
use crate::manage::{ManageError, RepositoryError};
use crate::store::invalidation::Watchers;
use crate::store::replica::Following;
use crate::store::sql::SqlStoreBuilder;
use crate::store::sql::follow::flush_uses;
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
/// use tower_subscription_key::SqlStore;
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
pub struct SqlStore(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) following: Following<RepositoryError>,
    pub(super) repository: Arc<SqlRepository>,
    /// The name that the store reports under.
    pub(super) name: Option<String>,
    pub(super) uses: Arc<UseRecorder>,
    /// The caches around the store.
    pub(super) watchers: Arc<Watchers>,
}

impl Shared {
    /// Writes the use of keys and withdraws the report.
    fn sign_off(&self) -> impl Future<Output = ()> + Send + 'static {
        let (repository, uses) = (Arc::clone(&self.repository), Arc::clone(&self.uses));
        let name = self.name.clone();
        let work = async move {
            flush_uses(&repository, &uses).await;
            let Some(name) = name else { return };
            if let Err(error) = repository.forget_replica(&name).await {
                tracing::debug!("the report of the replica was not withdrawn: {error}");
            }
        };
        // A database that does not answer must not delay the end of the program.
        async {
            timeout(Duration::from_secs(3), work)
                .await
                .unwrap_or_default()
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.sign_off());
        }
    }
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

    /// Closes the store: writes the last use of keys and withdraws its report, so that
    /// `Manage::wait_applied` no longer waits for this replica.
    ///
    /// Call it at the end of the program, after the layers with the other handles are
    /// gone. Dropping the last handle does the same in the background, if the runtime
    /// lives long enough.
    pub async fn close(self) {
        let sign_off = self.0.sign_off();
        drop(self);
        sign_off.await;
    }

    /// The version in use, however old it is. `None` before the first.
    #[must_use]
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        self.0.following.replica.catalog()
    }

    /// The version in use, its age, and the last error. Its revision is the number
    /// of the last change that was applied.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.0.following.replica.status()
    }

    /// Announces every change of the [status](Self::status).
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<StoreStatus> {
        self.0.following.replica.watch_status()
    }

    /// Looks for changes now and waits for the outcome.
    ///
    /// # Errors
    ///
    /// If the database could not be read. The last version stays in use.
    pub async fn reload(&self) -> Result<StoreStatus, Arc<RepositoryError>> {
        self.0.following.reload().await
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
        Ok(self.0.following.current()?.owner(key))
    }

    fn holdings(&self) -> Result<Holdings, CatalogUnavailable> {
        self.0.following.current().map(Holdings::Everything)
    }

    fn record_use(&self, access: &Access) {
        self.0.uses.record(access);
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &self.0.following.replica.source())
            .field("status", &self.status())
            .finish()
    }
}
