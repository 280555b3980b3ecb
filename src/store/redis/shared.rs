use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tracing::{debug, error};

use super::error::RedisStoreError;
use super::message::Invalidation;
use super::source::{Answer, Definitions, Source, Version};
use crate::catalog::KeyOwner;
use crate::catalog::Live;
use crate::key::KeyDigest;
use crate::store::Holdings;

/// How often a key is asked for while the catalog is exchanged each time.
const ATTEMPTS: u32 = 4;

type Watcher = dyn Fn(&Invalidation) + Send + Sync;

/// What a store and its listening task share.
pub(super) struct Shared {
    pub(super) source: Source,
    /// What is in use: `None` before the first reading, and during an exchange.
    loaded: ArcSwapOption<Version>,
    /// The same for requests, from the first reading on.
    published: OnceLock<Live>,
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
            Some(published) => Ok(Holdings::Definitions(published.load())),
            None => Err(self.not_loaded()),
        }
    }

    #[cold]
    pub(super) fn not_loaded(&self) -> RedisStoreError {
        let source = self.state.borrow().failure.clone();
        RedisStoreError::NotLoaded { source }
    }

    /// Whose the key is, by the definitions that are in use when this returns: what
    /// Redis says may belong to newer ones, and these are then put in use first.
    pub(super) async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, RedisStoreError> {
        for _ in 0..ATTEMPTS {
            let answer = self.source.find(key).await?;
            if !self.is_in_use(&answer.definitions) {
                self.refresh(Some(&answer.definitions)).await?;
            }
            if self.is_in_use(&answer.definitions) {
                return Ok(self.owner(answer).await);
            }
        }
        Err(RedisStoreError::Changed)
    }

    fn is_in_use(&self, digest: &str) -> bool {
        let loaded = self.loaded.load();
        let loaded = loaded.as_ref();
        loaded.is_some_and(|loaded| loaded.definitions.digest == digest)
    }

    /// The owner, once it can do no harm to requests that began on definitions that
    /// were replaced a moment ago, and find it in a cache that others filled.
    async fn owner(&self, answer: Answer) -> Option<KeyOwner> {
        let (subscription, slot) = answer.owner?;
        let harmless_at = {
            let loaded = self.loaded.load();
            let loaded = loaded.as_ref();
            loaded.and_then(|loaded| loaded.settled_for(&subscription))
        };
        if let Some(at) = harmless_at {
            sleep_until(at).await;
        }
        Some(KeyOwner::new(subscription, slot))
    }

    /// Reads the definitions, unless those that are wanted were read meanwhile.
    pub(super) async fn refresh(&self, wanted: Option<&str>) -> Result<(), RedisStoreError> {
        let _alone = self.reading.lock().await;
        if wanted.is_some() && self.loaded_digest().as_deref() == wanted {
            return Ok(());
        }
        let definitions = self.source.definitions().await?.read()?;
        if self.loaded_digest().as_ref() == Some(&definitions.digest) {
            return Ok(());
        }
        self.exchange(definitions);
        Ok(())
    }

    /// Reads the definitions when pushes may have been missed, and says so: but
    /// only when there is a remote server again that what is forgotten can be asked of.
    pub(super) async fn resync(&self) -> Result<(), RedisStoreError> {
        let _alone = self.reading.lock().await;
        let unread = self.source.definitions().await?;
        self.tell(&Invalidation::All);
        let definitions = unread.read()?;
        if self.loaded_digest().as_ref() != Some(&definitions.digest) {
            self.exchange(definitions);
        }
        Ok(())
    }

    fn loaded_digest(&self) -> Option<String> {
        let loaded = self.loaded.load();
        loaded
            .as_ref()
            .map(|loaded| loaded.definitions.digest.clone())
    }

    /// Puts these in use instead of those before. Only one does so at a time.
    ///
    /// In between none are in use, and no lookup is answered: what was found for
    /// the old ones is forgotten before the new ones can be met, and what is found
    /// for the new ones comes after.
    fn exchange(&self, definitions: Definitions) {
        debug!(digest = %definitions.digest, "APIs and products were read from Redis");
        let catalog = definitions.catalog.clone();
        let before = self.loaded.swap(None);
        match self.published.get() {
            Some(published) => {
                self.tell(&Invalidation::All);
                published.publish(catalog);
            }
            None => {
                // Only one reads at a time: nobody was faster.
                let _ = self.published.set(Live::new(catalog));
            }
        }
        let version = match before {
            Some(before) => before.next(definitions),
            None => Version::first(definitions),
        };
        self.loaded.store(Some(Arc::new(version)));
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
