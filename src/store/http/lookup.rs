use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::catalog::KeyOwner;
use crate::document;
use crate::key::KeyDigest;
#[cfg(feature = "http-client")]
use crate::store::http::HttpClient;
use crate::store::http::asking::{Asking, Ready, json};
use crate::store::http::{HttpConfigError, HttpError, HttpService, HttpStore, HttpStoreError};
use crate::store::{Holdings, SubscriptionStore};

/// Asks the remote server about one key at a time, by its digest.
///
/// Every request through the layer waits for the remote server: wrap it in a
/// `CachedStore` (feature `cache`). See the [module](super) for what is asked and
/// what an answer must be.
///
/// ```no_run
/// # #[cfg(feature = "http-client")]
/// # fn build() -> Result<(), tower_subscription_key::store::http::HttpConfigError> {
/// use tower_subscription_key::catalog::Api;
/// use tower_subscription_key::{SubscriptionKeyLayer, store::HttpLookupStore};
///
/// let store = HttpLookupStore::builder("https://keys.example/keys")
///     .authorization("Bearer this-service")
///     .build()?;
/// let layer = SubscriptionKeyLayer::new(store).single_api(Api::new("orders", ""));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpLookupStore<C> {
    inner: Arc<Inner<C>>,
}

struct Inner<C> {
    /// To be cloned only: few clients can be shared as they are.
    client: Mutex<C>,
    asking: Ready,
    definitions: Option<HttpStore>,
}

impl HttpLookupStore<()> {
    /// A store for the keys below that URI, with all defaults. A query is sent
    /// along and never shown.
    pub fn builder(uri: &str) -> HttpLookupStoreBuilder {
        let mut asking = Asking::new(uri, 64 << 10);
        asking.time_out = Duration::from_secs(5);
        HttpLookupStoreBuilder {
            asking,
            definitions: None,
        }
    }
}

impl<C: HttpService> HttpLookupStore<C> {
    async fn look_up(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, HttpError> {
        let client = {
            let client = self.inner.client.lock();
            client.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let asking = &self.inner.asking;
        let request = asking.request_about(key);
        let response = asking.ask(client, request, Duration::ZERO).await?;
        let Some((subscription, slot)) = document::parse_owner(json(response)?)? else {
            return Ok(None);
        };
        // Whatever mixed the answers up, nobody gets in by another's key.
        if subscription.key(slot).map(|found| found.digest()) != Some(key) {
            return Err(HttpError::OtherKey);
        }
        Ok(Some(KeyOwner::new(subscription, slot)))
    }
}

impl<C: HttpService> SubscriptionStore for HttpLookupStore<C> {
    type Error = HttpStoreError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, HttpStoreError> {
        Ok(self.look_up(key).await?)
    }

    fn holdings(&self) -> Result<Holdings, HttpStoreError> {
        match &self.inner.definitions {
            None => Ok(Holdings::Keys),
            Some(store) => store.current().map(Holdings::Definitions),
        }
    }
}

impl<C> fmt::Debug for HttpLookupStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLookupStore")
            .field("remote", &self.inner.asking)
            .field("definitions", &self.inner.definitions)
            .finish()
    }
}

/// Sets up an [`HttpLookupStore`].
///
/// Settings that cannot work are told when it is built.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct HttpLookupStoreBuilder {
    asking: Asking,
    definitions: Option<HttpStore>,
}

impl HttpLookupStoreBuilder {
    /// The `Authorization` header of every request, for example `Bearer …`.
    /// Default: none. It is never shown.
    pub fn authorization(mut self, value: &str) -> Self {
        self.asking.set_authorization(value);
        self
    }

    /// How long a whole answer may take, to its last byte: so long a client may
    /// wait for its 503. Default: 5 seconds.
    pub fn time_out(mut self, time_out: Duration) -> Self {
        self.asking.time_out = time_out;
        self
    }

    /// How many bytes an answer may have. Default: 64 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.asking.limit = bytes;
        self
    }

    /// Takes APIs and products from that store's catalog, which then needs no
    /// subscriptions. Default: they are the layer's
    /// ([`catalog`](crate::SubscriptionKeyLayer::catalog) or
    /// [`single_api`](crate::SubscriptionKeyLayer::single_api)).
    ///
    /// A remote server publishes a new product before it answers with a subscription
    /// to it: a scope that names nothing here opens nothing.
    pub fn definitions(mut self, store: HttpStore) -> Self {
        self.definitions = Some(store);
        self
    }

    /// Builds it with the [ready-made client](HttpClient).
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] where the settings cannot work.
    #[cfg(feature = "http-client")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
    pub fn build(self) -> Result<HttpLookupStore<HttpClient>, HttpConfigError> {
        self.build_with(HttpClient::new())
    }

    /// Builds it with a client of yours.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] where the settings cannot work.
    pub fn build_with<C: HttpService>(
        self,
        client: C,
    ) -> Result<HttpLookupStore<C>, HttpConfigError> {
        let inner = Inner {
            client: Mutex::new(client),
            asking: self.asking.check()?,
            definitions: self.definitions,
        };
        let inner = Arc::new(inner);
        Ok(HttpLookupStore { inner })
    }
}

impl fmt::Debug for HttpLookupStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLookupStoreBuilder")
            .finish_non_exhaustive()
    }
}
