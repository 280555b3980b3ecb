use std::sync::{Arc, MutexGuard};

use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::{Instrument, Span, debug, info, warn};

use super::breaker::{Breaker, Change, Permit};
use super::clock::{Clock, Moment};
use super::entries::{Entries, Found, Known};
use super::flights::{ByKey, Ending, Flight, Flights};
use super::rate::Rate;
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
    /// Which errors are about a single key.
    pub(super) is_about_one_key: fn(&S::Error) -> bool,
    pub(super) entries: Entries,
    flights: Flights<S::Error>,
    breaker: Breaker,
    rate: Option<Rate>,
    counters: Counters,
    pub(super) clock: Clock,
    #[cfg(feature = "document")]
    pub(super) snapshots: Option<Snapshots>,
}

/// How a request goes on that was not answered at once.
enum Asked<E> {
    Answered(LookupResult<E>),
    Waiting(Flight<E>),
}

/// What a lookup owes when it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dues {
    permit: Permit,
    /// Whether it took a token of the rate.
    has_token: bool,
}

impl<S: SubscriptionStore> CacheCore<S> {
    pub(super) fn new(
        store: S,
        settings: Settings,
        is_about_one_key: fn(&S::Error) -> bool,
    ) -> Self {
        Self {
            store,
            is_about_one_key,
            entries: Entries::new(&settings),
            flights: Flights::default(),
            breaker: Breaker::new(settings.breaker, settings.jitter, settings.timeout),
            rate: settings
                .unknown_rate
                .map(|(per_second, burst)| Rate::new(per_second, burst)),
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
            Known::Fresh(found) => self.hit(self.current(&found)?),
            Known::Aging(found) => {
                let answer = self.current(&found)?;
                self.refresh(key, now);
                self.hit(answer)
            }
            Known::Unknown(definitions) => {
                self.hit(self.if_current(Answer::new(None), definitions.as_ref())?)
            }
            Known::Held(found) => Some(self.stale(&found)),
            Known::Stale(found) if self.breaker.is_open(now) => Some(self.stale(&found)),
            Known::Stale(_) | Known::Expired | Known::Nothing => None,
        }
    }

    fn hit(&self, answer: Answer) -> Option<Answer> {
        self.counters.hits.count();
        Some(answer)
    }

    /// The answer, if it belongs to the definitions in use. If not, they have
    /// changed since the lookup, and the answer is to be confirmed.
    fn current(&self, found: &Found) -> Option<Answer> {
        let answer = Answer::new(Some(found.owner.clone()));
        self.if_current(answer, found.definitions.as_ref())
    }

    fn if_current(&self, answer: Answer, bound: Option<&Arc<Catalog>>) -> Option<Answer> {
        let Some(bound) = bound else {
            return Some(answer);
        };
        let now = self.definitions()?;
        now.has_definitions_of(bound)
            .then(|| answer.with_definitions(now))
    }

