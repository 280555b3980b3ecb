use std::time::SystemTime;

use crate::catalog::{Catalog, Metadata, Owner, Scope, Scopes};

/// The subscription of a caller, as later layers see it, without keys and digests.
#[derive(Debug, Clone, Copy)]
pub struct SubscriptionView<'a> {
    catalog: &'a Catalog,
    owner: &'a Owner,
}

impl<'a> SubscriptionView<'a> {
    pub(crate) fn new(catalog: &'a Catalog, owner: &'a Owner) -> Self {
        Self { catalog, owner }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        match self.owner {
            Owner::Packed(key) => self.catalog.packed().id(key.subscription()),
            Owner::Shared(owner) => owner.subscription().id(),
        }
    }

    /// The name for people, or the id.
    #[must_use]
    pub fn display_name(&self) -> &'a str {
        match self.owner {
            Owner::Packed(key) => self.catalog.packed().display_name(key.subscription()),
            Owner::Shared(owner) => owner.subscription().display_name(),
        }
    }

    /// The owner. `None`: it is standalone.
    #[must_use]
    pub fn owner(&self) -> Option<&'a str> {
        match self.owner {
            Owner::Packed(key) => self.catalog.packed().owner(key.subscription()),
            Owner::Shared(owner) => owner.subscription().owner(),
        }
    }

    /// Its values for later layers.
    #[must_use]
    pub fn metadata(&self) -> &'a Metadata {
        match self.owner {
            Owner::Packed(key) => self.catalog.packed().metadata(key.subscription()),
            Owner::Shared(owner) => owner.subscription().metadata(),
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
        match self.owner {
            Owner::Packed(key) => self.catalog.packed().expires_at(key.subscription()),
            Owner::Shared(owner) => owner.subscription().expires_at(),
        }
    }

    pub(crate) fn raw_scopes(&self) -> Scopes<'a> {
        match self.owner {
            Owner::Packed(key) => self.catalog.packed().scopes(key.subscription()),
            Owner::Shared(owner) => Scopes::Named(owner.subscription().scopes()),
        }
    }
}
