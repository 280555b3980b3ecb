use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;

use crate::catalog::{CatalogError, KeySlot};
use crate::document::DocumentError;

/// Options that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConfigError {
    /// A URL, or the certificates, that the client cannot use.
    #[error(
        "the Redis client refuses its settings: give URLs like `redis://HOST:6379` or `rediss://USER:PASSWORD@HOST`"
    )]
    Client {
        /// Why.
        source: Cause,
    },
    /// A cluster without a node to begin with.
    #[error("no node of the cluster is given: give the URL of at least one")]
    NoNodes,
    /// A prefix that cannot be a hash tag.
    #[error("the prefix is empty, or has a brace or a control character in it")]
    Prefix,
    /// A time that must pass, but is zero.
    #[error("`{setting}` is zero: give it a time that is longer")]
    NoTime {
        /// The setting.
        setting: &'static str,
    },
    /// There is no tokio runtime to listen in.
    #[error("a Redis store listens for changes in a tokio runtime only")]
    NoRuntime,
}

/// The Redis client's own error. It is of no type that this crate promises, so
/// that the client can be exchanged for a newer one.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why Redis could not be asked, or its answer not be used.
///
/// None of these ever means that a key is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisStoreError {
    /// No answer came in time, or no connection to ask for one.
    #[error("Redis did not answer in {after:?}")]
    TimedOut {
        /// The time-out.
        after: Duration,
    },
    /// Redis cannot be reached, or refuses.
    #[error("Redis could not be asked")]
    Redis {
        /// Why.
        source: Cause,
    },
    /// Redis answers, but holds no catalog: it was emptied, or never filled, or
    /// the prefix is another.
    #[error("Redis holds no catalog under this prefix: publish one")]
    NoCatalog,
    /// What Redis holds was written by a version of this crate with another
    /// layout.
    #[error("the catalog in Redis has a layout that this version does not read: publish it again")]
    Layout,
    /// What Redis holds for a key is no owner of it.
    #[error("what Redis holds for this key is not an owner of it")]
    Owner {
        /// Everything that is wrong, where it is not even a document.
        source: Option<DocumentError>,
    },
    /// The APIs and products in Redis are no whole catalog document.
    #[error("the APIs and products in Redis are not a whole catalog document")]
    Definitions {
        /// Everything that is wrong, where it is not what its digest says.
        source: Option<DocumentError>,
    },
    /// The catalog was changed each time that the key was asked for.
    #[error("the catalog was changed while it was asked")]
    Changed,
    /// The options cannot work.
    #[error("the options of the Redis store cannot work")]
    Options {
        /// Why.
        #[from]
        source: RedisConfigError,
    },
    /// The APIs and products were not read yet.
    #[error("the APIs and products were never read")]
    NotLoaded {
        /// Why not, if it was tried.
        source: Option<Arc<RedisStoreError>>,
    },
}

/// Why nothing was published. The remote server is as it was, but for
/// [`Store`](Self::Store): a change whose answer was lost may have been made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisPublishError {
    /// Redis could not be asked, or holds no catalog that a single change could
    /// be made to.
    #[error("nothing was published")]
    Store {
        /// Why.
        #[from]
        source: RedisStoreError,
    },
    /// It does not fit into the catalog that is there.
    #[error("this does not fit into the published catalog")]
    Catalog {
        /// Everything that does not.
        #[from]
        source: CatalogError,
    },
    /// Another subscription has one of the keys.
    #[error("the published subscription `{other}` has the same key as its {slot} key")]
    KeyTaken {
        /// The other subscription's id.
        other: String,
        /// In which of the other's slots.
        slot: KeySlot,
    },
    /// The catalog that was written was gone before it was whole: publishing took
    /// longer than Redis keeps the parts, or it was emptied meanwhile.
    #[error("the catalog was lost while it was written: publish it again")]
    Lost,
    /// Others changed the APIs and products each time this was tried.
    #[error("the published APIs and products keep changing: try again")]
    Contended,
}

impl RedisStoreError {
    /// A refusal can repeat the command, and with it the digest that was asked
    /// for: that is not told on.
    pub(super) fn of(error: RedisError, digest: Option<&str>) -> Self {
        let told = error.to_string();
        let source: Cause = match digest {
            Some(digest) if told.contains(digest.get(..16).unwrap_or(digest)) => {
                "Redis refused the command".into()
            }
            _ => error.into(),
        };
        Self::Redis { source }
    }
}
