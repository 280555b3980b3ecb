//! The tower layer: its settings, its service and its future.

mod error;
mod future;
mod gate;
mod recheck;
mod request;
mod service;
mod settings;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;
use tracing::Level;

use crate::access::{Access, Decision, InapplicableKey, Unmatched};
use crate::catalog::{Api, Catalog, Live};
use crate::key::{KeyHeader, KeyQuery, KeySource};
use crate::response::RejectionFormat;
use crate::store::SubscriptionStore;

pub use error::ConfigError;
pub use future::ResponseFuture;
pub use request::RequestInfo;
pub use service::SubscriptionKeyService;

use gate::Gate;
use settings::{Select, Settings};

/// A tower layer that lets requests in by subscription key.
///
/// It wraps any `Service<Request<B>, Response = Response<R>> + Clone`. A clone of the
/// layer is cheap; a route with other settings gets a clone with other settings:
///
/// ```
/// # use tower_subscription_key::catalog::{Api, Catalog};
/// # use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer};
/// # let catalog = Catalog::builder().api(Api::new("orders", "/orders")).build()?;
/// let keys = SubscriptionKeyLayer::new(MemoryStore::new(catalog)).strip_key(true);
/// let orders = keys.clone().api("orders").header("X-Orders-Key")?.validate()?;
/// # let _ = orders;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A setter returns an error if its value is always wrong. What depends on the
/// store is checked by [`validate`](Self::validate). A layer that cannot work and is
/// used without having been validated denies every request with 503.
///
/// | setting | default |
/// |---|---|
/// | [`header`](Self::header), [`query`](Self::query) | the API's names, else `Ocp-Apim-Subscription-Key` and `subscription-key` |
/// | [`sources`](Self::sources) | the header, then the query |
/// | [`strip_key`](Self::strip_key) | keep the key, its header marked sensitive |
/// | [`api`](Self::api), [`api_by`](Self::api_by) | by the longest path prefix in the catalog |
/// | [`catalog`](Self::catalog), [`single_api`](Self::single_api) | the store's |
/// | [`inapplicable_key`](Self::inapplicable_key) | ignore a wrong key if the API can be called without one |
/// | [`unmatched`](Self::unmatched) | deny |
/// | [`pass_preflights`](Self::pass_preflights) | no |
/// | [`format`](Self::format) | Azure's JSON |
/// | [`realm`](Self::realm), [`challenge_scheme`](Self::challenge_scheme) | the API's URL; `AzureApiManagementKey`, or the scheme of keys in `Authorization` |
/// | [`retry_after`](Self::retry_after) | 5 seconds |
/// | [`denial_extension`](Self::denial_extension) | no |
/// | [`denial_levels`](Self::denial_levels) | INFO for known subscriptions, else DEBUG |
/// | [`request_span`](Self::request_span) | no |
/// | `lookup_timeout` (feature `timeout`) | none |
/// | `generated_keys_only` (feature `generate`) | no |
///
/// Where to install the layer, and what other layers see of the key:
/// [`guide::placement`](crate::guide::placement).
#[must_use = "a layer does nothing until it wraps a service"]
pub struct SubscriptionKeyLayer<S> {
    store: Arc<S>,
    settings: Settings,
}

impl<S> Clone for SubscriptionKeyLayer<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            settings: self.settings.clone(),
        }
    }
}

impl<S: SubscriptionStore> SubscriptionKeyLayer<S> {
    /// A layer with default settings over the given store.
    pub fn new(store: S) -> Self {
        Self {
            store: Arc::new(store),
            settings: Settings::default(),
        }
    }

    /// Sets the header that carries keys, for every API. Denied clients see the name
    /// in this spelling.
    ///
    /// # Errors
    ///
    /// [`ConfigError::KeyName`] if the name is not a header name or would break HTTP.
    pub fn header(mut self, name: &str) -> Result<Self, ConfigError> {
        self.settings.header = Some(KeyHeader::new(name)?);
        Ok(self)
    }

    /// Sets the query parameter that carries keys, for every API. It is compared
    /// exactly, after percent-decoding.
    ///
    /// # Errors
    ///
    /// [`ConfigError::KeyName`] if the name is empty.
    pub fn query(mut self, name: &str) -> Result<Self, ConfigError> {
        self.settings.query = Some(KeyQuery::new(name)?);
        Ok(self)
    }

