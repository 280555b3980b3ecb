use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::timeout;

use super::shared::{Dues, Shared};
use super::{CachedStoreError, LookupResult};
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::SubscriptionStore;

/// The lookups that are under way, at most one for a key.
///
/// The lock around a key also orders what is written about it into the cache:
/// whoever holds it sees either a lookup under way or what came of it.
pub(super) struct Flights<E>([Mutex<ByKey<E>>; SHARDS]);

type ByKey<E> = HashMap<KeyDigest, Flight<E>>;

const SHARDS: usize = 64;

/// A place to wait for the outcome of a lookup.
pub(super) struct Flight<E>(watch::Receiver<Option<Outcome<E>>>);

/// What those who wait are told.
pub(super) enum Outcome<E> {
    Fresh(Option<KeyOwner>),
    /// The lookup failed; that is what was known.
    Stale(KeyOwner),
    Failed(CachedStoreError<E>),
}

impl<E> Flights<E> {
    /// The lookups of that key and of some others, locked.
    pub(super) fn around(&self, key: &KeyDigest) -> MutexGuard<'_, ByKey<E>> {
        let shard = usize::from(key.as_bytes()[0]) % SHARDS;
        lock(&self.0[shard])
    }

    /// Those who wait still get their answers, but nothing is kept of them and
    /// nobody joins any more.
    pub(super) fn disown_all(&self) {
        for shard in &self.0 {
            lock(shard).clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E> Default for Flights<E> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl<E> Flight<E> {
    /// Whether both are the same lookup.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }

    pub(super) async fn answer(mut self) -> Outcome<E> {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            _ => Outcome::Failed(CachedStoreError::Lost),
        }
    }
}

impl<E> Clone for Flight<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Clone for Outcome<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Fresh(owner) => Self::Fresh(owner.clone()),
            Self::Stale(owner) => Self::Stale(owner.clone()),
            Self::Failed(error) => Self::Failed(error.clone()),
        }
    }
}

impl<E> From<LookupResult<E>> for Outcome<E> {
    fn from(outcome: LookupResult<E>) -> Self {
        match outcome {
            Ok(owner) => Self::Fresh(owner),
            Err(error) => Self::Failed(error),
        }
    }
}

/// A lookup in a task of its own, so that it does not matter which of the
/// requests that wait for it go away. However it ends, it lands: those who wait
/// get an answer, and the breaker its report.
pub(super) struct Landing<S: SubscriptionStore> {
    shared: Arc<Shared<S>>,
    key: KeyDigest,
    flight: Flight<S::Error>,
    answer: watch::Sender<Option<Outcome<S::Error>>>,
    /// Taken when it lands.
    dues: Option<Dues>,
}

impl<S: SubscriptionStore> Landing<S> {
    pub(super) fn new(
        shared: Arc<Shared<S>>,
        key: KeyDigest,
        dues: Dues,
    ) -> (Self, Flight<S::Error>) {
        let (answer, waiting) = watch::channel(None);
        let landing = Self {
            shared,
            key,
            flight: Flight(waiting.clone()),
            answer,
            dues: Some(dues),
        };
        (landing, Flight(waiting))
    }

    pub(super) async fn fly(mut self) {
        let after = self.shared.settings.timeout;
        let outcome = match timeout(after, self.shared.store.find(&self.key)).await {
            Ok(Ok(owner)) => Ok(owner),
            Ok(Err(error)) => Err(CachedStoreError::Store(Arc::new(error))),
            Err(_) => Err(CachedStoreError::TimedOut { after }),
        };
        self.land(outcome);
    }

    fn land(&mut self, outcome: LookupResult<S::Error>) {
        if let Some(dues) = self.dues.take() {
            let answer = self.shared.land(&self.key, &self.flight, dues, outcome);
            self.answer.send_replace(Some(answer));
        }
    }
}

impl<S: SubscriptionStore> Drop for Landing<S> {
    fn drop(&mut self) {
        self.land(Err(CachedStoreError::Lost));
    }
}
