use std::sync::Arc;
use std::time::SystemTime;

use crate::catalog::{Catalog, Metadata, Scope, Scopes, Subscription};

/// The subscription of a key, for as long as the request lives.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    /// By its place among the packed subscriptions of the catalog.
    Packed(u32),
    /// A subscription that is not packed.
    Shared(Arc<Subscription>),
}

/// The subscription of a caller, as later layers see it, without keys and digests.
#[derive(Debug, Clone, Copy)]
pub struct SubscriptionView<'a> {
    catalog: &'a Catalog,
    holder: &'a Holder,
}

impl<'a> SubscriptionView<'a> {
    pub(crate) fn new(catalog: &'a Catalog, holder: &'a Holder) -> Self {
        Self { catalog, holder }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        match self.holder {
            Holder::Packed(at) => self.catalog.packed().id(*at),
            Holder::Shared(subscription) => subscription.id(),
        }
    }

    /// The name for people, or the id.
    #[must_use]
    pub fn display_name(&self) -> &'a str {
        match self.holder {
            Holder::Packed(at) => self.catalog.packed().display_name(*at),
            Holder::Shared(subscription) => subscription.display_name(),
        }
    }

    /// The owner. `None`: it is standalone.
    #[must_use]
    pub fn owner(&self) -> Option<&'a str> {
        match self.holder {
            Holder::Packed(at) => self.catalog.packed().owner(*at),
            Holder::Shared(subscription) => subscription.owner(),
        }
    }

    /// Its values for later layers.
    #[must_use]
    pub fn metadata(&self) -> &'a Metadata {
        match self.holder {
            Holder::Packed(at) => self.catalog.packed().metadata(*at),
            Holder::Shared(subscription) => subscription.metadata(),
        }
    }

    /// Its scopes.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        self.raw_scopes().to_scopes(self.catalog.definitions())
    }

    /// The time from which it is no longer valid.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self.holder {
            Holder::Packed(at) => self.catalog.packed().expires_at(*at),
            Holder::Shared(subscription) => subscription.expires_at(),
        }
    }

    pub(crate) fn raw_scopes(&self) -> Scopes<'a> {
        match self.holder {
            Holder::Packed(at) => self.catalog.packed().scopes(*at),
            Holder::Shared(subscription) => Scopes::Named(subscription.scopes()),
        }
    }
}
