use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use tokio::time::timeout;

use crate::catalog::{Catalog, KeyOwner};
use crate::document;
use crate::key::KeyDigest;
#[cfg(feature = "http-client")]
use crate::store::http::HttpClient;
use crate::store::http::requests::{self, Requests, Use};
use crate::store::http::{HttpConfigError, HttpError, HttpLookupError, HttpService, HttpStore};
use crate::store::{Answer, Holdings, SubscriptionStore};

/// The digest that an answer is about.
const KEY_DIGEST: HeaderName = HeaderName::from_static("key-digest");

/// The `ETag` of the catalog that an answer belongs to.
const CATALOG_ETAG: HeaderName = HeaderName::from_static("catalog-etag");

/// A store that asks a remote server about one key at a time, by its digest.
///
/// Every request through the layer waits for the remote server: wrap the store in a
/// `CachedStore` (feature `cache`), and pass [`HttpLookupError::is_about_one_key`] to
/// its `errors_about_one_key`, so that a fault of one key does not open the breaker
/// for all. See the [module](super) for the requests and the answers.
///
/// ```no_run
/// # #[cfg(feature = "http-client")]
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_subscription_key::catalog::Api;
/// use tower_subscription_key::{HttpLookupStore, SubscriptionKeyLayer};
///
/// let store = HttpLookupStore::builder("https://keys.example/keys")
///     .authorization("Bearer this-service")
///     .build()?;
/// let layer = SubscriptionKeyLayer::new(store).single_api(Api::new("orders", ""))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpLookupStore<C> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    /// Only to be cloned: few clients can be shared as they are.
    client: Mutex<C>,
    requests: Requests,
    definitions: Option<HttpStore>,
}

impl HttpLookupStore<()> {
    /// A builder of a store for the keys below the given URL. Its query is sent but
    /// never shown.
    pub fn builder(url: &str) -> HttpLookupStoreBuilder {
        HttpLookupStoreBuilder {
            requests: Requests::new(url, Duration::from_secs(5), 64 << 10),
            definitions: None,
        }
    }
}

/// What an answer says about the key.
struct Said {
    owner: Option<KeyOwner>,
    /// Whether the answer shows that it is about this key.
    is_proven: bool,
    catalog_etag: Option<HeaderValue>,
}

impl<C: HttpService> HttpLookupStore<C> {
    async fn look_up(&self, key: &KeyDigest) -> Result<Answer, HttpError> {
        let after = self.shared.requests.timeout;
        // Both attempts, and fetching the definitions if they changed.
        let looked_up = timeout(after, async {
            let said = self.ask_twice_at_most(key).await?;
            let answer = Answer::new(said.owner);
            match (&self.shared.definitions, said.catalog_etag) {
                (Some(store), Some(etag)) => {
                    let definitions = definitions(store, &etag).await;
                    let definitions = definitions.ok_or(HttpError::OtherVersion)?;
                    Ok(answer.with_definitions(definitions))
                }
                _ => Ok(answer),
            }
        });
        looked_up.await.unwrap_or(Err(HttpError::TimedOut(after)))
    }

    /// Asks once more, over a new connection, if a reused one failed, or gave an
    /// answer that may belong to another request.
    async fn ask_twice_at_most(&self, key: &KeyDigest) -> Result<Said, HttpError> {
        match self.ask(key, Use::Any).await {
            Ok(said) if said.is_proven => Ok(said),
            Err(error) if !may_be_the_connection(&error) => Err(error),
            _ => self.ask(key, Use::New).await,
        }
    }

