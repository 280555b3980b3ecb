//! [`RedisStore`]: one catalog in Redis for a fleet of services. Changes are pushed to
//! all of them.
//!
//! ```no_run
//! use tower_subscription_key::SubscriptionKeyLayer;
//! use tower_subscription_key::store::redis::RedisStore;
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::builder("redis://127.0.0.1:6379").open().await?;
//! let layer = SubscriptionKeyLayer::new(store.cached()?);
//! # Ok(()) }
//! ```
//!
//! [`RedisPublisher`] fills it. It works with Redis 6 and later and servers that speak
//! its protocol, standalone or as a cluster, and with TLS (`rediss://` URLs). It is
//! tested with Redis 7.0.
//!
//! # What requests get
//!
//! | Redis | key not in the cache | key in the cache |
//! |---|---|---|
//! | answers | found or unknown | the same, without asking |
//! | is down, hangs, or is not connected yet | 503 | served for `found_for`, then stale for `stale_for`, then 503 |
//! | was emptied, or restarted empty | 503 | the same |
//! | has a corrupt entry for this key | 503 for this key only | the same |
//! | has a layout or definitions that cannot be read | 503 | the same, by the last good definitions |
//! | is reached again | found or unknown | confirmed by a lookup; stale if that fails |
//! | has gone back to an older revision | by that revision, with an error in log and status | confirmed by a lookup |
//! | was never reached | 503 for every request | |
//!
//! # One version for each request
//!
//! One script reads a key and the version of the definitions (APIs and products) that
//! its owner belongs to. The answer carries both, and the request is decided on this
//! pair. If the definitions are new to the store, the same script returns them. So a
//! catalog that is exchanged many times a second costs no 503. The script also repeats
//! the digest that was asked for: an answer to another question is recognised, and its
//! connection is replaced.
//!
//! # In Redis
//!
//! One hash, `{tsk}:catalog`; `tsk` is the [prefix](RedisOptions::with_prefix):
//!
//! | field | value |
//! |---|---|
//! | the digest of a key, in hex | its owner: [`document::owner_to_json`](crate::document::owner_to_json) |
//! | `#` and the id of a subscription | its digests, separated by commas |
//! | `@definitions` | the APIs and products, as a catalog document in JSON |
//! | `@definitions-sha256` | the digest of that document |
//! | `@format` | `1` |
//! | `@revision` | a number that grows with every change: at least the time in milliseconds, so that it also grows after a failover that lost changes |
//!
//! It is one hash because a cluster changes only one slot atomically, and because Redis
//! can then lose only all of it: a single key that was evicted would look unknown. So
//! one node of a cluster holds the whole catalog (1.1 kB for each subscription with two
//! keys) and serves all lookups.
//!
//! A message on the channel `{tsk}:changes` has the revision in its first line, then
//! `all`, `definitions`, or `subscription DIGESTS ID` in a line for each change. Without
//! a change it is a heartbeat.
//!
//! | user | rights |
//! |---|---|
//! | store | `EVAL`, `HMGET`, `HGET` on `{tsk}:catalog`; `SUBSCRIBE`, `PUBLISH` on `{tsk}:changes`; `PING`, `ROLE`; in a cluster `CLUSTER SLOTS` |
//! | publisher | in addition `HSET`, `HDEL`, `HLEN`, `EXISTS`, `EXPIRE`, `PERSIST`, `RENAME`, `UNLINK`, `TIME` on `{tsk}:*` |
//!
//! A store without the right to `PUBLISH` tests its connection by `PING` instead of a
//! heartbeat, and without `ROLE` it does not notice that its replica has lost its master.
//!
//! # Pushes
//!
//! Each store listens in a background task, and calls its watchers
//! ([`RedisStore::watch_invalidations`]); the cache made by [`RedisStore::cached`] is
//! one. If the channel is silent, a store publishes a heartbeat:
//! [`RedisStore::is_listening`] means that something arrived within its time. In a
//! cluster it listens at any node that the cluster names.
//!
//! After pushes may have been missed, every cached key is confirmed by a lookup. While
//! pushes do not arrive, a key that was suspended can be allowed for the rest of its
//! `found_for`, or, if lookups fail too, until `stale_for` is over. Make those shorter,
//! or see [`RedisStoreBuilder::forget_while_not_listening`].

