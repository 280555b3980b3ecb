use std::fmt;

use crate::catalog::validate::clipped;
use crate::catalog::{HeldKey, IdError, KeySlot, KeyTextError, MetadataError, PathError, Scope};

/// One thing that is wrong with a catalog, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// The API, product or subscription. `None`: the catalog as a whole.
    pub entity: Option<Entity>,
    /// The field of it.
    pub field: Field,
    /// What is wrong.
    pub kind: IssueKind,
}

impl Issue {
    pub(crate) fn new(entity: Entity, field: Field, kind: IssueKind) -> Self {
        let entity = Some(entity);
        Self {
            entity,
            field,
            kind,
        }
    }

    pub(crate) fn of_catalog(kind: IssueKind) -> Self {
        let (entity, field) = (None, Field::Whole);
        Self {
            entity,
            field,
            kind,
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entity {
            None => write!(f, "{}", self.kind),
            Some(entity) => write!(f, "{entity}, {}: {}", self.field, self.kind),
        }
    }
}

/// An API, a product or a subscription, by its position in its list and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entity {
    /// The kind.
    pub kind: EntityKind,
    /// Its position in its list, from 0. In a change, the position of a subscription
    /// among the changed ones.
    pub index: usize,
    /// Its id, cut after 256 characters: longer ones are invalid.
    pub id: String,
}

impl Entity {
    /// The entity at a position of its list, with the given id.
    #[must_use]
    pub fn new(kind: EntityKind, index: usize, id: &str) -> Self {
        let id = clipped(id);
        Self { kind, index, id }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.id)
    }
}

/// The kinds of entities in a catalog, each of which has its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// An API.
    Api,
    /// A product.
    Product,
    /// A subscription.
    Subscription,
}

impl EntityKind {
    /// All kinds, in the order of a catalog document.
    pub const ALL: [Self; 3] = [Self::Api, Self::Product, Self::Subscription];
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "API",
            Self::Product => "product",
            Self::Subscription => "subscription",
        })
    }
}

/// A field of an API, a product or a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// All of it.
    Whole,
    /// `id`.
    Id,
    /// `display_name`.
    DisplayName,
    /// `path`.
    Path,
    /// `apis`, at that position.
    Apis(usize),
    /// `subscription_required`.
    SubscriptionRequired,
    /// `scope` or `scopes`, at that position.
    Scope(usize),
    /// `primary_key` or `secondary_key`.
    Key(KeySlot),
    /// `retired_keys`, the one of that slot.
    RetiredKey(KeySlot),
    /// `metadata`.
    Metadata,
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
            Self::DisplayName => f.write_str("display_name"),
            Self::Path => f.write_str("path"),
            Self::Apis(_) => f.write_str("apis"),
            Self::SubscriptionRequired => f.write_str("subscription_required"),
            Self::Scope(_) => f.write_str("scope"),
            Self::Key(slot) => write!(f, "{slot}_key"),
            Self::RetiredKey(slot) => write!(f, "retired_keys, {slot}"),
            Self::Metadata => f.write_str("metadata"),
        }
    }
}

/// What is wrong. The texts say what to do. They never contain a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueKind {
    /// There is no API.
    #[error("a catalog without APIs denies every request: add one")]
    NoApis,
    /// A part of the catalog could not be read. The reader says which.
    #[error("a part of the catalog could not be read")]
    Incomplete,
    /// An invalid id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// An id that an earlier API, product or subscription has.
    #[error("this id is taken by an earlier one: choose another")]
    DuplicateId,
    /// A display name with a control character.
    #[error("a display name must not contain control characters: remove them")]
    ControlCharacter,
    /// An invalid path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Two APIs with the same path.
    #[error("API {other:?} has the same path: requests could belong to either")]
    DuplicatePath {
        /// The API that has it already.
        other: String,
    },
    /// Two APIs with paths that differ only in a way that other services clean up.
    #[error(
        "API {other:?} has a path that decoders and path normalizers read as the same: requests \
         could belong to either"
    )]
    SamePathReading {
        /// The API that has the other path.
        other: String,
    },
    /// A product with an API that does not exist.
    #[error(
        "there is no API {api:?}: {}",
        meant(nearest, "add it, or remove it from the product")
    )]
    UnknownApi {
        /// The unknown id.
        api: String,
        /// A similar id that exists.
        nearest: Option<String>,
    },
    /// An API in two open products.
    #[error(
        "API {api:?} is already in the open product {other:?}, and an API is in at most one: \
         set subscription_required = true on one of them"
    )]
    SecondOpenProduct {
        /// The API that both contain.
        api: String,
        /// The open product that comes first.
        other: String,
    },
    /// A subscription without scopes.
    #[error("a subscription needs a scope: add one, such as `/products/starter`")]
    NoScope,
    /// A scope that names an API or product that does not exist.
    #[error(
        "{} does not exist: {}",
        named(scope),
        meant(nearest, "add it, or correct the id")
    )]
    UnknownScope {
        /// The scope.
        scope: Scope,
        /// A similar scope that exists.
        nearest: Option<Scope>,
    },
    /// A subscription without a primary or secondary key.
    #[error("a subscription needs a primary_key, a secondary_key or both: add one")]
    NoKey,
    /// Text that cannot be a key.
    #[error(transparent)]
    Key(#[from] KeyTextError),
    /// Two equal keys of one subscription.
    #[error("two of its keys are the same: replacing one would not leave the other")]
    SameKeys,
    /// A retired key without an end.
    #[error("a retired key must end: give it an expires_at")]
    RetiredKeyWithoutExpiry,
    /// A second retired key of the same slot.
    #[error("a slot has at most one retired key: keep the one that was replaced last")]
    SecondRetiredKey,
    /// A key that another subscription has.
    #[error("this key is already the {slot} key of subscription {other:?}: make a new one")]
    DuplicateKey {
        /// The subscription that has it.
        other: String,
        /// In which slot.
        slot: KeySlot,
    },
    /// Metadata beyond its limits.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Something that is still referred to cannot be removed.
    #[error("still in use by {by}: remove or change that first")]
    InUse {
        /// The first that refers to it.
        by: Entity,
    },
    /// The last API cannot be removed: a catalog has at least one.
    #[error(
        "it is the only API, and a catalog without APIs denies every request: add another one first"
    )]
    LastApi,
    /// More subscriptions, keys or text than one catalog can hold.
    #[error("a catalog holds at most 134 million subscriptions and 4 GiB of ids")]
    TooLarge,
}

fn meant(nearest: &Option<impl fmt::Display>, otherwise: &str) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => otherwise.to_owned(),
    }
}

/// A scope from code may have any characters in its id.
fn named(scope: &Scope) -> String {
    scope.to_string().escape_debug().to_string()
}
