//! [`RedisStore`]: one catalog in Redis for a fleet of services, changed for all
//! of them at once.
//!
//! ```no_run
//! use tower_subscription_key::SubscriptionKeyLayer;
//! use tower_subscription_key::store::redis::{RedisOptions, RedisStore};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::connect(RedisOptions::new("redis://127.0.0.1:6379")).await?;
//! let layer = SubscriptionKeyLayer::new(store.cached()?);
//! # Ok(()) }
//! ```
//!
//! [`RedisPublisher`] fills it. Standalone Redis and what speaks its protocol, over
//! TLS by `rediss://` URLs, and clusters. Tested with Redis 7.0.
//!
//! # What requests get
//!
//! | Redis | key not in the cache | key in the cache |
//! |---|---|---|
//! | answers | found or unknown | the same, without asking |
//! | is down, hangs, is cut off, or is still being connected to | 503 | served for `found_for`, then stale for `stale_for`, then 503 |
//! | was emptied or restarted empty | 503: no catalog, hence nothing is known of any key | likewise |
//! | holds what is no owner of the key | 503 | likewise |
//! | was never reached | 503, for every request | |
//!
//! # What is in Redis
//!
//! One hash, `{tsk}:catalog`, with `tsk` being the
//! [prefix](RedisOptions::with_prefix):
//!
//! | field | holds |
//! |---|---|
//! | a key's digest in hex | its owner: [`document::owner_to_json`](crate::document::owner_to_json) |
//! | `#` and a subscription's id | its digests, separated by commas |
//! | `@definitions` | the APIs and products, as a catalog document in JSON |
//! | `@definitions-sha256` | the digest of that document |
//! | `@format` | `1` |
//! | `@revision` | how many changes there were |
//!
//! One hash and not a key for each digest, because
//!
//! 1. a change is atomic in a cluster only within one slot, and a new catalog
//!    takes the place of the old one by one `RENAME`, however large both are;
//! 2. an answer about a key and the sign that there is a catalog come by one
//!    command from one place. Redis that was emptied has no sign and is an error;
//!    and Redis that evicts when its memory is full can evict only all of it,
//!    never a single key that would then look unknown.
//!
//! The price is that one node of a cluster serves all lookups (of what the caches
//! of the fleet do not know: tens of thousands each second) and holds the whole
//! catalog (1.1 kB for each subscription with two keys). It lies in the slot of
//! the prefix: catalogs with other prefixes lie elsewhere.
//!
//! Changes are said on the channel `{tsk}:changes`: `all`, `definitions`, or
//! `subscription DIGEST,… ID`. A store needs the rights to `HMGET`, `SUBSCRIBE`
//! and `PING`; a publisher also to `HSET`, `EXPIRE`, `UNLINK` and `EVAL` with what
//! its scripts use. A new catalog is written to `{tsk}:staged:…` first.
//!
//! # Pushes
//!
//! Each store listens, in a task that ends with its last handle, and tells its
//! watchers ([`RedisStore::watch_invalidations`]), of which the cache made by
//! [`RedisStore::cached`] is one. After the connection was lost and found again,
//! it reads the definitions anew and invalidates everything, because changes may
//! have been missed.
//!
//! While it is lost, changes are missed: a suspended key that is in the cache may
//! get in for the rest of its `found_for` (then it is asked for again), or, where
//! lookups fail too, until `stale_for` is over as well. Shorten those, or have
//! everything invalidated while nothing is heard:
//! [`RedisOptions::with_invalidation_while_deaf`].
//!
//! # Changes while requests are on their way
//!
//! A request is decided on one catalog: if another one takes its place while the
//! request waits for Redis, it begins anew on that, and its key is asked for again.
//!
//! An owner comes from the newest catalog in Redis, whose APIs and products are
//! read first where they are not in use yet. Where its scopes mean something else
//! than a moment before, it comes a tenth of a second after that exchange, so that
//! no request which began on the old catalog finds it in the cache. If the catalog
//! is exchanged again and again meanwhile, the request gets a 503
//! ([`RedisStoreError::Changed`]).

mod connect;
mod error;
mod layout;
mod link;
mod listen;
mod message;
mod options;
mod publish;
mod shared;
mod source;

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::{
    CacheConfigError, CachedStore, CachedStoreBuilder, Holdings, SubscriptionStore,
};

pub use error::{Cause, RedisConfigError, RedisPublishError, RedisStoreError};
pub use message::Invalidation;
pub use options::RedisOptions;
pub use publish::RedisPublisher;

use link::Link;
use listen::Listener;
use shared::Shared;
use source::Source;

