use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::CachedStoreError;
use super::entries::Tick;
use super::lookup::Dues;
use crate::key::KeyDigest;
use crate::store::Answer;

/// The lookups under way, at most one for a key.
///
/// The lock around a key also orders what is written about the key into the cache:
/// its holder sees either a lookup under way or the result of it.
pub(super) struct Flights<E>([Mutex<ByKey<E>>; SHARDS]);

pub(super) type ByKey<E> = HashMap<KeyDigest, Flight<E>>;

const SHARDS: usize = 64;

/// Joiners wait a little longer than the lookup may take, so that the timeout of the
/// lookup is reported by the lookup.
const SLACK: Duration = Duration::from_millis(50);

/// How a lookup ended.
pub(super) enum Ending<E> {
    Fresh(Answer),
    /// The lookup failed; this is what was known.
    Stale(Answer),
    Failed(CachedStoreError<E>),
}

/// One lookup that joiners wait for. Its own task ends it, or a joiner that has
/// waited too long because the task no longer runs.
pub(super) struct Flight<E>(Arc<Inner<E>>);

struct Inner<E> {
    ending: watch::Sender<Option<Ending<E>>>,
    /// Taken by the one that ends it.
    dues: Mutex<Option<Dues>>,
    begun_at: Tick,
    deadline: Instant,
}

impl<E> Flights<E> {
    /// The lookups of the given key and of some others, locked.
    pub(super) fn around(&self, key: &KeyDigest) -> MutexGuard<'_, ByKey<E>> {
        let shard = usize::from(key.as_bytes()[0]) % SHARDS;
        lock(&self.0[shard])
    }

    /// Returns when every holder of a lock has released it.
    pub(super) fn wait_for_writers(&self) {
        for shard in &self.0 {
            drop(lock(shard));
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
    pub(super) fn new(dues: Dues, begun_at: Tick, timeout: Duration) -> Self {
        Self(Arc::new(Inner {
            ending: watch::Sender::new(None),
            dues: Mutex::new(Some(dues)),
            begun_at,
            deadline: Instant::now() + timeout + SLACK,
        }))
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn begun_at(&self) -> Tick {
        self.0.begun_at
    }

    /// Whether it should have ended long ago.
    pub(super) fn is_overdue(&self) -> bool {
        Instant::now() > self.0.deadline
    }

    /// What the lookup owes. `None` if it has ended.
    pub(super) fn take_dues(&self) -> Option<Dues> {
        lock(&self.0.dues).take()
    }

    pub(super) fn end(&self, ending: Ending<E>) {
        self.0.ending.send_replace(Some(ending));
    }

    /// Waits for the end. Returns whether it came in time.
    pub(super) async fn ended_in_time(&self) -> bool {
        let mut ending = self.0.ending.subscribe();
        let waited = timeout_at(self.0.deadline, ending.wait_for(Option::is_some)).await;
        waited.is_ok()
    }

    pub(super) async fn ending(&self) -> Ending<E> {
        let mut ending = self.0.ending.subscribe();
        // The sender is in the flight itself, which outlives this.
        match ending.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(ending)) => ending.clone(),
            _ => Ending::Failed(CachedStoreError::Lost),
        }
    }
}

impl<E> Clone for Flight<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> Clone for Ending<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Fresh(answer) => Self::Fresh(answer.clone()),
            Self::Stale(answer) => Self::Stale(answer.clone()),
            Self::Failed(error) => Self::Failed(error.clone()),
        }
    }
}
