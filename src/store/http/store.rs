use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot, watch};

use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;
use crate::store::http::follow::Reloaded;
use crate::store::http::{HttpError, HttpStoreBuilder};
use crate::store::replica::{FollowTask, Replica};
use crate::store::{CatalogUnavailable, Holdings, StoreStatus, SubscriptionStore};

/// A store that fetches a whole catalog over HTTP and follows its changes.
///
/// Clones share the catalog and the background task, which ends with the last of
/// them. If the runtime of the task is shut down, the [status](Self::status) says
/// so, and the next request starts the task again in its own runtime. See the
/// [module](super) for the requests and the answers.
///
/// ```no_run
/// # #[cfg(feature = "http-client")]
/// # async fn open() -> Result<(), tower_subscription_key::store::http::HttpOpenError> {
/// use std::time::Duration;
/// use tower_subscription_key::{HttpStore, SubscriptionKeyLayer};
///
/// let store = HttpStore::builder("https://keys.example/catalog")
///     .authorization("Bearer this-service")
///     .long_poll(Duration::from_secs(30))
///     .keep_snapshot("/var/lib/orders/catalog.snapshot")
///     .open()
///     .await?;
/// let layer = SubscriptionKeyLayer::new(store.clone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpStore {
    shared: Arc<Shared>,
}

struct Shared {
    /// Dropped first: it says that the task ends on purpose, which it also does when
    /// `reloads` is gone.
    task: FollowTask,
    replica: Arc<Replica>,
    reloads: mpsc::UnboundedSender<oneshot::Sender<Reloaded>>,
}

impl HttpStore {
    /// A builder of a store for the catalog at the given URL. Its query is sent but
    /// never shown.
    pub fn builder(url: &str) -> HttpStoreBuilder {
        HttpStoreBuilder::new(url)
    }

    pub(super) fn new(
        replica: Arc<Replica>,
        reloads: mpsc::UnboundedSender<oneshot::Sender<Reloaded>>,
        task: FollowTask,
    ) -> Self {
        let shared = Shared {
            replica,
            reloads,
            task,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The version in use, however old it is. `None` before the first.
    #[must_use]
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        self.shared.replica.catalog()
    }

    /// The version in use, its age, and the last error.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.shared.replica.status()
    }

    /// Announces every change of the [status](Self::status): a version that is new
    /// or confirmed, an error, a saved snapshot.
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<StoreStatus> {
        self.shared.replica.watch_status()
    }

    /// Asks the remote server now and waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`HttpError`] if no version came or was confirmed. The last one stays in
    /// use.
    pub async fn reload(&self) -> Result<StoreStatus, Arc<HttpError>> {
        let interrupted = || Arc::new(HttpError::Interrupted);
        self.shared.task.ensure_running();
        let mut status = self.watch_status();
        let (sender, answer) = oneshot::channel();
        let asked = self.shared.reloads.send(sender);
        asked.map_err(|_| interrupted())?;
        let ended = pin!(status.wait_for(|status| !status.is_running()));
        match select(answer, ended).await {
            Either::Left((Ok(reloaded), _)) => reloaded,
            Either::Left((Err(_), _)) | Either::Right(_) => Err(interrupted()),
        }
    }

    /// The version in use, unless it is too old.
    pub(super) fn current(&self) -> Result<Arc<Catalog>, CatalogUnavailable> {
        self.shared.task.ensure_running();
        self.shared.replica.current()
    }

    /// The version in use, if the remote server's name for it is the given one.
    pub(super) fn at_revision(&self, revision: &str) -> Option<Arc<Catalog>> {
        self.shared.replica.at_revision(revision)
    }
}

impl SubscriptionStore for HttpStore {
    type Error = CatalogUnavailable;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, CatalogUnavailable> {
        self.shared.task.ensure_running();
        self.shared.replica.owner(key)
    }

    fn holdings(&self) -> Result<Holdings, CatalogUnavailable> {
        self.current().map(Holdings::Everything)
    }
}

impl fmt::Debug for HttpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStore")
            .field("url", &self.shared.replica.source())
            .field("status", &self.status())
            .finish()
    }
}
