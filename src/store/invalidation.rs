//! Changes in a source that make cached answers invalid, and how a cache follows them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::error;

use crate::catalog::Change;
use crate::key::KeyDigest;
use crate::store::{CachedStore, SubscriptionStore};

/// What a cache must no longer serve without asking.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// The subscription was changed or removed: its keys are gone from the cache.
    Subscription {
        /// Its id.
        id: String,
        /// The keys that it has or had, if they are known.
        keys: Vec<KeyDigest>,
    },
    /// Anything may have changed: each key is confirmed by a lookup. If that fails, it
    /// is served stale as usual.
    All,
    /// Changes have been missed for too long: no key is served without a lookup.
    Forget,
}

/// APIs and products affect any key; a subscription affects its own.
impl From<&Change> for Invalidation {
    fn from(change: &Change) -> Self {
        let id = match change {
            Change::PutSubscription(subscription) => subscription.id(),
            Change::RemoveSubscription(id) => id,
            _ => return Self::All,
        };
        Self::Subscription {
            id: id.to_owned(),
            keys: Vec::new(),
        }
    }
}

impl<S: SubscriptionStore> CachedStore<S> {
    /// Follows a change of the source.
    pub fn invalidate(&self, invalidation: &Invalidation) {
        match invalidation {
            Invalidation::Subscription { id, keys } if keys.is_empty() => {
                self.invalidate_subscription(id);
            }
            Invalidation::Subscription { keys, .. } => {
                keys.iter().for_each(|key| self.invalidate_key(key));
            }
            Invalidation::All => self.confirm_all(),
            Invalidation::Forget => self.invalidate_all(),
        }
    }
}

type Watcher = dyn Fn(&Invalidation) + Send + Sync;

/// The functions that follow the changes of a store.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<Arc<Watcher>>>);

impl Watchers {
    pub(crate) fn add(&self, watcher: impl Fn(&Invalidation) + Send + Sync + 'static) {
        self.lock().push(Arc::new(watcher));
    }

    /// Calls all watchers. One that panics must not end the task that listens.
    pub(crate) fn notify(&self, invalidation: &Invalidation) {
        let watchers = self.lock().clone();
        for watcher in watchers {
            if catch_unwind(AssertUnwindSafe(|| watcher(invalidation))).is_err() {
                error!("a watcher of invalidations panicked: it may serve outdated answers");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Watcher>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
