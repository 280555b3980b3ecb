use crate::catalog::CatalogError;
use crate::key::KeyNameError;
use crate::response::ChallengeError;

/// Settings that cannot work.
///
/// [`SubscriptionKeyLayer::check`](crate::SubscriptionKeyLayer::check) tells them
/// before the first request. A layer with such settings that serves all the same
/// answers every request with 503 and logs the sentence: it never lets one in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A name under which no key can travel.
    #[error(transparent)]
    KeyName(#[from] KeyNameError),
    /// An empty list of key sources.
    #[error(
        "there is no place to take a key from: give `sources` at least one, \
         for example `KeySource::header()`"
    )]
    NoSource,
    /// A header or query name for a source that is not in the list.
    #[error(
        "a {kind} name is set, but the key sources have no `KeySource::{kind}()`: \
         add that source, or take the name away"
    )]
    UnusedName {
        /// `header` or `query`.
        kind: &'static str,
    },
    /// A challenge that cannot be written.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// A fixed API that the catalog does not have.
    #[error("the catalog has no API {id:?}, which the layer is set to: add it, or correct the id")]
    UnknownApi {
        /// The id that the layer was given.
        id: String,
    },
    /// The store knows keys only, and the layer was given no APIs.
    #[error("the store knows keys but no APIs: give the layer some with `single_api` or `catalog`")]
    NoApis,
    /// Both the store and the layer have APIs.
    #[error("the store brings its own APIs and products: take `catalog` or `single_api` away")]
    TwoCatalogs,
    /// The APIs given to the layer do not fit together.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Why a request was given up whose key was looked up several times.
#[derive(Debug, thiserror::Error)]
#[error("the store exchanged its catalog during each of {lookups} lookups")]
pub(super) struct Exchanged {
    pub(super) lookups: u32,
}