/// A catalog in Redis. See the [module](self).
///
/// Asks Redis for every key: put a [`CachedStore`] around it, by
/// [`cached`](Self::cached). Clones are handles to the same store.
#[derive(Clone)]
pub struct RedisStore {
    handle: Arc<HandleToTask>,
}

struct HandleToTask {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for HandleToTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RedisStore {
    /// A store that has read its APIs and products.
    ///
    /// # Errors
    ///
    /// [`RedisStoreError::NotLoaded`] with the reason why the first attempt
    /// failed, which may take as long as connecting may
    /// ([`RedisOptions::with_connect_timeout`]), and [`RedisStoreError::Options`]. To begin all the same and have
    /// 503 answered until it succeeds, use [`start`](Self::start).
    pub async fn connect(options: RedisOptions) -> Result<Self, RedisStoreError> {
        let store = Self::start(options)?;
        let shared = &store.handle.shared;
        let mut state = shared.state();
        let tried = state.wait_for(|state| state.listening || state.failure.is_some());
        // The sender is in `shared`: it outlives the waiting.
        drop(tried.await);
        match shared.is_loaded() {
            true => Ok(store),
            false => Err(shared.not_loaded()),
        }
    }

    /// A store that connects in the background, for as long as it takes. Until it
    /// has read its APIs and products, every request gets a 503.
    ///
    /// # Errors
    ///
    /// [`RedisConfigError`] where the options cannot work, or outside of a tokio
    /// runtime.
    pub fn start(options: RedisOptions) -> Result<Self, RedisConfigError> {
        let runtime = Handle::try_current().map_err(|_| RedisConfigError::NoRuntime)?;
        let checked = options.check()?;
        let link = Link::new(checked.target, options.times());
        let names = checked.names;
        let shared = Arc::new(Shared::new(Source { link, names }));
        let listener = Listener {
            shared: Arc::clone(&shared),
            ears: checked.ears,
            heartbeat: options.heartbeat,
            deaf_for: options.deaf_for,
        };
        let task = runtime.spawn(listener.run()).abort_handle();
        let handle = Arc::new(HandleToTask { shared, task });
        Ok(Self { handle })
    }

    /// A cache around this store that hears of every change.
    ///
    /// # Errors
    ///
    /// [`CacheConfigError`]: none with these settings, which are the defaults.
    pub fn cached(self) -> Result<CachedStore<Self>, CacheConfigError> {
        self.cached_with(|settings| settings)
    }

    /// The same with other settings:
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
    /// [`CacheConfigError`]
    pub fn cached_with(
        self,
        settings: impl FnOnce(CachedStoreBuilder<Self>) -> CachedStoreBuilder<Self>,
    ) -> Result<CachedStore<Self>, CacheConfigError> {
        let shared = Arc::clone(&self.handle.shared);
        let cache = settings(CachedStore::builder(self)).build()?;
        // The cache holds the store: if the store held the cache, neither would
        // ever go away.
        let cache_of = cache.downgrade();
        shared.watch(Arc::new(move |invalidation| {
            let Some(cache) = cache_of.upgrade() else {
                return;
            };
            match invalidation {
                Invalidation::All => cache.invalidate_all(),
                Invalidation::Subscription { keys, .. } => {
                    keys.iter().for_each(|key| cache.invalidate_key(key));
                }
            }
        }));
        Ok(cache)
    }

    /// Has `watcher` called with everything that is no longer to be believed, for
    /// as long as the store lives.
    ///
    /// It is called from the listening task, which waits for it: it must be quick.
    /// It must hold no handle to this store, or the store never ends.
    pub fn watch_invalidations(&self, watcher: impl Fn(&Invalidation) + Send + Sync + 'static) {
        self.handle.shared.watch(Arc::new(watcher));
    }

    /// Whether pushes are heard at this moment.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.handle.shared.state().borrow().listening
    }

    /// Returns when pushes are heard: at once if they are.
    pub async fn listening(&self) {
        let mut state = self.handle.shared.state();
        drop(state.wait_for(|state| state.listening).await);
    }
}

impl SubscriptionStore for RedisStore {
    type Error = RedisStoreError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, RedisStoreError> {
        self.handle.shared.find(key).await
    }

    fn holdings(&self) -> Result<Holdings, RedisStoreError> {
        self.handle.shared.holdings()
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = &self.handle.shared;
        f.debug_struct("RedisStore")
            .field("catalog", &shared.source.names.live)
            .field("state", &*shared.state().borrow())
            .finish_non_exhaustive()
    }
}