    async fn ask(&self, key: &KeyDigest, connection: Use) -> Result<Said, HttpError> {
        let client = {
            let client = self.shared.client.lock();
            client.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let requests = &self.shared.requests;
        let request = requests.key(key, connection);
        let response = requests.send(client, request, Duration::ZERO).await?;
        #[cfg(feature = "http-client")]
        let answered_by = response.extensions().get().cloned();
        let said = read(response, key);
        #[cfg(feature = "http-client")]
        if let (Err(HttpError::OtherKey), Some(connection)) = (&said, answered_by) {
            super::client::AnsweredBy::discard(&connection);
        }
        said
    }
}

/// The definitions with the given `ETag`.
async fn definitions(store: &HttpStore, etag: &HeaderValue) -> Option<Arc<Catalog>> {
    let etag = etag.to_str().ok()?;
    let replica = &store.0.replica;
    if let Some(definitions) = replica.at_revision(etag) {
        return Some(definitions);
    }
    // If it fails, the status of that store has the error.
    let _ = store.reload().await;
    replica.at_revision(etag)
}

fn read(response: Response<Bytes>, key: &KeyDigest) -> Result<Said, HttpError> {
    let (named, hex) = (response.headers().get(KEY_DIGEST), key.to_hex());
    let is_named = named.map(|named| named.as_bytes().eq_ignore_ascii_case(hex.as_bytes()));
    if is_named == Some(false) {
        return Err(HttpError::OtherKey);
    }
    let catalog_etag = response.headers().get(CATALOG_ETAG).cloned();
    let owner = match document::parse_owner(requests::document(response)?)? {
        // Mixed-up answers must not let a caller in as the owner of another key.
        Some((subscription, _)) => {
            Some(KeyOwner::of_key(subscription, key).ok_or(HttpError::OtherKey)?)
        }
        None => None,
    };
    Ok(Said {
        is_proven: is_named.is_some() || owner.is_some(),
        owner,
        catalog_etag,
    })
}

/// Whether a new connection may do better.
fn may_be_the_connection(error: &HttpError) -> bool {
    match error {
        #[cfg(feature = "http-client")]
        HttpError::Unreachable(error) => {
            let error = error.downcast_ref::<super::ClientError>();
            !error.is_some_and(super::ClientError::is_connect)
        }
        #[cfg(not(feature = "http-client"))]
        HttpError::Unreachable(_) => true,
        HttpError::Body(_) | HttpError::OtherKey => true,
        _ => false,
    }
}

impl<C: HttpService> SubscriptionStore for HttpLookupStore<C> {
    type Error = HttpLookupError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, HttpLookupError> {
        Ok(self.look_up(key).await?.into_owner())
    }

    async fn lookup(&self, key: &KeyDigest) -> Result<Answer, HttpLookupError> {
        Ok(self.look_up(key).await?)
    }

    fn holdings(&self) -> Result<Holdings, HttpLookupError> {
        match &self.shared.definitions {
            None => Ok(Holdings::Keys),
            Some(store) => Ok(Holdings::Definitions(store.0.current()?)),
        }
    }
}

impl<C> fmt::Debug for HttpLookupStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLookupStore")
            .field("url", &self.shared.requests)
            .field("definitions", &self.shared.definitions)
            .finish()
    }
}

/// Builds an [`HttpLookupStore`]. Made by [`HttpLookupStore::builder`].
///
/// Settings that cannot work are reported when the store is built. Durations of
/// more than a year count as a year.
#[derive(Clone)]
#[must_use = "a builder does nothing until the store is built"]
pub struct HttpLookupStoreBuilder {
    requests: Requests,
    definitions: Option<HttpStore>,
}

impl HttpLookupStoreBuilder {
    /// Sets the `Authorization` header of every request. It is never shown. Default:
    /// none.
    pub fn authorization(mut self, value: &str) -> Self {
        self.requests.set_authorization(value);
        self
    }

    /// Sets how long a lookup may take, to the last byte of its answer. A client
    /// may wait for its 503 that long. Default: 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.requests.timeout = timeout;
        self
    }

    /// Sets how many bytes an answer may have. Default: 64 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.requests.max_bytes = bytes;
        self
    }

    /// Takes APIs and products from the catalog of the given store, which then
    /// needs no subscriptions. Default: the layer is given them
    /// ([`catalog`](crate::SubscriptionKeyLayer::catalog) or
    /// [`single_api`](crate::SubscriptionKeyLayer::single_api)).
    ///
    /// An answer with a `Catalog-ETag` is decided on the version with this `ETag`.
    /// Without one, a remote server should publish a new product before it answers
    /// with a subscription to it: a scope that names nothing opens nothing.
    pub fn definitions(mut self, store: HttpStore) -> Self {
        self.definitions = Some(store);
        self
    }

    /// Builds the store with the [ready-made client](HttpClient).
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] if a setting cannot work.
    #[cfg(feature = "http-client")]
    pub fn build(self) -> Result<HttpLookupStore<HttpClient>, HttpConfigError> {
        self.build_with(HttpClient::new())
    }

    /// Builds the store with another client.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] if a setting cannot work.
    pub fn build_with<C: HttpService>(
        self,
        client: C,
    ) -> Result<HttpLookupStore<C>, HttpConfigError> {
        let shared = Shared {
            client: Mutex::new(client),
            requests: self.requests.checked()?,
            definitions: self.definitions,
        };
        Ok(HttpLookupStore {
            shared: Arc::new(shared),
        })
    }
}

impl fmt::Debug for HttpLookupStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLookupStoreBuilder")
            .finish_non_exhaustive()
    }
}
