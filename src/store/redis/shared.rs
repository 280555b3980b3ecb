use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tracing::{debug, error};

use super::error::RedisStoreError;
use super::message::Invalidation;
use super::source::{Interfaces, Source, Version};
use crate::key::KeyDigest;
use crate::store::{Holdings, KeyOwner, Published};

type Watcher = dyn Fn(&Invalidation) + Send + Sync;

/// What a store and its listening task share.
pub(super) struct Shared {
    pub(super) source: Source,
    loaded: ArcSwapOption<Version>,
    /// The same for requests, from the first reading on.
    published: OnceLock<Published>,
    reading: tokio::sync::Mutex<()>,
    watchers: Mutex<Vec<Arc<Watcher>>>,
    state: watch::Sender<State>,
}

/// How the listening goes.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) listening: bool,
    /// Why the last attempt at reading failed, if it did.
    pub(super) failure: Option<Arc<RedisStoreError>>,
}

impl Shared {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            loaded: ArcSwapOption::empty(),
            published: OnceLock::new(),
            reading: tokio::sync::Mutex::default(),
            watchers: Mutex::default(),
            state: watch::Sender::default(),
        }
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn set_listening(&self, listening: bool) {
        self.state.send_if_modified(|state| {
            let changed = state.listening != listening;
            state.listening = listening;
            changed
        });
    }

    pub(super) fn set_failure(&self, failure: Option<RedisStoreError>) {
        let failure = failure.map(Arc::new);
        self.state.send_modify(|state| state.failure = failure);
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.published.get().is_some()
    }

    pub(super) fn holdings(&self) -> Result<Holdings, RedisStoreError> {
        match self.published.get() {
            Some(published) => Ok(Holdings::Interfaces(published.load())),
            None => Err(self.not_loaded()),
        }
    }

    #[cold]
    pub(super) fn not_loaded(&self) -> RedisStoreError {
        let source = self.state.borrow().failure.clone();
        RedisStoreError::NotLoaded { source }
    }

    /// The request behind this lookup was begun on the interfaces that are loaded
    /// now, or were shortly before. What Redis says may belong to others.
    pub(super) async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, RedisStoreError> {
        let begun_on = self.loaded.load().as_ref().map(|loaded| loaded.possible());
        let answer = self.source.find(key).await?;
        let Some((subscription, slot)) = answer.owner else {
            return Ok(None);
        };
        for begun_on in begun_on.iter().flatten() {
            if begun_on.digest != answer.interfaces {
                self.refresh(Some(&answer.interfaces)).await?;
                let now = self.loaded.load();
                let now = now.as_ref().map(|loaded| &loaded.interfaces);
                let agrees = |now: &Arc<Interfaces>| {
                    now.digest == answer.interfaces && now.agree(begun_on, &subscription)
                };
                if !now.is_some_and(agrees) {
                    return Err(RedisStoreError::Changed);
                }
            }
        }
        Ok(Some(KeyOwner::new(subscription, slot)))
    }

    /// Reads the interfaces, unless those that are wanted were read meanwhile.
    pub(super) async fn refresh(&self, wanted: Option<&str>) -> Result<(), RedisStoreError> {
        let _alone = self.reading.lock().await;
        if wanted.is_some() && self.loaded_digest().as_deref() == wanted {
            return Ok(());
        }
        let interfaces = self.source.interfaces().await?.read()?;
        if self.loaded_digest().as_ref() == Some(&interfaces.digest) {
            return Ok(());
        }
        // Before: what was found for the old ones is not to meet the new ones.
        if self.is_loaded() {
            self.tell(&Invalidation::All);
        }
        self.publish(interfaces);
        Ok(())
    }

    /// Reads the interfaces when pushes may have been missed, and says so: but
    /// only when there is a far end again that what is forgotten can be asked of.
    pub(super) async fn resync(&self) -> Result<(), RedisStoreError> {
        let _alone = self.reading.lock().await;
        let unread = self.source.interfaces().await?;
        self.tell(&Invalidation::All);
        let interfaces = unread.read()?;
        if self.loaded_digest().as_ref() != Some(&interfaces.digest) {
            self.publish(interfaces);
        }
        Ok(())
    }

    fn loaded_digest(&self) -> Option<String> {
        let loaded = self.loaded.load();
        loaded
            .as_ref()
            .map(|loaded| loaded.interfaces.digest.clone())
    }

    fn publish(&self, interfaces: Interfaces) {
        debug!(digest = %interfaces.digest, "APIs and products were read from Redis");
        let catalog = interfaces.catalog.clone();
        let before = self.loaded.load_full();
        let version = match before {
            Some(before) => before.next(interfaces),
            None => Version::first(interfaces),
        };
        // First: whoever meets the new catalog is looked up for by it.
        self.loaded.store(Some(Arc::new(version)));
        match self.published.get() {
            Some(published) => published.publish(catalog),
            None => {
                // Only one reads at a time: nobody was faster.
                let _ = self.published.set(Published::new(catalog));
            }
        }
    }

    pub(super) fn watch(&self, watcher: Arc<Watcher>) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.push(watcher);
    }

    /// Tells all watchers. One that panics must not end the listening.
    pub(super) fn tell(&self, invalidation: &Invalidation) {
        let watchers = self
            .watchers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for watcher in watchers {
            if catch_unwind(AssertUnwindSafe(|| watcher(invalidation))).is_err() {
                error!(
                    "a watcher of invalidations panicked: it may have kept what is no longer so"
                );
            }
        }
    }
}
