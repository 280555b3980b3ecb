use std::fmt;
use std::sync::Arc;

use crate::catalog::{Api, ApiIndex, Catalog, Holder, KeySlot, Product, State, SubscriptionView};

/// Why a request was denied. For the operator only: the client is told
/// *missing* or *invalid* and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialReason {
    /// No key source is present in the request.
    MissingKey,
    /// The first source that is present holds an empty key.
    EmptyKey,
    /// The first source that is present holds more than one value.
    AmbiguousKey,
    /// The key is longer than 256 bytes.
    MalformedKey,
    /// No subscription has this key.
    UnknownKey,
    /// The subscription is in that state.
    Inactive(State),
    /// The subscription's `not_before` is still to come.
    NotYetValid,
    /// The subscription's `expires_at` is past.
    SubscriptionExpired,
    /// The key's own `expires_at` is past.
    KeyExpired,
    /// The subscription opens other APIs.
    OutOfScope,
    /// The request is for no API.
    NoSuchApi,
    /// The store could not say whose key it is.
    StoreUnavailable,
    /// The layer's settings cannot work; see
    /// [`ConfigError`](crate::layer::ConfigError).
    Misconfigured,
}

impl DenialReason {
    /// One word for logs and metrics, without the state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingKey => "missing",
            Self::EmptyKey => "empty",
            Self::AmbiguousKey => "ambiguous",
            Self::MalformedKey => "malformed",
            Self::UnknownKey => "unknown",
            Self::Inactive(_) => "inactive",
            Self::NotYetValid => "not_yet_valid",
            Self::SubscriptionExpired => "subscription_expired",
            Self::KeyExpired => "key_expired",
            Self::OutOfScope => "out_of_scope",
            Self::NoSuchApi => "no_such_api",
            Self::StoreUnavailable => "store_unavailable",
            Self::Misconfigured => "misconfigured",
        }
    }
}

/// A denied request, as its operator sees it. `Display` explains it in a
/// sentence. It never holds a key.
#[derive(Clone)]
pub struct Denial {
    /// `None` if the store could not give one.
    pub(super) catalog: Option<Arc<Catalog>>,
    pub(super) api: Option<ApiIndex>,
    pub(super) holder: Option<(Holder, KeySlot)>,
    pub(super) reason: DenialReason,
    pub(super) key_presented: bool,
}

impl Denial {
    /// A denial without a catalog: nothing could be decided.
    pub(crate) fn undecided(reason: DenialReason) -> Self {
        Self {
            catalog: None,
            api: None,
            holder: None,
            reason,
            key_presented: false,
        }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// Whether the request brought a key, so that the client is told *invalid*
    /// and not *missing*. An empty key is none.
    #[must_use]
    pub fn key_presented(&self) -> bool {
        self.key_presented
    }

    /// The API that the request is for.
    #[must_use]
    pub fn api(&self) -> Option<&Api> {
        Some(self.catalog.as_ref()?.definitions().api(self.api?))
    }

    /// The products that hold that API: a subscription to one of them would fit.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        let place = self.catalog.as_deref().zip(self.api);
        place.into_iter().flat_map(|(catalog, api)| {
            let definitions = catalog.definitions();
            let holders = definitions.holders(api).into_iter();
            holders.map(|product| definitions.product(product))
        })
    }

    /// The subscription that the key belongs to.
    #[must_use]
    pub fn subscription(&self) -> Option<SubscriptionView<'_>> {
        let (holder, _) = self.holder.as_ref()?;
        Some(SubscriptionView::new(self.catalog.as_ref()?, holder))
    }

    /// Which of its keys it is.
    #[must_use]
    pub fn key_slot(&self) -> Option<KeySlot> {
        self.holder.as_ref().map(|(_, slot)| *slot)
    }

    fn fmt_subscription(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.subscription(), self.key_slot()) {
            (Some(subscription), Some(slot)) => {
                write!(f, "the {slot} key of subscription {:?}", subscription.id())
            }
            _ => f.write_str("the key"),
        }
    }

    fn fmt_out_of_scope(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_subscription(f)?;
        f.write_str(" opens ")?;
        let scopes = self.subscription().map(|s| s.scopes()).unwrap_or_default();
        list(f, scopes.iter())?;
        let api = self.api().map_or("", Api::id);
        write!(f, "; API {api:?} would need / or /apis or /apis/{api}")?;
        for product in self.products() {
            write!(f, " or /products/{}", product.id())?;
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    for (at, item) in items.enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            DenialReason::MissingKey => f.write_str("the request brings no key"),
            DenialReason::EmptyKey => f.write_str("the request's key is empty"),
            DenialReason::AmbiguousKey => f.write_str("the request brings more than one key"),
            DenialReason::MalformedKey => f.write_str("the key is longer than 256 bytes"),
            DenialReason::UnknownKey => f.write_str("no subscription has this key"),
            DenialReason::Inactive(state) => {
                self.fmt_subscription(f)?;
                write!(f, " opens nothing: the subscription is {state}")
            }
            DenialReason::NotYetValid => {
                self.fmt_subscription(f)?;
                f.write_str(" opens nothing yet: the subscription's not_before is to come")
            }
            DenialReason::SubscriptionExpired => {
                self.fmt_subscription(f)?;
                f.write_str(" opens nothing more: the subscription's expires_at is past")
            }
            DenialReason::KeyExpired => {
                self.fmt_subscription(f)?;
                f.write_str(" opens nothing more: the key's expires_at is past")
            }
            DenialReason::OutOfScope => self.fmt_out_of_scope(f),
            DenialReason::NoSuchApi => f.write_str("the path belongs to no API"),
            DenialReason::StoreUnavailable => f.write_str("the store could not answer"),
            DenialReason::Misconfigured => f.write_str("the layer's settings cannot work"),
        }
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("reason", &self.reason)
            .field("api", &self.api().map(Api::id))
            .field("subscription", &self.subscription().map(|s| s.id()))
            .field("key_slot", &self.key_slot())
            .finish()
    }
}
