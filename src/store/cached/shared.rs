use std::sync::Arc;

use tokio::runtime::Handle;
use tracing::{Instrument, Span, debug, info, warn};

use super::breaker::{Breaker, Change, Permit};
use super::clock::{Clock, Moment};
use super::entries::{Entries, Lookup};
use super::flights::{Flight, Flights, Landing, Outcome};
use super::rate::Rate;
use super::settings::Settings;
#[cfg(feature = "document")]
use super::snapshot::Keeper;
use super::stats::{CacheStats, Counters};
use super::{CachedStoreError, LookupResult};
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::store::{Answer, Holdings, SubscriptionStore};

/// All that the handles of one cached store share.
pub(super) struct Shared<S: SubscriptionStore> {
    pub(super) store: S,
    pub(super) settings: Settings,
    pub(super) entries: Entries,
    flights: Flights<S::Error>,
    breaker: Breaker,
    rate: Option<Rate>,
    counters: Counters,
    pub(super) clock: Clock,
    #[cfg(feature = "document")]
    pub(super) keeper: Option<Keeper>,
}

/// How a request goes on that was not answered at once.
pub(super) enum Asked<E> {
    Answered(LookupResult<E>),
    Waiting(Flight<E>),
}

/// What a lookup owes when it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dues {
    permit: Permit,
    /// It took a token of the rate.
    token: bool,
}

impl<S: SubscriptionStore> Shared<S> {
    pub(super) fn new(store: S, settings: Settings) -> Self {
        Self {
            store,
            entries: Entries::new(&settings),
            flights: Flights::default(),
            breaker: Breaker::new(settings.breaker),
            rate: settings
                .unknown_rate
                .map(|(per_second, burst)| Rate::new(per_second, burst)),
            counters: Counters::default(),
            clock: Clock::start(),
            #[cfg(feature = "document")]
            keeper: None,
            settings,
        }
    }

    /// What the store holds; what the snapshot does, while that cannot be told.
    pub(super) fn holdings(&self) -> Result<Holdings, CachedStoreError<S::Error>> {
        let holdings = self.store.holdings();
        #[cfg(feature = "document")]
        if let Some(keeper) = &self.keeper
            && let Some(saved) = keeper.instead(holdings.is_ok(), || self.clock.now())
        {
            return Ok(Holdings::Definitions(saved));
        }
        holdings.map_err(|error| CachedStoreError::Store(Arc::new(error)))
    }

    /// What can be said without a lookup. Waits for nothing.
    #[inline]
    pub(super) fn lookup_cached(self: &Arc<Self>, key: &KeyDigest) -> Option<Answer> {
        let now = self.clock.now();
        let owner = match self.entries.get(key, now) {
            Lookup::Fresh(owner) => self.hit(Some(owner)),
            Lookup::Unknown => self.hit(None),
            Lookup::Aging(owner) => {
                self.refresh(key, now);
                self.hit(Some(owner))
            }
            Lookup::Held(owner) => Some(self.stale(owner)),
            Lookup::Old(Some(owner)) if self.breaker.is_open(now) => Some(self.stale(owner)),
            Lookup::Old(_) | Lookup::Nothing => return None,
        };
        Some(Answer::new(owner))
    }

    fn hit(&self, owner: Option<KeyOwner>) -> Option<KeyOwner> {
        self.counters.hits.count();
        owner
    }

    pub(super) fn stale(&self, owner: KeyOwner) -> KeyOwner {
        self.counters.stale_served.count();
        owner
    }