    /// An answer past its lifetime, with the definitions that it belongs to.
    fn stale(&self, found: &Found) -> Answer {
        self.counters.stale_served.count();
        stale(found)
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
            match flight.ending().await {
                Ending::Fresh(answer) => return Ok(answer),
                Ending::Stale(answer) => {
                    self.counters.stale_served.count();
                    return Ok(answer);
                }
                // Another runtime ran the lookup and was shut down.
                Ending::Failed(CachedStoreError::Lost) if is_first => is_first = false,
                Ending::Failed(error) => return Err(error),
            }
        }
    }

    /// Ends a lookup if its task no longer runs.
    fn give_up(&self, key: &KeyDigest, flight: &Flight<S::Error>) {
        let after = self.settings.timeout;
        self.end(key, flight, Err(CachedStoreError::TimedOut { after }));
    }

    /// Joins the lookup of the key that is under way, or begins one.
    fn ask(self: &Arc<Self>, key: &KeyDigest) -> Asked<S::Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Asked::Answered(Err(CachedStoreError::NoRuntime));
        };
        let now = self.clock.now();
        let flights = self.flights.around(key);
        if let Some(flight) = flights.get(key)
            && !self.is_fenced(flight)
            && !flight.is_overdue()
        {
            self.counters.waits.count();
            return Asked::Waiting(flight.clone());
        }
        // A lookup may have ended since the cache was asked without waiting.
        let known = self.entries.get(key, now);
        let is_new = matches!(known, Known::Nothing);
        let stale = match known {
            Known::Fresh(found) | Known::Aging(found) => match self.current(&found) {
                Some(answer) => {
                    self.counters.hits.count();
                    return Asked::Answered(Ok(answer));
                }
                None => Some(found),
            },
            Known::Unknown(definitions) => {
                if let Some(answer) = self.if_current(Answer::new(None), definitions.as_ref()) {
                    self.counters.hits.count();
                    return Asked::Answered(Ok(answer));
                }
                None
            }
            Known::Held(found) => return Asked::Answered(Ok(self.stale(&found))),
            Known::Stale(found) => Some(found),
            Known::Expired | Known::Nothing => None,
        };
        let dues = match self.dues(is_new, now) {
            Ok(dues) => dues,
            Err(error) => return Asked::Answered(self.refused(stale.as_deref(), error)),
        };
        self.counters.misses.count();
        let task = self.begin(*key, dues, flights);
        let flight = task.flight.clone();
        runtime.spawn(task.run().instrument(Span::current()));
        Asked::Waiting(flight)
    }

    /// Begins a lookup. Releases the lock: a runtime that shuts down drops the task,
    /// which then takes it.
    fn begin(
        self: &Arc<Self>,
        key: KeyDigest,
        dues: Dues,
        mut flights: MutexGuard<'_, ByKey<S::Error>>,
    ) -> LookupTask<S> {
        let flight = Flight::new(dues, self.entries.tick(), self.settings.timeout);
        let before = flights.insert(key, flight.clone());
        drop(flights);
        if let Some(overdue) = before.filter(Flight::is_overdue) {
            self.give_up(&key, &overdue);
        }
        let core = Arc::clone(self);
        LookupTask { core, key, flight }
    }

    fn is_fenced(&self, flight: &Flight<S::Error>) -> bool {
        self.entries.is_fenced(flight.begun_at())
    }

    fn dues(&self, is_new: bool, now: Moment) -> Result<Dues, CachedStoreError<S::Error>> {
        let rate = self.rate.as_ref().filter(|_| is_new);
        if self.breaker.is_open(now) {
            return Err(CachedStoreError::BreakerOpen);
        }
        if rate.is_some_and(|rate| !rate.take(now)) {
            return Err(CachedStoreError::TooManyUnknown);
        }
        let Some(permit) = self.breaker.permit(now) else {
            rate.inspect(|rate| rate.give_back());
            return Err(CachedStoreError::BreakerOpen);
        };
        let has_token = rate.is_some();
        Ok(Dues { permit, has_token })
    }

    fn refused(
        &self,
        stale: Option<&Found>,
        error: CachedStoreError<S::Error>,
    ) -> LookupResult<S::Error> {
        if let Some(found) = stale {
            return Ok(self.stale(found));
        }
        match error {
            CachedStoreError::TooManyUnknown => self.counters.rejected.count(),
            _ => self.counters.broken.count(),
        }
        Err(error)
    }

    /// Begins a lookup that no request waits for, unless one is already running.
    fn refresh(self: &Arc<Self>, key: &KeyDigest, now: Moment) {
        // Outside of a runtime the key is looked up when its lifetime is over.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.breaker.is_open(now) {
            return;
        }
        let flights = self.flights.around(key);
        let is_asked = flights.get(key).is_some_and(|flight| !flight.is_overdue());
        if is_asked || !matches!(self.entries.get(key, now), Known::Aging(_)) {
            return;
        }
        let Ok(dues) = self.dues(false, now) else {
            return;
        };
        self.counters.refreshes.count();
        // It may outlive the request, so it does not run in its span.
        runtime.spawn(self.begin(*key, dues, flights).run());
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
        Ok(match (answer.definitions(), before) {
            (None, Some(before))
                if self
                    .definitions()
                    .is_some_and(|now| now.has_definitions_of(&before)) =>
            {
                answer.with_definitions(before)
            }
            _ => answer,
        })
    }

    /// Ends a lookup, unless it has ended before.
    fn end(&self, key: &KeyDigest, flight: &Flight<S::Error>, outcome: LookupResult<S::Error>) {
        let Some(dues) = flight.take_dues() else {
            return;
        };
        let now = self.clock.now();
        self.settle(dues, key, &outcome, now);
        flight.end(self.keep(key, flight, outcome, now));
    }

    /// Keeps the outcome in the cache, unless an invalidation that removes keys came
    /// after the lookup began.
    fn keep(
        &self,
        key: &KeyDigest,
        flight: &Flight<S::Error>,
        outcome: LookupResult<S::Error>,
        now: Moment,
    ) -> Ending<S::Error> {
        let mut flights = self.flights.around(key);
        let is_last = flights.get(key).is_some_and(|other| other.is(flight));
        if is_last {
            flights.remove(key);
        }
        let is_kept = is_last && !self.entries.is_discarded(flight.begun_at());
        let error = match outcome {
            Ok(answer) => {
                if is_kept {
                    self.put(key, &answer, flight, now);
                }
                return Ending::Fresh(answer);
            }
            Err(error) => error,
        };
        let known = match is_last {
            true => self.entries.put_failed(key, now),
            false => self.entries.get(key, now),
        };
        match known {
            Known::Fresh(found) | Known::Aging(found) => match self.current(&found) {
                Some(answer) => Ending::Fresh(answer),
                None => Ending::Stale(stale(&found)),
            },
            Known::Held(found) | Known::Stale(found) => Ending::Stale(stale(&found)),
            Known::Expired | Known::Unknown(_) | Known::Nothing => Ending::Failed(error),
        }
    }

    fn put(&self, key: &KeyDigest, answer: &Answer, flight: &Flight<S::Error>, now: Moment) {
        let definitions = answer.definitions().cloned();
        // The store has definitions, but they changed during the lookup.
        if definitions.is_none() && self.definitions().is_some() {
            return;
        }
        let begun_at = flight.begun_at();
        match answer.owner().cloned() {
            Some(owner) => self
                .entries
                .put_found(*key, owner, definitions, begun_at, now),
            None => self.entries.put_unknown(*key, definitions, begun_at, now),
        }
    }

    fn settle(&self, dues: Dues, key: &KeyDigest, outcome: &LookupResult<S::Error>, now: Moment) {
        let error = match outcome {
            Ok(answer) => {
                if let (Some(_), true, Some(rate)) = (answer.owner(), dues.has_token, &self.rate) {
                    rate.give_back();
                }
                return self.note(self.breaker.succeeded(dues.permit));
            }
            Err(error) => error,
        };
        self.counters.errors.count();
        if matches!(error, CachedStoreError::TimedOut { .. }) {
            self.counters.timeouts.count();
        }
        let change = match error {
            CachedStoreError::Store(error) if (self.is_about_one_key)(error) => {
                self.breaker.succeeded(dues.permit)
            }
            CachedStoreError::Store(_) => self.breaker.failed(dues.permit, Some(key), now),
            _ => self.breaker.failed(dues.permit, None, now),
        };
        let error: &dyn std::error::Error = error;
        match change {
            Change::Opened(pause) => warn!(
                error,
                ?pause,
                "lookups are paused: the store behind the cache keeps failing"
            ),
            change => {
                debug!(error, "a lookup failed");
                self.note(change);
            }
        }
    }

    fn note(&self, change: Change) {
        if change == Change::Closed {
            info!("lookups go on: the store behind the cache answers again");
        }
    }

    pub(super) fn invalidate_key(&self, key: &KeyDigest) {
        {
            let mut flights = self.flights.around(key);
            flights.remove(key);
            self.entries.remove(key);
        }
        self.save_soon();
    }

    pub(super) fn invalidate_subscription(&self, id: &str) {
        self.entries.discard_lookups();
        self.flights.wait_for_writers();
        self.entries.remove_subscription(id);
        self.save_soon();
    }

    pub(super) fn invalidate_all(&self) {
        self.entries.forget_all();
        self.save_soon();
    }

    pub(super) fn confirm_all(&self) {
        self.entries.confirm_all();
    }

    /// Closes the breaker, because the store is known to answer again.
    pub(super) fn resume(&self) {
        self.note(self.breaker.close());
    }

    /// Invalidated keys leave the snapshot as soon as it can be written.
    fn save_soon(&self) {
        #[cfg(feature = "document")]
        if let Some(snapshots) = &self.snapshots
            && self.entries.has_changed()
        {
            snapshots.save_soon();
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        let (found, unknown) = self.entries.counts();
        CacheStats {
            breaker_openings: self.breaker.openings(),
            breaker_open: self.breaker.is_open(self.clock.now()),
            entries_found: found as u64,
            entries_unknown: unknown as u64,
            ..self.counters.stats()
        }
    }
}

fn stale(found: &Found) -> Answer {
    let answer = Answer::new(Some(found.owner.clone()));
    match &found.definitions {
        Some(definitions) => answer.with_definitions(Arc::clone(definitions)),
        None => answer,
    }
}

/// A lookup in a separate task, so that a cancelled request does not end it. When
/// the task ends for any reason, the lookup ends and the breaker gets its report.
struct LookupTask<S: SubscriptionStore> {
    core: Arc<CacheCore<S>>,
    key: KeyDigest,
    flight: Flight<S::Error>,
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
