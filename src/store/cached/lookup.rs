use std::sync::{Arc, MutexGuard};

use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::{Instrument, Span};

use super::admission::{Admission, Ticket};
use super::clock::{Clock, Moment};
use super::entries::{Entries, Kept, Known};
use super::flights::{ByKey, Ending, Flight, Flights};
use super::settings::Settings;
#[cfg(feature = "document")]
use super::snapshot::Snapshots;
use super::stats::{CacheStats, Counters};
use super::{CachedStoreError, LookupResult};
use crate::catalog::Catalog;
use crate::key::KeyDigest;
use crate::store::{Answer, Holdings, SubscriptionStore};

/// What all handles of one cached store share.
pub(super) struct CacheCore<S: SubscriptionStore> {
    pub(super) store: S,
    pub(super) settings: Settings,
    pub(super) entries: Entries,
    pub(super) flights: Flights<S::Error>,
    pub(super) admission: Admission<S::Error>,
    counters: Counters,
    pub(super) clock: Clock,
    #[cfg(feature = "document")]
    pub(super) snapshots: Option<Snapshots>,
}

/// How a request goes on that was not answered at once.
enum Asked<E> {
    Answered(LookupResult<E>),
    Waiting(Arc<Flight<E>>),
}

impl<S: SubscriptionStore> CacheCore<S> {
    pub(super) fn new(
        store: S,
        settings: Settings,
        is_about_one_key: fn(&S::Error) -> bool,
    ) -> Self {
        Self {
            store,
            entries: Entries::new(&settings),
            flights: Flights::default(),
            admission: Admission::new(&settings, is_about_one_key),
            counters: Counters::default(),
            clock: Clock::start(),
            #[cfg(feature = "document")]
            snapshots: None,
            settings,
        }
    }

    /// The holdings of the store, or those of the snapshot until the store has some.
    pub(super) fn holdings(&self) -> Result<Holdings, CachedStoreError<S::Error>> {
        let holdings = self.store.holdings();
        #[cfg(feature = "document")]
        if let Some(snapshots) = &self.snapshots
            && let Some(saved) = snapshots.stand_in(holdings.is_ok(), || self.clock.now())
        {
            return Ok(Holdings::Definitions(saved));
        }
        holdings.map_err(|error| CachedStoreError::Store(Arc::new(error)))
    }

    fn definitions(&self) -> Option<Arc<Catalog>> {
        match self.holdings() {
            Ok(Holdings::Definitions(definitions)) => Some(definitions),
            _ => None,
        }
    }

    /// The answer, if it needs no lookup. Waits for nothing.
    #[inline]
    pub(super) fn lookup_cached(self: &Arc<Self>, key: &KeyDigest) -> Option<Answer> {
        let now = self.clock.now();
        match self.entries.get(key, now) {
            Known::Fresh(kept) => self.hit(&kept),
            Known::Aging(kept) => {
                let answer = self.hit(&kept)?;
                self.refresh(key, now);
                Some(answer)
            }
            Known::Held(kept) => Some(self.stale(&kept)),
            Known::Stale(kept) if self.admission.breaker.is_open(now) => Some(self.stale(&kept)),
            Known::Stale(_) | Known::Expired | Known::Nothing => None,
        }
    }

    /// The answer, if it is current.
    fn hit(&self, kept: &Kept) -> Option<Answer> {
        let answer = self.current(kept)?;
        self.counters.hits.count();
        Some(answer)
    }

    /// The answer, if it belongs to the definitions in use. If not, they have
    /// changed since the lookup, and the answer is to be confirmed.
    fn current(&self, kept: &Kept) -> Option<Answer> {
        let answer = Answer::new(kept.answer.owner().cloned());
        let Some(bound) = kept.answer.definitions() else {
            return Some(answer);
        };
        let now = self.definitions()?;
        now.has_definitions_of(bound)
            .then(|| answer.with_definitions(now))
    }

    /// An answer past its lifetime, with the definitions that it belongs to.
    fn stale(&self, kept: &Kept) -> Answer {
        self.counters.stale_served.count();
        kept.answer.clone()
    }