    /// Joins the lookup of that key that is under way, or begins one.
    pub(super) fn ask(self: &Arc<Self>, key: &KeyDigest) -> Asked<S::Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Asked::Answered(Err(CachedStoreError::NoRuntime));
        };
        let now = self.clock.now();
        let mut flights = self.flights.around(key);
        if let Some(flight) = flights.get(key) {
            self.counters.waits.count();
            return Asked::Waiting(flight.clone());
        }
        // Again, because a lookup may have landed since the request peeked.
        let old = match self.entries.get(key, now) {
            Lookup::Fresh(owner) | Lookup::Aging(owner) => {
                self.counters.hits.count();
                return Asked::Answered(Ok(Some(owner)));
            }
            Lookup::Unknown => {
                self.counters.hits.count();
                return Asked::Answered(Ok(None));
            }
            Lookup::Held(owner) => return Asked::Answered(Ok(Some(self.stale(owner)))),
            Lookup::Old(owner) => Some(owner),
            Lookup::Nothing => None,
        };
        let dues = match self.dues(old.is_none(), now) {
            Ok(dues) => dues,
            Err(error) => return Asked::Answered(self.refused(old.flatten(), error)),
        };
        self.counters.misses.count();
        let (landing, flight) = Landing::new(Arc::clone(self), *key, dues);
        flights.insert(*key, flight.clone());
        // First: a runtime that shuts down drops the task, hence the landing, here.
        drop(flights);
        runtime.spawn(landing.fly().instrument(Span::current()));
        Asked::Waiting(flight)
    }

    /// What a lookup may be begun for.
    fn dues(&self, never_seen: bool, now: Moment) -> Result<Dues, CachedStoreError<S::Error>> {
        let rate = self.rate.as_ref().filter(|_| never_seen);
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
        let token = rate.is_some();
        Ok(Dues { permit, token })
    }

    fn refused(
        &self,
        old: Option<KeyOwner>,
        error: CachedStoreError<S::Error>,
    ) -> LookupResult<S::Error> {
        if let Some(owner) = old {
            return Ok(Some(self.stale(owner)));
        }
        match error {
            CachedStoreError::TooManyUnknown => self.counters.rejected.count(),
            _ => self.counters.broken.count(),
        }
        Err(error)
    }

    /// Begins a lookup that nobody waits for, if it makes sense now.
    #[cold]
    fn refresh(self: &Arc<Self>, key: &KeyDigest, now: Moment) {
        // Outside of a runtime the key is simply looked up when its life is over.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.breaker.is_open(now) {
            return;
        }
        let mut flights = self.flights.around(key);
        if flights.contains_key(key) || !matches!(self.entries.get(key, now), Lookup::Aging(_)) {
            return;
        }
        let Ok(dues) = self.dues(false, now) else {
            return;
        };
        self.counters.refreshes.count();
        let (landing, flight) = Landing::new(Arc::clone(self), *key, dues);
        flights.insert(*key, flight);
        drop(flights);
        // It may outlive the request, whose span is therefore not its own.
        runtime.spawn(landing.fly());
    }

    /// Takes the outcome of a lookup in. It is kept only if the lookup is still
    /// the one under way for its key: an invalidation since then disowned it.
    pub(super) fn land(
        &self,
        key: &KeyDigest,
        flight: &Flight<S::Error>,
        dues: Dues,
        outcome: LookupResult<S::Error>,
    ) -> Outcome<S::Error> {
        let now = self.clock.now();
        self.settle(dues, &outcome, now);
        let mut flights = self.flights.around(key);
        let current = flights.get(key).is_some_and(|other| other.is(flight));
        if !current {
            return outcome.into();
        }
        flights.remove(key);
        match outcome {
            Ok(Some(owner)) => {
                self.entries.put_found(*key, owner.clone(), now);
                Outcome::Fresh(Some(owner))
            }
            Ok(None) => {
                self.entries.put_unknown(*key, now);
                Outcome::Fresh(None)
            }
            Err(error) => match self.entries.put_failed(key, now) {
                Lookup::Fresh(owner) | Lookup::Aging(owner) => Outcome::Fresh(Some(owner)),
                Lookup::Held(owner) | Lookup::Old(Some(owner)) => Outcome::Stale(owner),
                Lookup::Old(None) | Lookup::Unknown | Lookup::Nothing => Outcome::Failed(error),
            },
        }
    }

    fn settle(&self, dues: Dues, outcome: &LookupResult<S::Error>, now: Moment) {
        let error = match outcome {
            Ok(owner) => {
                if let (Some(_), true, Some(rate)) = (owner, dues.token, &self.rate) {
                    rate.give_back();
                }
                if self.breaker.succeeded(dues.permit) == Change::Closed {
                    info!("the store behind the cache answers again");
                }
                return;
            }
            Err(error) => error,
        };
        self.counters.errors.count();
        if matches!(error, CachedStoreError::TimedOut { .. }) {
            self.counters.timeouts.count();
        }
        let jitter = self.entries.jitter();
        let error: &dyn std::error::Error = error;
        match self.breaker.failed(dues.permit, now, jitter) {
            Change::Opened(pause) => {
                warn!(
                    error,
                    ?pause,
                    "the store behind the cache keeps failing: left alone"
                );
            }
            _ => debug!(error, "a lookup failed"),
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

    /// Lookups are disowned first: one that lands afterwards cannot bring back
    /// what is removed.
    pub(super) fn invalidate_subscription(&self, id: &str) {
        self.flights.disown_all();
        self.entries.remove_subscription(id);
        self.save_soon();
    }

    pub(super) fn invalidate_all(&self) {
        self.flights.disown_all();
        self.entries.remove_all();
        self.save_soon();
    }

    /// What was invalidated is not to be in the snapshot any longer than need be.
    fn save_soon(&self) {
        #[cfg(feature = "document")]
        if let Some(keeper) = &self.keeper
            && self.entries.has_changed()
        {
            keeper.hurry();
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