mod builder;
mod connect;
mod definitions;
mod error;
mod follower;
mod layout;
mod link;
mod listen;
mod message;
mod nodes;
mod options;
mod publish;
mod source;

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::replica::{FollowTask, StoreStatus};
use crate::store::{
    Answer, CacheConfigError, CachedStore, CachedStoreBuilder, Holdings, Invalidation,
    SubscriptionStore,
};

pub use builder::RedisStoreBuilder;
pub use error::{Cause, RedisConfigError, RedisPublishError, RedisStoreError};
pub use options::RedisOptions;
pub use publish::RedisPublisher;

use follower::Follower;

/// A catalog in Redis. See the [module](self).
///
/// It asks Redis for every key: put a [`CachedStore`] around it with
/// [`cached`](Self::cached). Clones are handles to the same store; the background task
/// ends with the last one. If the runtime of that task is shut down before, the status
/// says so, and the next request starts the task again in its own runtime.
#[derive(Clone)]
pub struct RedisStore {
    handles: Arc<Handles>,
}

struct Handles {
    follower: Arc<Follower>,
    task: FollowTask,
}

impl RedisStore {
    /// A builder of a store on the given Redis: a URL, or [`RedisOptions`].
    pub fn builder(options: impl Into<RedisOptions>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(options.into())
    }

    /// A cache around this store that follows every change.
    ///
    /// # Errors
    ///
    /// None with the default settings.
    pub fn cached(self) -> Result<CachedStore<Self>, CacheConfigError> {
        self.cached_with(|settings| settings)
    }

    /// A cache with other settings around this store. It follows every change.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn cache(store: tower_subscription_key::store::redis::RedisStore)
    /// #     -> Result<(), Box<dyn std::error::Error>> {
    /// let store = store.cached_with(|cache| cache.found_for(Duration::from_secs(300)))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CacheConfigError`] if a setting cannot work.
    pub fn cached_with(
        self,
        settings: impl FnOnce(CachedStoreBuilder<Self>) -> CachedStoreBuilder<Self>,
    ) -> Result<CachedStore<Self>, CacheConfigError> {
        let follower = Arc::clone(&self.handles.follower);
        let builder = CachedStore::builder(self)
            .errors_about_one_key(RedisStoreError::is_about_one_key)
            .source(follower.replica.source().to_owned());
        let cache = settings(builder).build()?;
        cache.follow(&follower.watchers);
        Ok(cache)
    }

    /// Calls `watcher` with every change, as long as the store lives.
    ///
    /// The listening task calls it and waits for it, so it must be quick. It must hold
    /// no handle to this store, or the store never ends.
    pub fn watch_invalidations(&self, watcher: impl Fn(&Invalidation) + Send + Sync + 'static) {
        self.handles.follower.watchers.add(watcher);
    }

    /// Whether pushes arrive: something was heard within the time for a heartbeat.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.handles.follower.is_listening()
    }

    /// Waits until pushes arrive.
    pub async fn listening(&self) {
        self.handles.follower.listening().await;
    }

    /// The state of the store: the revision in use, when it was last confirmed by
    /// Redis, when a change was last pushed, and what is wrong.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.handles.follower.replica.status()
    }

    /// Announces every change of the [status](Self::status).
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<StoreStatus> {
        self.handles.follower.replica.watch_status()
    }
}

impl SubscriptionStore for RedisStore {
    type Error = RedisStoreError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, RedisStoreError> {
        Ok(self.lookup(key).await?.into_owner())
    }

    async fn lookup(&self, key: &KeyDigest) -> Result<Answer, RedisStoreError> {
        self.handles.follower.lookup(key).await
    }

    fn holdings(&self) -> Result<Holdings, RedisStoreError> {
        self.handles.task.ensure_running();
        self.handles.follower.holdings()
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("source", &self.handles.follower.replica.source())
            .field("is_listening", &self.is_listening())
            .finish_non_exhaustive()
    }
}
