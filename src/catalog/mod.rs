//! APIs, products and subscriptions, and the [`Catalog`]: all of them as one
//! consistent, validated version.
//!
//! A changed catalog is a new version: see [`Catalog::apply`]. What breaks a rule is
//! refused with all issues at once ([`CatalogError`]). This module knows nothing of
//! HTTP requests and stores.

mod api;
mod build;
mod change;
mod definitions;
mod error;
mod issue;
mod key;
pub(crate) mod live;
mod metadata;
mod near;
mod overlay;
mod owner;
mod packed;
mod paths;
mod places;
mod product;
mod scope;
mod state;
mod subscription;
#[cfg(test)]
mod tests;
mod time;
pub(crate) mod validate;
mod version;
mod view;

pub use api::Api;
pub use build::CatalogBuilder;
pub use change::Change;
pub use error::CatalogError;
pub use issue::{Entity, EntityKind, Field, Issue, IssueKind};
pub use key::{KeySlot, KeyTextError, SubscriptionKey};
pub use metadata::{MAX_METADATA_BYTES, MAX_METADATA_DEPTH, Metadata, MetadataError};
pub use owner::KeyOwner;
pub use product::Product;
pub use scope::{Scope, ScopeParseError};
pub use state::State;
pub use subscription::Subscription;
pub use validate::{IdError, MAX_ID_CHARS, PathError};
pub use version::Catalog;
pub use view::SubscriptionView;

pub(crate) use definitions::{ApiIndex, Definitions, ProductIndex, Target};
pub(crate) use live::Live;
pub(crate) use near::nearest;
pub(crate) use owner::{Claim, HeldKey, Owner, Scopes};
pub(crate) use paths::Matched;
pub(crate) use time::{Timestamp, Validity};
