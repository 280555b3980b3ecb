//! The tower layer: its settings, its service and its future.

mod error;
mod future;
mod gate;
mod observe;
mod service;
mod settings;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::access::{InapplicableKey, Unmatched};
use crate::catalog::Live;
use crate::catalog::{Api, Catalog};
use crate::key::{KeyHeader, KeyQuery, KeySource};
use crate::response::RejectionFormat;
use crate::store::{Holdings, SubscriptionStore};

pub use error::ConfigError;
pub use future::ResponseFuture;
pub use service::SubscriptionKeyService;
pub use settings::RequestInfo;

use gate::Gate;
use settings::{Select, Settings};

/// Lets requests in by subscription key.
///
/// Wraps any `Service<Request<B>, Response = Response<R>>`. Cheap to clone; a
/// route with settings of its own is a clone with other settings:
///
/// ```
/// # use tower_subscription_key::catalog::{Api, Catalog};
/// # use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer};
/// # let catalog = Catalog::builder().api(Api::new("orders", "/orders")).build()?;
/// let keys = SubscriptionKeyLayer::new(MemoryStore::new(catalog)).strip_key(true);
/// let orders = keys.clone().api("orders").header("X-Orders-Key");
/// # orders.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// | setting | default |
/// |---|---|
/// | [`header`](Self::header), [`query`](Self::query) | the API's names, else `Ocp-Apim-Subscription-Key` and `subscription-key` |
/// | [`sources`](Self::sources) | the header, then the query |
/// | [`strip_key`](Self::strip_key) | keep the key, its header marked sensitive |
/// | [`api`](Self::api), [`api_by`](Self::api_by) | by the longest path prefix in the catalog |
/// | [`catalog`](Self::catalog), [`single_api`](Self::single_api) | the store's |
/// | [`inapplicable_key`](Self::inapplicable_key) | ignore a wrong key where none is needed |
/// | [`unmatched`](Self::unmatched) | deny |
/// | [`pass_preflights`](Self::pass_preflights) | no |
/// | [`format`](Self::format) | Azure's JSON |
/// | [`realm`](Self::realm), [`challenge_scheme`](Self::challenge_scheme) | the API's URL, `AzureApiManagementKey` |
/// | [`retry_after`](Self::retry_after) | 5 seconds |
/// | [`denial_extension`](Self::denial_extension) | no |
///
/// # Under axum
///
/// `Router::layer` also wraps the fallback, so that unknown paths get a 401
/// instead of a 404: prefer `route_layer`. Inside `Router::nest` the path lacks
/// the nest's prefix: name the API with [`api`](Self::api) there.
///
/// A router remembers the URI as axum's `OriginalUri` before any layer on its
/// routes acts, so a key in the query stays there although
/// [`strip_key`](Self::strip_key) is set. Where later layers or handlers show
/// it, take keys from headers only, or put this layer around the whole router.
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
    /// A layer with all defaults that asks that store.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self {
            store: Arc::new(store),
            settings: Settings::default(),
        }
    }

    /// The header that carries keys, for every API. Its spelling is what denied
    /// clients are told.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        let name = self.settings.accept(KeyHeader::new(name));
        self.settings.header = name;
        self
    }

    /// The query parameter that carries keys, for every API, compared exactly.
    #[must_use]
    pub fn query(mut self, name: &str) -> Self {
        let name = self.settings.accept(KeyQuery::new(name));
        self.settings.query = name;
        self
    }

    /// The places to take a key from. The first that is *present* in a request
    /// decides, valid or not.
    ///
    /// ```
    /// # use tower_subscription_key::catalog::{Api, Catalog};
    /// # use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer};
    /// use tower_subscription_key::KeySource;
    /// # let store = MemoryStore::new(Catalog::builder().api(Api::new("a", "")).build()?);
    /// // While clients move from an older header to `Authorization`:
    /// let keys = SubscriptionKeyLayer::new(store).sources([
    ///     KeySource::bearer(),
    ///     KeySource::header_named("X-Old-Key")?,
    /// ]);
    /// # keys.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sources(mut self, sources: impl IntoIterator<Item = KeySource>) -> Self {
        self.settings.sources = sources.into_iter().collect();
        self
    }

    /// Whether the key is taken away before the request goes on: every name that
    /// applies to the request from its own place, used or not.
    ///
    /// Otherwise the key's header values are at least marked sensitive.
    #[must_use]
    pub fn strip_key(mut self, strip: bool) -> Self {
        self.settings.strip = strip;
        self
    }

    /// Takes every request for that API of the catalog, whatever its path.
    #[must_use]
    pub fn api(mut self, id: &str) -> Self {
        self.settings.select = Select::Fixed(id.into());
        self
    }

    /// Finds a request's API by a closure that returns its id. `None`, and ids
    /// that the catalog does not have, are unknown paths.
    #[must_use]
    pub fn api_by<F>(mut self, select: F) -> Self
    where
        F: Fn(&RequestInfo<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    {
        self.settings.select = Select::By(Arc::new(select));
        self
    }

    /// Finds a request's API by the path prefixes of the catalog, as by default.
    #[must_use]
    pub fn api_by_path(mut self) -> Self {
        self.settings.select = Select::Path;
        self
    }

    /// APIs and products for a store that knows keys only. Subscriptions in it
    /// are not looked at.
    #[must_use]
    pub fn catalog(mut self, catalog: Catalog) -> Self {
        self.settings.catalog = Some(Arc::new(Live::new(catalog)));
        self
    }

    /// Makes the service one API, for a store that knows keys only: every path
    /// belongs to it.
    ///
    /// ```
    /// # use tower_subscription_key::{SubscriptionKeyLayer, SubscriptionStore};
    /// use tower_subscription_key::catalog::Api;
    /// # fn with<S: SubscriptionStore>(store: S) -> SubscriptionKeyLayer<S> {
    /// SubscriptionKeyLayer::new(store).single_api(Api::new("orders", ""))
    /// # }
    /// ```
    #[must_use]
    pub fn single_api(mut self, api: Api) -> Self {
        let id: Arc<str> = api.id().into();
        let catalog = Catalog::builder().api(api).build();
        if let Some(catalog) = self.settings.accept(catalog) {
            self = self.catalog(catalog);
        }
        self.settings.select = Select::Fixed(id);
        self
    }

    /// What a key that does not fit means on an API or product that needs none.
    #[must_use]
    pub fn inapplicable_key(mut self, inapplicable: InapplicableKey) -> Self {
        self.settings.policy.inapplicable_key = inapplicable;
        self
    }

    /// What becomes of a request for no API. One that passes carries no
    /// [`Access`](crate::Access), and its key is not looked up.
    #[must_use]
    pub fn unmatched(mut self, unknown: Unmatched) -> Self {
        self.settings.policy.unmatched = unknown;
        self
    }

    /// Whether CORS preflights pass without a key: `OPTIONS` with `Origin` and
    /// `Access-Control-Request-Method`. Browsers send no key with them, so that
    /// a cors layer behind this one needs it.
    #[must_use]
    pub fn pass_preflights(mut self, pass: bool) -> Self {
        self.settings.pass_preflights = pass;
        self
    }

    /// The form of refusals: [`AzureJson`](crate::response::AzureJson),
    /// [`ProblemJson`](crate::response::ProblemJson) or your own. gRPC requests
    /// get gRPC's form whatever it is.
    #[must_use]
    pub fn format(mut self, format: impl RejectionFormat) -> Self {
        self.settings.response.format = Arc::new(format);
        self
    }

    /// The realm in `WWW-Authenticate`, instead of the API's URL.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        let set = Arc::make_mut(&mut self.settings.response.challenge).set_realm(realm);
        self.settings.accept(set);
        self
    }

    /// The scheme word in `WWW-Authenticate`.
    #[must_use]
    pub fn challenge_scheme(mut self, scheme: &str) -> Self {
        let set = Arc::make_mut(&mut self.settings.response.challenge).set_scheme(scheme);
        self.settings.accept(set);
        self
    }

    /// The time that clients are told to wait while the store cannot answer.
    #[must_use]
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.settings.response.retry_after = retry_after;
        self
    }

    /// Whether a refusal's response carries the [`Denial`](crate::Denial) in its
    /// extensions, for audit layers around this one. Clients never see it.
    #[must_use]
    pub fn denial_extension(mut self, carry: bool) -> Self {
        self.settings.denial_extension = carry;
        self
    }

    /// The layer, if its settings can work.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with a sentence that says what to do. A store that cannot
    /// say at this moment which APIs it has is not an error.
    pub fn check(self) -> Result<Self, ConfigError> {
        self.settings.check()?;
        let Ok(holdings) = self.store.holdings() else {
            return Ok(self);
        };
        let catalog = self.settings.definitions(holdings)?;
        if let Select::Fixed(id) = &self.settings.select
            && catalog.api(id).is_none()
        {
            return Err(ConfigError::UnknownApi { id: id.to_string() });
        }
        Ok(self)
    }
}

impl Settings {
    /// The catalog whose APIs and products apply.
    #[inline]
    fn definitions(&self, holdings: Holdings) -> Result<Arc<Catalog>, ConfigError> {
        match (holdings, &self.catalog) {
            (Holdings::Keys, Some(own)) => Ok(own.load()),
            (Holdings::Keys, None) => Err(ConfigError::NoApis),
            (Holdings::Definitions(catalog) | Holdings::Everything(catalog), None) => Ok(catalog),
            (_, Some(_)) => Err(ConfigError::TwoCatalogs),
        }
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