    /// Sets the places that keys are taken from. The first one that is *present* in a
    /// request decides, valid or not.
    ///
    /// ```
    /// # use tower_subscription_key::catalog::{Api, Catalog};
    /// # use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer};
    /// use tower_subscription_key::KeySource;
    /// # let store = MemoryStore::new(Catalog::builder().api(Api::new("a", "")).build()?);
    /// // While clients move from an older header to `Authorization`:
    /// let keys = SubscriptionKeyLayer::new(store)
    ///     .sources([KeySource::bearer(), KeySource::header_named("X-Old-Key")?])?;
    /// # let _ = keys;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoSource`] if there are none.
    pub fn sources(
        mut self,
        sources: impl IntoIterator<Item = KeySource>,
    ) -> Result<Self, ConfigError> {
        self.settings.sources = sources.into_iter().collect();
        if self.settings.sources.is_empty() {
            return Err(ConfigError::NoSource);
        }
        Ok(self)
    }

    /// Rejects keys without a valid checksum
    /// ([`has_valid_checksum`](crate::key::has_valid_checksum)) as malformed, without
    /// a lookup. Set it only if all keys are made by
    /// [`generate_prefixed`](crate::key::generate_prefixed).
    #[cfg(feature = "generate")]
    pub fn generated_keys_only(mut self, only: bool) -> Self {
        self.settings.generated_keys_only = only;
        self
    }

    /// Sets whether the key is removed before the request goes on: every name that
    /// applies to the request from its own place, used or not, also from axum's
    /// `OriginalUri` (feature `axum`).
    ///
    /// If not, the values of the key's headers are marked sensitive.
    pub fn strip_key(mut self, strip: bool) -> Self {
        self.settings.strip = strip;
        self
    }

    /// Takes every request for the API of the catalog with the given id, whatever its
    /// path. Default: the path prefixes of the catalog choose the API.
    pub fn api(mut self, id: &str) -> Self {
        self.settings.select = Select::Fixed(id.into());
        self
    }

    /// Chooses the API of a request by a closure that returns its id. `None`, and ids
    /// that the catalog does not have, are unmatched.
    pub fn api_by<F>(mut self, select: F) -> Self
    where
        F: Fn(&RequestInfo<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    {
        self.settings.select = Select::By(Arc::new(select));
        self
    }

    /// Sets APIs and products for a store that knows keys only. Subscriptions in the
    /// catalog are ignored.
    pub fn catalog(mut self, catalog: Catalog) -> Self {
        self.settings.catalog = Some(Arc::new(Live::new(catalog)));
        self
    }

    /// Makes the service one API, for a store that knows keys only: every path belongs
    /// to it.
    ///
    /// ```
    /// # use tower_subscription_key::{ConfigError, SubscriptionKeyLayer, SubscriptionStore};
    /// use tower_subscription_key::catalog::Api;
    /// # fn with<S: SubscriptionStore>(store: S) -> Result<SubscriptionKeyLayer<S>, ConfigError> {
    /// SubscriptionKeyLayer::new(store).single_api(Api::new("orders", ""))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::Catalog`] if the API is not valid.
    pub fn single_api(self, api: Api) -> Result<Self, ConfigError> {
        let id = api.id().to_owned();
        let catalog = Catalog::builder().api(api).build()?;
        Ok(self.catalog(catalog).api(&id))
    }

    /// Sets how to treat a key that does not grant access when the API can be called
    /// without one.
    pub fn inapplicable_key(mut self, inapplicable: InapplicableKey) -> Self {
        self.settings.policy.inapplicable_key = inapplicable;
        self
    }

    /// Sets how to treat a request with a path that belongs to no API.
    pub fn unmatched(mut self, unmatched: Unmatched) -> Self {
        self.settings.policy.unmatched = unmatched;
        self
    }

    /// Sets whether CORS preflights pass without a key. Browsers send no key header
    /// with them, so a CORS layer inside this one needs it. If the CORS layer is
    /// outside, as is safer, this setting is not needed.
    ///
    /// Only an `OPTIONS` request with one `Origin`, one
    /// `Access-Control-Request-Method` and no body passes, without an
    /// [`Access`]. Every client can send one, so a handler for all methods runs for it.
    /// Its response is discarded: only the headers of a response that has an
    /// `Access-Control-Allow-…` header reach the client, otherwise the client gets the
    /// 401 that the preflight would get without this setting.
    pub fn pass_preflights(mut self, pass: bool) -> Self {
        self.settings.pass_preflights = pass;
        self
    }

    /// Sets the form of rejections: [`AzureJson`](crate::response::AzureJson),
    /// [`ProblemJson`](crate::response::ProblemJson) or a closure. gRPC clients get
    /// gRPC's form instead.
    pub fn format(mut self, format: impl RejectionFormat) -> Self {
        self.settings.response.format = Arc::new(format);
        self
    }

    /// Sets the realm in `WWW-Authenticate`, instead of the API's URL.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Challenge`] if it contains control characters.
    pub fn realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.settings.response.challenge.set_realm(realm)?;
        Ok(self)
    }