    pub(super) async fn lookup(self: &Arc<Self>, key: &KeyDigest) -> LookupResult<S::Error> {
        let mut is_first = true;
        loop {
            let flight = match self.ask(key) {
                Asked::Answered(result) => return result,
                Asked::Waiting(flight) => flight,
            };
            if !flight.ended_in_time().await {
                self.give_up(key, &flight);
            }
            match &*flight.ending().await {
                Ending::Fresh(answer) => return Ok(answer.clone()),
                Ending::Stale(answer) => {
                    self.counters.stale_served.count();
                    return Ok(answer.clone());
                }
                // Another runtime ran the lookup and was shut down.
                Ending::Failed(CachedStoreError::Lost) if is_first => is_first = false,
                Ending::Failed(error) => return Err(error.clone()),
            }
        }
    }

    /// Joins the lookup of the key that is under way, or begins one.
    fn ask(self: &Arc<Self>, key: &KeyDigest) -> Asked<S::Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Asked::Answered(Err(CachedStoreError::NoRuntime));
        };
        let now = self.clock.now();
        let flights = self.flights.around(key);
        if let Some(flight) = flights.get(key)
            && !self.entries.is_fenced(flight.begun_at)
            && !flight.is_overdue()
        {
            self.counters.waits.count();
            return Asked::Waiting(Arc::clone(flight));
        }
        // A lookup may have ended since the cache was asked without waiting.
        let known = self.entries.get(key, now);
        let is_new = matches!(known, Known::Nothing);
        let kept = match known {
            Known::Fresh(kept) | Known::Aging(kept) => match self.hit(&kept) {
                Some(answer) => return Asked::Answered(Ok(answer)),
                None => Some(kept),
            },
            Known::Held(kept) => return Asked::Answered(Ok(self.stale(&kept))),
            Known::Stale(kept) => Some(kept),
            Known::Expired | Known::Nothing => None,
        };
        match self.admission.admit(is_new, now) {
            Ok(ticket) => {
                self.counters.misses.count();
                let task = self.begin(*key, ticket, flights);
                let flight = Arc::clone(&task.flight);
                runtime.spawn(task.run().instrument(Span::current()));
                Asked::Waiting(flight)
            }
            Err(error) => Asked::Answered(match kept.filter(|kept| kept.has_owner()) {
                Some(kept) => Ok(self.stale(&kept)),
                None => {
                    match error {
                        CachedStoreError::TooManyUnknown => self.counters.rejected.count(),
                        _ => self.counters.broken.count(),
                    }
                    Err(error)
                }
            }),
        }
    }

    /// Begins a lookup. Releases the lock: a runtime that shuts down drops the task,
    /// which then takes it.
    fn begin(
        self: &Arc<Self>,
        key: KeyDigest,
        ticket: Ticket,
        mut flights: MutexGuard<'_, ByKey<S::Error>>,
    ) -> LookupTask<S> {
        let flight = Flight::new(ticket, self.entries.tick(), self.settings.timeout);
        let flight = Arc::new(flight);
        let before = flights.insert(key, Arc::clone(&flight));
        drop(flights);
        if let Some(overdue) = before.filter(|before| before.is_overdue()) {
            self.give_up(&key, &overdue);
        }
        let core = Arc::clone(self);
        LookupTask { core, key, flight }
    }

    /// Begins a lookup that no request waits for, unless one is already running.
    fn refresh(self: &Arc<Self>, key: &KeyDigest, now: Moment) {
        // Outside of a runtime the key is looked up when its lifetime is over.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.admission.breaker.is_open(now) {
            return;
        }
        let flights = self.flights.around(key);
        let is_asked = flights.get(key).is_some_and(|flight| !flight.is_overdue());
        if is_asked || !matches!(self.entries.get(key, now), Known::Aging(_)) {
            return;
        }
        if let Ok(ticket) = self.admission.admit(false, now) {
            self.counters.refreshes.count();
            // Outside the span of the request, which may end first.
            runtime.spawn(self.begin(*key, ticket, flights).run());
        }
    }

    /// Asks the store. The answer is bound to definitions: its own, or those that
    /// the store had both before and after the lookup.
    async fn ask_store(&self, key: &KeyDigest) -> LookupResult<S::Error> {
        let before = self.definitions();
        let after = self.settings.timeout;
        let answer = match timeout(after, self.store.lookup(key)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(CachedStoreError::Store(Arc::new(error))),
            Err(_) => return Err(CachedStoreError::TimedOut { after }),
        };
        let (None, Some(before)) = (answer.definitions(), before) else {
            return Ok(answer);
        };
        let now = self.definitions();
        Ok(
            match now.is_some_and(|now| now.has_definitions_of(&before)) {
                true => answer.with_definitions(before),
                false => answer,
            },
        )
    }

    /// Ends a lookup if its task no longer runs.
    fn give_up(&self, key: &KeyDigest, flight: &Arc<Flight<S::Error>>) {
        let after = self.settings.timeout;
        self.end(key, flight, Err(CachedStoreError::TimedOut { after }));
    }

    /// Ends a lookup, unless it has ended before.
    fn end(
        &self,
        key: &KeyDigest,
        flight: &Arc<Flight<S::Error>>,
        outcome: LookupResult<S::Error>,
    ) {
        let Some(ticket) = flight.take_ticket() else {
            return;
        };
        if let Err(error) = &outcome {
            self.counters.errors.count();
            if matches!(error, CachedStoreError::TimedOut { .. }) {
                self.counters.timeouts.count();
            }
        }
        let now = self.clock.now();
        self.admission.settle(ticket, key, &outcome, now);
        flight.end(self.keep(key, flight, outcome, now));
    }

    /// Keeps the outcome in the cache, unless an invalidation or another lookup of the key
    /// began after this lookup. The next request then looks the key up again, because
    /// this answer may be out of date.
    fn keep(
        &self,
        key: &KeyDigest,
        flight: &Arc<Flight<S::Error>>,
        outcome: LookupResult<S::Error>,
        now: Moment,
    ) -> Ending<S::Error> {
        let mut flights = self.flights.around(key);
        let is_last = flights
            .get(key)
            .is_some_and(|last| Arc::ptr_eq(last, flight));
        if is_last {
            flights.remove(key);
        }
        let error = match outcome {
            Ok(answer) => {
                // Without definitions if those of the store changed during the lookup.
                if is_last
                    && !self.entries.is_discarded(flight.begun_at)
                    && (answer.definitions().is_some() || self.definitions().is_none())
                {
                    self.entries.put(*key, &answer, flight.begun_at, now);
                }
                return Ending::Fresh(answer);
            }
            Err(error) => error,
        };
        let known = match is_last {
            true => self.entries.put_failed(key, now),
            false => self.entries.get(key, now),
        };
        let kept = match known {
            Known::Fresh(kept) | Known::Aging(kept) => match self.current(&kept) {
                Some(answer) => return Ending::Fresh(answer),
                None => kept,
            },
            Known::Held(kept) | Known::Stale(kept) => kept,
            Known::Expired | Known::Nothing => return Ending::Failed(error),
        };
        match kept.has_owner() {
            true => Ending::Stale(kept.answer.clone()),
            false => Ending::Failed(error),
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        let (found, unknown) = self.entries.counts();
        let breaker = &self.admission.breaker;
        CacheStats {
            breaker_openings: breaker.openings(),
            breaker_open: breaker.is_open(self.clock.now()),
            entries_found: found as u64,
            entries_unknown: unknown as u64,
            ..self.counters.stats()
        }
    }
}

/// A lookup in a separate task, so that a cancelled request does not end it. When
/// the task ends for any reason, the lookup ends and the breaker gets its report.
struct LookupTask<S: SubscriptionStore> {
    core: Arc<CacheCore<S>>,
    key: KeyDigest,
    flight: Arc<Flight<S::Error>>,
}

impl<S: SubscriptionStore> LookupTask<S> {
    async fn run(self) {
        let outcome = self.core.ask_store(&self.key).await;
        self.core.end(&self.key, &self.flight, outcome);
    }
}

impl<S: SubscriptionStore> Drop for LookupTask<S> {
    fn drop(&mut self) {
        self.core
            .end(&self.key, &self.flight, Err(CachedStoreError::Lost));
    }
}
