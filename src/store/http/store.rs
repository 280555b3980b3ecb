use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;
use crate::store::http::{HttpError, HttpStoreBuilder};
use crate::store::replica::Following;
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
pub struct HttpStore(pub(super) Arc<Following<HttpError>>);

impl HttpStore {
    /// A builder of a store for the catalog at the given URL. Its query is sent but
    /// never shown.
    pub fn builder(url: &str) -> HttpStoreBuilder {
        HttpStoreBuilder::new(url)
    }

    /// The version in use, however old it is. `None` before the first.
    #[must_use]
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        self.0.replica.catalog()
    }

    /// The version in use, its age, and the last error.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.0.replica.status()
    }

    /// Announces every change of the [status](Self::status): a version that is new
    /// or confirmed, an error, a saved snapshot.
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<StoreStatus> {
        self.0.replica.watch_status()
    }

    /// Asks the remote server now and waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`HttpError`] if no version came or was confirmed. The last one stays in
    /// use.
    pub async fn reload(&self) -> Result<StoreStatus, Arc<HttpError>> {
        self.0.reload().await
    }
}

impl SubscriptionStore for HttpStore {
    type Error = CatalogUnavailable;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, CatalogUnavailable> {
        Ok(self.0.current()?.owner(key))
    }

    fn holdings(&self) -> Result<Holdings, CatalogUnavailable> {
        self.0.current().map(Holdings::Everything)
    }
}

impl fmt::Debug for HttpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStore")
            .field("url", &self.0.replica.source())
            .field("status", &self.status())
            .finish()
    }
}