    /// Sets the scheme in `WWW-Authenticate`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Challenge`] if it is not one word.
    pub fn challenge_scheme(mut self, scheme: &str) -> Result<Self, ConfigError> {
        self.settings.response.challenge.set_scheme(scheme)?;
        Ok(self)
    }

    /// Sets the time that clients should wait while the store cannot answer.
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.settings.response.retry_after = retry_after;
        self
    }

    /// Limits how long a request waits for the store. After that, the client gets a
    /// 503.
    ///
    /// It needs a tokio runtime with its timer.
    #[cfg(feature = "timeout")]
    pub fn lookup_timeout(mut self, limit: Duration) -> Self {
        self.settings.lookup_timeout = Some(limit);
        self
    }

    /// Sets whether a rejection carries the [`Denial`](crate::Denial) in its
    /// extensions, for audit layers around this one. Clients never see it.
    pub fn denial_extension(mut self, carry: bool) -> Self {
        self.settings.denial_extension = carry;
        self
    }

    /// Sets the levels of denial events: of those that concern a known subscription,
    /// and of those that any client can cause (a missing, unknown or malformed key, a path
    /// of no API).
    ///
    /// An unavailable store and wrong settings are always errors.
    pub fn denial_levels(mut self, known: Level, unknown: Level) -> Self {
        self.settings.levels.known = known;
        self.settings.levels.unknown = unknown;
        self
    }

    /// Sets whether an allowed request is handled in a new span at DEBUG level, with
    /// the fields `api.id`, `product.id`, `subscription.id` and `key.slot`.
    ///
    /// Fields that the surrounding span declares are always recorded in that span.
    /// Requests cost less without the new span.
    pub fn request_span(mut self, span: bool) -> Self {
        self.settings.request_span = span;
        self
    }

    /// Checks what depends on other settings and on the store, and returns the layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with a message that says what to do. It is not an error if the
    /// store cannot return its APIs at this moment.
    pub fn validate(self) -> Result<Self, ConfigError> {
        self.settings.check()?;
        if let Ok(holdings) = self.store.holdings() {
            self.settings.check_with(holdings)?;
        }
        Ok(self)
    }

    /// Decides again about an allowed request, with the current state of the store.
    /// This is for long streams: their key can be revoked while they run.
    ///
    /// ```
    /// # use tower_subscription_key::{Access, MemoryStore, SubscriptionKeyLayer};
    /// use tower_subscription_key::access::Decision;
    ///
    /// # async fn stream(keys: SubscriptionKeyLayer<MemoryStore>, access: Access) {
    /// // Every minute or so:
    /// if !matches!(keys.recheck(&access).await, Decision::Allow(_)) {
    ///     // End the stream.
    /// }
    /// # }
    /// ```
    pub async fn recheck(&self, access: &Access) -> Decision {
        let gate = Gate::new(Arc::clone(&self.store), self.settings.clone());
        gate.recheck(access).await
    }
}

impl<S: SubscriptionStore, Inner> Layer<Inner> for SubscriptionKeyLayer<S> {
    type Service = SubscriptionKeyService<Inner, S>;

    fn layer(&self, inner: Inner) -> Self::Service {
        let gate = Gate::new(Arc::clone(&self.store), self.settings.clone());
        SubscriptionKeyService::new(inner, Arc::new(gate))
    }
}

impl<S> fmt::Debug for SubscriptionKeyLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionKeyLayer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
