use std::fmt;
use std::sync::Arc;

use crate::access::{Decision, Denial, DenialReason, Question, decide};
use crate::catalog::{
    Api, ApiIndex, Catalog, KeySlot, Owner, Product, ProductIndex, Scope, SubscriptionView, Target,
};
use crate::key::{KeyDigest, Presented};

/// What an allowed request has access to: its API, and the product and subscription that
/// allowed it.
///
/// The layer inserts it into the extensions of the request. A clone is cheap. It
/// keeps the version of the catalog that the decision was made on, and shows no key.
///
/// ```
/// use tower_subscription_key::Access;
///
/// fn caller<B>(request: &http::Request<B>) -> &str {
///     match request.extensions().get::<Access>() {
///         Some(access) => match access.subscription() {
///             Some(subscription) => subscription.id(),
///             None => "anonymous",
///         },
///         None => "no layer, or an unmatched path",
///     }
/// }
/// # assert_eq!(caller(&http::Request::new(())), "no layer, or an unmatched path");
/// ```
#[derive(Clone)]
pub struct Access {
    pub(super) catalog: Arc<Catalog>,
    pub(super) api: ApiIndex,
    pub(super) product: Option<ProductIndex>,
    /// The owner of the key. `None` for an anonymous caller, as `key`.
    pub(super) owner: Option<Owner>,
    pub(super) key: Option<UsedKey>,
}

/// The key that let a request in, and the scope of its owner that contains the API.
#[derive(Clone, Copy)]
pub(super) struct UsedKey {
    pub(super) digest: KeyDigest,
    pub(super) scope: Target,
}

impl Access {
    /// The access that a request for an API gets with the given key, or without one:
    /// for tests of handlers and layers.
    ///
    /// ```
    /// use tower_subscription_key::Access;
    /// use tower_subscription_key::catalog::{Api, Catalog, Scope, Subscription};
    ///
    /// let catalog = Catalog::builder()
    ///     .api(Api::new("orders", "/orders"))
    ///     .subscription(
    ///         Subscription::new("contoso")
    ///             .with_scope(Scope::AllApis)
    ///             .with_primary_key("264a41411c0b43e782f483eb6f3eaeab"),
    ///     )
    ///     .build()?;
    /// let key = Some("264a41411c0b43e782f483eb6f3eaeab");
    /// let access = Access::for_tests(catalog, "orders", key).unwrap();
    /// assert_eq!(access.subscription().unwrap().id(), "contoso");
    /// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The [`Denial`] that the layer would make.
    #[allow(clippy::result_large_err)]
    pub fn for_tests(
        catalog: impl Into<Arc<Catalog>>,
        api: &str,
        key: Option<&str>,
    ) -> Result<Self, Denial> {
        let key = key.map_or(Presented::Missing, |key| Presented::Key(KeyDigest::of(key)));
        match decide(Question::for_api(catalog.into(), api).with_key(key)) {
            Decision::Allow(access) => Ok(access),
            Decision::Unmatched => Err(Denial::undecided(DenialReason::NoSuchApi)),
            Decision::Deny(denial) => Err(denial),
        }
    }

    /// The API that the request is for.
    #[must_use]
    pub fn api(&self) -> &Api {
        self.catalog.definitions().api(self.api)
    }

    /// The product that let the request in: that of the scope that fits, or the open
    /// product that contains the API.
    #[must_use]
    pub fn product(&self) -> Option<&Product> {
        Some(self.catalog.definitions().product(self.product?))
    }

    /// The subscription that let the request in. `None` for an anonymous caller.
    #[must_use]
    pub fn subscription(&self) -> Option<SubscriptionView<'_>> {
        let owner = self.owner.as_ref()?;
        Some(SubscriptionView::new(&self.catalog, owner))
    }

    /// Which of the subscription's keys was used.
    #[must_use]
    pub fn key_slot(&self) -> Option<KeySlot> {
        self.owner.as_ref().map(Owner::slot)
    }

    /// The scope of the subscription that fits.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        Some(self.catalog.definitions().scope(self.key?.scope))
    }

    /// The owner of the subscription. Also `None` for a standalone subscription.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.subscription()?.owner()
    }

    /// The digest of the key that fits, for asking again later.
    pub(crate) fn digest(&self) -> Option<KeyDigest> {
        self.key.map(|key| key.digest)
    }

    /// Whether the all-access subscription that every database has was used.
    pub(crate) fn is_by_all_access(&self) -> bool {
        self.key.is_some_and(|key| key.scope == Target::Service)
            && self.subscription().is_some_and(|s| s.id() == "master")
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("api", &self.api().id())
            .field("product", &self.product().map(Product::id))
            .field("subscription", &self.subscription().map(|s| s.id()))
            .field("key_slot", &self.key_slot())
            .finish()
    }
}
