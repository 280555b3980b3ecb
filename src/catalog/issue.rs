use std::fmt;

use crate::catalog::{HeldKey, IdError, KeySlot, Scope};

/// A catalog that is refused, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError {
    issues: Vec<Issue>,
}

impl CatalogError {
    /// `Err` with the issues, if there are any.
    pub(crate) fn check(issues: Vec<Issue>) -> Result<(), Self> {
        if issues.is_empty() {
            Ok(())
        } else {
            Err(Self { issues })
        }
    }

    /// Everything that is wrong, in the order of the catalog.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the catalog is refused")?;
        for issue in &self.issues {
            write!(f, "\n  {issue}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogError {}

/// One thing that is wrong with a catalog, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// In which API, product or subscription.
    pub entity: Entity,
    /// In which of its fields.
    pub field: Field,
    /// What is wrong.
    pub kind: IssueKind,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entity {
            Entity::Catalog => write!(f, "{}", self.kind),
            entity => write!(f, "{entity}, {}: {}", self.field, self.kind),
        }
    }
}

/// An API, a product or a subscription, by its place among its like and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entity {
    /// The catalog as a whole.
    Catalog,
    /// An API.
    Api {
        /// Its place among the APIs, from 0.
        index: usize,
        /// Its id.
        id: String,
    },
    /// A product.
    Product {
        /// Its place among the products, from 0.
        index: usize,
        /// Its id.
        id: String,
    },
    /// A subscription.
    Subscription {
        /// Its place among the subscriptions, from 0.
        index: usize,
        /// Its id.
        id: String,
    },
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog => f.write_str("catalog"),
            Self::Api { id, .. } => write!(f, "API {id:?}"),
            Self::Product { id, .. } => write!(f, "product {id:?}"),
            Self::Subscription { id, .. } => write!(f, "subscription {id:?}"),
        }
    }
}

/// A field of an API, a product or a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// All of it.
    Whole,
    /// `id`.
    Id,
    /// `path`.
    Path,
    /// `apis`, at that place.
    Apis(usize),
    /// `subscription_required`.
    SubscriptionRequired,
    /// `scope` or `scopes`, at that place.
    Scope(usize),
    /// `primary_key` or `secondary_key`.
    Key(KeySlot),
    /// `retired_keys`, the one of that slot.
    RetiredKey(KeySlot),
}

impl From<HeldKey> for Field {
    fn from(held: HeldKey) -> Self {
        if held.retired {
            Self::RetiredKey(held.slot)
        } else {
            Self::Key(held.slot)
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("as a whole"),
            Self::Id => f.write_str("id"),
            Self::Path => f.write_str("path"),
            Self::Apis(_) => f.write_str("apis"),
            Self::SubscriptionRequired => f.write_str("subscription_required"),
            Self::Scope(_) => f.write_str("scope"),
            Self::Key(slot) => write!(f, "{slot}_key"),
            Self::RetiredKey(slot) => write!(f, "retired_keys, {slot}"),
        }
    }
}

/// What is wrong. The texts say what to do and never hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueKind {
    /// There is no API.
    #[error("a catalog without any API opens nothing: add one, or remove the file")]
    NoApis,
    /// An id that breaks the rule.
    #[error(transparent)]
    Id(#[from] IdError),
    /// An id that another of its like has already.
    #[error("this id is taken by an earlier one: choose another")]
    DuplicateId,
    /// A path that neither is empty nor begins with `/`.
    #[error("a path is empty or begins with `/`")]
    Path,
    /// Two APIs with one path.
    #[error("API {other:?} has the same path: requests could belong to either")]
    DuplicatePath {
        /// The API that has it already.
        other: String,
    },
    /// A product with an API that is not there.
    #[error("there is no API {api:?}: add it, or take it out of the product")]
    UnknownApi {
        /// The id that names nothing.
        api: String,
    },
    /// An API in two open products.
    #[error(
        "API {api:?} is already in the open product {other:?}, and an API is in at most one: \
         set subscription_required = true on one of them"
    )]
    SecondOpenProduct {
        /// The API that both hold.
        api: String,
        /// The open product that stands first.
        other: String,
    },
    /// A subscription without scope.
    #[error("a subscription opens something: give it a scope")]
    NoScope,
    /// A scope that names an API or product that is not there.
    #[error("{scope} names nothing: add it, or correct the id")]
    UnknownScope {
        /// The scope.
        scope: Scope,
    },
    /// A subscription without keys.
    #[error("a subscription has a primary_key, a secondary_key or both: give it one")]
    NoKey,
    /// A key of no or more than 256 bytes.
    #[error("a key has 1 to 256 bytes")]
    KeyLength,
    /// Two equal keys of one subscription.
    #[error("two of its keys are the same: replacing one would not leave the other")]
    SameKeys,
    /// A retired key without an end.
    #[error("a retired key must end: give it an expires_at")]
    RetiredKeyWithoutExpiry,
    /// A key that another subscription has.
    #[error("this key is already the {slot} key of subscription {other:?}: make a new one")]
    DuplicateKey {
        /// The subscription that has it.
        other: String,
        /// In which slot.
        slot: KeySlot,
    },
    /// Something that is still referred to cannot be removed.
    #[error("still in use by {by}: remove or change that first")]
    InUse {
        /// The first that refers to it.
        by: Entity,
    },
    /// The only API cannot be removed: a catalog has at least one.
    #[error("it is the only API, and a catalog without any opens nothing: add another one first")]
    LastApi,
    /// More subscriptions, keys or text than one catalog can hold.
    #[error("a catalog holds at most 134 million subscriptions and 4 GiB of ids")]
    TooLarge,
}
