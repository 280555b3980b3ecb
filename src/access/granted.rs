use std::fmt;
use std::sync::Arc;

use crate::access::Grant;
use crate::catalog::{Api, Catalog, Holder, KeySlot, Product, ScopeRef, SubscriptionView};

/// How a request was let in: through which API, product and subscription.
///
/// The layer puts it into the request's extensions. It is one cheap clone, holds
/// the version of the catalog that decided, and never shows a key.
///
/// ```
/// use tower_subscription_key::Access;
///
/// fn who<B>(request: &http::Request<B>) -> String {
///     match request.extensions().get::<Access>() {
///         Some(access) => match access.subscription() {
///             Some(subscription) => subscription.id().to_owned(),
///             None => "anonymous".to_owned(),
///         },
///         None => "no layer, or an unknown path".to_owned(),
///     }
/// }
/// # assert_eq!(who(&http::Request::new(())), "no layer, or an unknown path");
/// ```
#[derive(Clone)]
pub struct Access {
    catalog: Arc<Catalog>,
    grant: Grant,
    /// The subscription whose key fits. `None` for an anonymous caller.
    holder: Option<Holder>,
}

impl Access {
    pub(super) fn new(
        catalog: Arc<Catalog>,
        grant: Grant,
        holder: Option<(Holder, KeySlot)>,
    ) -> Self {
        Self {
            catalog,
            grant,
            holder: holder.map(|(holder, _)| holder),
        }
    }

    /// The API that the request is for.
    #[must_use]
    pub fn api(&self) -> &Api {
        self.catalog.definitions().api(self.grant.api)
    }

    /// The product that let it in: the fitting scope's, or the open one.
    #[must_use]
    pub fn product(&self) -> Option<&Product> {
        let product = self.grant.product?;
        Some(self.catalog.definitions().product(product))
    }

    /// The subscription that let it in. `None` for an anonymous caller.
    #[must_use]
    pub fn subscription(&self) -> Option<SubscriptionView<'_>> {
        let holder = self.holder.as_ref()?;
        Some(SubscriptionView::new(&self.catalog, holder))
    }

    /// Which of the subscription's keys was used.
    #[must_use]
    pub fn key_slot(&self) -> Option<KeySlot> {
        self.grant.key.map(|(slot, _)| slot)
    }

    /// The scope of the subscription that fitted.
    #[must_use]
    pub fn scope(&self) -> Option<ScopeRef<'_>> {
        let (_, target) = self.grant.key?;
        Some(self.catalog.definitions().scope(target))
    }

    /// The owner of the subscription; `None` for a standalone one, too.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.subscription()?.owner()
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
