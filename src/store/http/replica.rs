use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::catalog::Catalog;
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::http::state::Shared;
use crate::store::http::worker::Refreshed;
use crate::store::http::{
    HttpConnectError, HttpError, HttpStatus, HttpStoreBuilder, HttpStoreError,
};
use crate::store::{Holdings, SubscriptionStore};

/// A catalog that is fetched over HTTP as a whole, and kept as the remote server has
/// it.
///
/// Clones share the catalog and the background task, which ends with the last of
/// them. See the [module](super) for what is asked and what an answer must be.
///
/// ```no_run
/// # #[cfg(feature = "http-client")]
/// # async fn connect() -> Result<(), tower_subscription_key::store::http::HttpConnectError> {
/// use std::time::Duration;
/// use tower_subscription_key::{SubscriptionKeyLayer, store::HttpStore};
///
/// let store = HttpStore::builder("https://keys.example/catalog")
///     .authorization("Bearer this-service")
///     .long_poll(Duration::from_secs(30))
///     .keep_snapshot("/var/lib/orders/catalog.snapshot")
///     .connect()
///     .await?;
/// let layer = SubscriptionKeyLayer::new(store.clone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpStore {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    refreshes: mpsc::UnboundedSender<oneshot::Sender<Refreshed>>,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpStore {
    /// A store for the catalog at that URI, with all defaults. A query is sent
    /// along and never shown.
    pub fn builder(uri: &str) -> HttpStoreBuilder {
        HttpStoreBuilder::new(uri)
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        refreshes: mpsc::UnboundedSender<oneshot::Sender<Refreshed>>,
        task: AbortHandle,
    ) -> Self {
        let inner = Arc::new(Inner {
            shared,
            refreshes,
            task,
        });
        Self { inner }
    }

    /// Waits until the first attempt is over.
    pub(super) async fn first_version(self) -> Result<Self, HttpConnectError> {
        let mut status = self.subscribe();
        let begun = status.wait_for(|status| status.begun || status.version > 0);
        let status = begun.await.map(|status| status.clone());
        match status {
            Ok(status) if status.version > 0 => Ok(self),
            Ok(HttpStatus {
                last_error: Some(error),
                ..
            }) => Err(HttpConnectError::Fetch(error)),
            _ => Err(HttpConnectError::Fetch(Arc::new(HttpError::Broken))),
        }
    }

    /// The version in use, however old it is. `None` before the first.
    #[must_use]
    pub fn catalog(&self) -> Option<Catalog> {
        self.inner.shared.catalog()
    }

    /// Which version is in use, how old it is, and what is wrong since.
    #[must_use]
    pub fn status(&self) -> HttpStatus {
        self.inner.shared.status()
    }

    /// Tells every outcome from now on: a new version, one that is confirmed, an
    /// error, a snapshot that was saved.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<HttpStatus> {
        self.inner.shared.subscribe()
    }

    /// Asks the remote server now, whatever the interval, and waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`HttpError`] where no version came or was confirmed. The one before
    /// stays in use.
    pub async fn refresh(&self) -> Result<HttpStatus, Arc<HttpError>> {
        let broken = || Arc::new(HttpError::Broken);
        let (sender, answer) = oneshot::channel();
        let asked = self.inner.refreshes.send(sender);
        asked.map_err(|_| broken())?;
        answer.await.unwrap_or_else(|_| Err(broken()))
    }

    /// The version in use, if it is not too old.
    pub(super) fn current(&self) -> Result<Arc<Catalog>, HttpStoreError> {
        self.inner.shared.current()
    }
}

impl SubscriptionStore for HttpStore {
    type Error = HttpStoreError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, HttpStoreError> {
        Ok(self.current()?.owner(key))
    }

    fn holdings(&self) -> Result<Holdings, HttpStoreError> {
        self.current().map(Holdings::Everything)
    }
}

impl fmt::Debug for HttpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStore")
            .field("remote", &self.inner.shared.name())
            .field("status", &self.status())
            .finish()
    }
}
