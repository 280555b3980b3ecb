#[cfg(feature = "timeout")]
use std::time::Duration;

use crate::catalog::CatalogError;
use crate::key::KeyNameError;
use crate::response::ChallengeError;

/// Settings that cannot work.
///
/// A setter returns it for a value that is always wrong, and
/// [`SubscriptionKeyLayer::validate`](crate::SubscriptionKeyLayer::validate) for
/// what depends on other settings or on the store. A layer that is used without
/// having been validated denies every request with 503 and logs the error: it
/// never lets a request in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A name that cannot carry a key.
    #[error(transparent)]
    KeyName(#[from] KeyNameError),
    /// The list of key sources is empty.
    #[error(
        "there is no key source: give `sources` at least one, for example `KeySource::header()`"
    )]
    NoSource,
    /// A header or query name is set, but no key source uses it.
    #[error(
        "a {kind} name is set, but no key source uses it: add `KeySource::{kind}()` to the sources, \
         or remove the name"
    )]
    UnusedName {
        /// `header` or `query`.
        kind: &'static str,
    },
    /// The challenge cannot be written.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// The layer is set to an API that the catalog does not have.
    #[error(
        "the layer is set to API {id:?}, which the catalog does not have: add it, or correct the id"
    )]
    UnknownApi {
        /// The id that the layer is set to.
        id: String,
    },
    /// The store knows keys only, and the layer has no APIs.
    #[error("the store knows keys but no APIs: give the layer some with `single_api` or `catalog`")]
    NoApis,
    /// Both the store and the layer have APIs.
    #[error("the store has its own APIs and products: remove `catalog` or `single_api`")]
    TwoCatalogs,
    /// The APIs of the layer are not valid.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// The store changed its definitions during each lookup for a request.
#[derive(Debug, thiserror::Error)]
#[error("the store changed its APIs and products during each of {lookups} lookups")]
pub(super) struct ChangedTooOften {
    pub(super) lookups: u32,
}

/// Why a lookup has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError<E: std::error::Error> {
    #[error(transparent)]
    Store(E),
    #[cfg(feature = "timeout")]
    #[error("the store did not answer within {0:?}")]
    TimedOut(Duration),
}
