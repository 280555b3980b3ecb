use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::catalog::{CatalogError, KeySlot};
use crate::document::DocumentError;

/// An option that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConfigError {
    /// A URL, or certificates, that the client cannot use.
    #[error(
        "the Redis client does not accept its settings: use URLs like `redis://HOST:6379` or \
         `rediss://USER:PASSWORD@HOST`"
    )]
    Client {
        /// The error of the client.
        source: Cause,
    },
    /// A cluster without URLs.
    #[error("the cluster has no URL: give that of at least one node")]
    NoNodes,
    /// A prefix that cannot be a hash tag.
    #[error("the prefix is empty, or contains a brace or a control character")]
    Prefix,
    /// A duration of zero.
    #[error("`{setting}` is zero: set a longer time")]
    NoTime {
        /// The setting.
        setting: &'static str,
    },
    /// No tokio runtime to listen in.
    #[error("a task listens for changes: start the Redis store in a tokio runtime")]
    NoRuntime,
}

/// An error of the Redis client. Its type is not part of this API, so that the client
/// can be updated.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a query to Redis failed, or its answer cannot be used. None of these means
/// that a key is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisStoreError {
    /// No answer in time, or no connection in time.
    #[error("Redis did not answer in {after:?}")]
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// Redis cannot be reached, or returned an error.
    #[error("Redis could not be asked")]
    Redis {
        /// The error.
        source: Cause,
    },
    /// The answers on a connection did not belong to the questions, twice.
    #[error("Redis answered something other than what was asked")]
    Desynchronized,
    /// Redis has no catalog: it was emptied, never filled, or the prefix is another.
    #[error("Redis has no catalog under this prefix: publish one")]
    NoCatalog,
    /// Another version of this crate, with another layout, wrote the catalog.
    #[error("the catalog in Redis has a layout that this version cannot read: publish it again")]
    Layout,
    /// The entry for a key is not an owner of it.
    #[error(
        "the entry for this key in Redis is not an owner of it: publish the subscription again"
    )]
    Owner {
        /// What is wrong in the document.
        source: Option<DocumentError>,
    },
    /// The APIs and products are not a whole catalog document.
    #[error("the APIs and products in Redis are not a whole catalog document")]
    Definitions {
        /// What is wrong in the document. `None`: it does not have its digest.
        source: Option<DocumentError>,
    },
    /// Heartbeats that Redis accepted did not arrive.
    #[error("pushes from Redis do not arrive: the node may have left the cluster")]
    NoPushes,
    /// The queried replica has lost its master.
    #[error("this Redis is a replica that has lost its master: its catalog may be outdated")]
    MasterLost,
    /// The slot of the catalog is being moved to another node of the cluster, so that a
    /// staged catalog cannot replace the live one. Publishing waits for it for about 15
    /// seconds.
    #[error(
        "the slot of the catalog is moving to another node of the cluster: publish again when it \
         has moved"
    )]
    SlotMoves,
    /// The catalog was changed each time the key was looked up.
    #[error("the catalog was changed during the lookup")]
    Changed,
    /// The options cannot work.
    #[error("the options of the Redis store cannot work")]
    Options {
        /// Which one.
        #[from]
        source: RedisConfigError,
    },
    /// The APIs and products have not been read yet.
    #[error(
        "the APIs and products have not been read from Redis yet{}",
        cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default()
    )]
    NotLoaded {
        /// Why the last attempt failed.
        cause: Option<Arc<str>>,
    },
}

/// Why a change was not published, or not completely.
///
/// After [`Store`](Self::Store) a change may have been made, if its answer was lost;
/// doing it again is safe. After [`NotPushed`](Self::NotPushed) it was made. After all
/// others nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisPublishError {
    /// Redis could not be queried, or has no catalog to change.
    #[error("the change could not be published")]
    Store {
        /// Why.
        #[from]
        source: RedisStoreError,
    },
    /// The change does not fit into the published catalog.
    #[error("the change does not fit into the published catalog")]
    Catalog {
        /// What is wrong.
        #[from]
        source: CatalogError,
    },
    /// Another subscription has one of the keys.
    #[error("the published subscription `{other}` has the same key as its {slot} key")]
    KeyTaken {
        /// The id of the other subscription.
        other: String,
        /// Its slot with the key.
        slot: KeySlot,
    },
    /// The change is made, but stores learn of it only when they next ask.
    #[error(
        "the change is made, but not pushed: give the user the right to publish on `{channel}` \
         ({reason})"
    )]
    NotPushed {
        /// The channel.
        channel: String,
        /// What Redis says.
        reason: String,
        /// The new revision.
        revision: u64,
    },
    /// The staged catalog was gone before it was complete: publishing took longer than
    /// Redis keeps it, or Redis was emptied.
    #[error("the staged catalog was lost: publish it again")]
    Lost,
    /// Other publishers changed the catalog at each attempt.
    #[error("other publishers keep changing the catalog: try again")]
    Contended,
}

impl RedisStoreError {
    /// An error of Redis can repeat the command, and with it the digest that was asked
    /// for: such a text is left out.
    pub(super) fn of(error: RedisError, digest: Option<&str>) -> Self {
        if error.kind() == ErrorKind::Server(ServerErrorKind::TryAgain) {
            return Self::SlotMoves;
        }
        let text = error.to_string();
        let source: Cause = match digest {
            Some(digest) if text.contains(digest.get(..16).unwrap_or(digest)) => {
                "Redis refused the command".into()
            }
            _ => text.into(),
        };
        Self::Redis { source }
    }

    pub(super) fn unexpected() -> Self {
        let source = "the answer does not have the form that was expected".into();
        Self::Redis { source }
    }

    /// Whether the error is about a single key, so that it says nothing about others.
    pub(super) fn is_about_one_key(&self) -> bool {
        matches!(self, Self::Owner { .. })
    }
}
