use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::CachedStoreError;
use super::admission::Ticket;
use super::entries::Tick;
use crate::key::KeyDigest;
use crate::store::Answer;

/// The lookups under way, at most one for a key.
///
/// The lock around a key also orders what is written about the key into the cache:
/// its holder sees either a lookup under way or the result of it.
pub(super) struct Flights<E>([Mutex<ByKey<E>>; SHARDS]);

pub(super) type ByKey<E> = HashMap<KeyDigest, Arc<Flight<E>>>;

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
pub(super) struct Flight<E> {
    ending: watch::Sender<Option<Arc<Ending<E>>>>,
    is_over: AtomicBool,
    ticket: Ticket,
    pub(super) begun_at: Tick,
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
    pub(super) fn new(ticket: Ticket, begun_at: Tick, timeout: Duration) -> Self {
        Self {
            ending: watch::Sender::new(None),
            is_over: AtomicBool::new(false),
            ticket,
            begun_at,
            deadline: Instant::now() + timeout + SLACK,
        }
    }

    /// Whether it should have ended long ago.
    pub(super) fn is_overdue(&self) -> bool {
        Instant::now() > self.deadline
    }

    /// The lookup's ticket, for the caller that ends it. `None` if it has ended.
    pub(super) fn take_ticket(&self) -> Option<Ticket> {
        (!self.is_over.swap(true, Ordering::AcqRel)).then_some(self.ticket)
    }

    pub(super) fn end(&self, ending: Ending<E>) {
        self.ending.send_replace(Some(Arc::new(ending)));
    }

    /// Waits for the end. Returns whether it came in time.
    pub(super) async fn ended_in_time(&self) -> bool {
        timeout_at(self.deadline, self.ending()).await.is_ok()
    }

    pub(super) async fn ending(&self) -> Arc<Ending<E>> {
        let mut ending = self.ending.subscribe();
        // `self` owns the sender, so the wait cannot fail.
        match ending.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(ending)) => Arc::clone(ending),
            _ => Arc::new(Ending::Failed(CachedStoreError::Lost)),
        }
    }
}
