use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Moment;
use crate::key::KeyDigest;
use crate::store::backoff::spread;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BreakerSettings {
    /// The breaker opens when lookups of this many keys failed in a row.
    pub(super) failures: u32,
    /// How long it stays open at first; twice as long each time, up to the longest.
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
}

/// Stops lookups in a store that keeps failing, and lets one through after each
/// pause to see whether the store answers again.
///
/// An error that the store returned counts once for each key: an entry that cannot be
/// read says nothing about the other keys. No answer at all counts every time.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: Option<BreakerSettings>,
    jitter: f64,
    /// How long a lookup may take. A probe that has not been reported by then counts
    /// as failed: the runtime that it runs in may have stopped.
    timeout: Duration,
    /// A copy of the state's, for readers that must not wait. 0: closed.
    open_until: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since the last success.
    failures: u32,
    failed_keys: Vec<KeyDigest>,
    open_until: Option<Moment>,
    is_probing: bool,
    next_pause: Duration,
    /// Counts openings and closings: a lookup that began before one says nothing
    /// after it.
    generation: u64,
    openings: u64,
}

/// Permission for one lookup. The holder reports the outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permit {
    generation: u64,
}

/// What a reported outcome did to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// It opened for this long.
    Opened(Duration),
    Closed,
}

impl Breaker {
    pub(super) fn new(settings: Option<BreakerSettings>, jitter: f64, timeout: Duration) -> Self {
        Self {
            settings,
            jitter,
            timeout,
            open_until: AtomicU64::new(0),
            state: Mutex::new(State {
                next_pause: settings.map_or(Duration::ZERO, |settings| settings.first_pause),
                ..State::default()
            }),
        }
    }

    /// Whether no lookup may begin at this moment.
    pub(super) fn is_open(&self, now: Moment) -> bool {
        now.0 < self.open_until.load(Ordering::Relaxed)
    }

    /// How often it opened.
    pub(super) fn openings(&self) -> u64 {
        self.lock().openings
    }

    /// The permission for a lookup, if one may begin now.
    pub(super) fn permit(&self, now: Moment) -> Option<Permit> {
        let mut state = self.lock();
        if let Some(until) = state.open_until {
            if now < until {
                return None;
            }
            if state.is_probing {
                self.open(&mut state, now);
                return None;
            }
            state.is_probing = true;
            let overdue = now.after(self.timeout.saturating_mul(2));
            self.set_open(&mut state, Some(overdue));
        }
        let generation = state.generation;
        Some(Permit { generation })
    }

    pub(super) fn succeeded(&self, permit: Permit) -> Change {
        let mut state = self.lock();
        if permit.generation != state.generation {
            return Change::Nothing;
        }
        self.close_locked(&mut state)
    }

    /// Closes it, because the store is known to answer again.
    pub(super) fn close(&self) -> Change {
        self.close_locked(&mut self.lock())
    }

    fn close_locked(&self, state: &mut State) -> Change {
        state.failures = 0;
        state.failed_keys.clear();
        if let Some(settings) = &self.settings {
            state.next_pause = settings.first_pause;
        }
        if state.open_until.is_none() {
            return Change::Nothing;
        }
        state.generation += 1;
        self.set_open(state, None);
        Change::Closed
    }

    /// With the key if the store returned an error, without it if it did not answer.
    pub(super) fn failed(&self, permit: Permit, key: Option<&KeyDigest>, now: Moment) -> Change {
        let Some(settings) = &self.settings else {
            return Change::Nothing;
        };
        let mut state = self.lock();
        if permit.generation != state.generation {
            return Change::Nothing;
        }
        if state.open_until.is_none() {
            if let Some(key) = key {
                if state.failed_keys.contains(key) {
                    return Change::Nothing;
                }
                state.failed_keys.push(*key);
            }
            state.failures += 1;
            if state.failures < settings.failures {
                return Change::Nothing;
            }
        }
        Change::Opened(self.open(&mut state, now))
    }

    fn open(&self, state: &mut State, now: Moment) -> Duration {
        let longest = self
            .settings
            .map_or(Duration::ZERO, |settings| settings.longest_pause);
        let pause = spread(state.next_pause, self.jitter);
        state.next_pause = state.next_pause.saturating_mul(2).min(longest);
        state.failures = 0;
        state.failed_keys.clear();
        state.is_probing = false;
        state.generation += 1;
        state.openings += 1;
        self.set_open(state, Some(now.after(pause)));
        pause
    }

    fn set_open(&self, state: &mut State, until: Option<Moment>) {
        state.open_until = until;
        state.is_probing &= until.is_some();
        let until = until.map_or(0, |until| until.0);
        self.open_until.store(until, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Moment {
        Moment(0).after(SECOND * seconds as u32)
    }

    fn breaker() -> Breaker {
        let settings = BreakerSettings {
            failures: 3,
            first_pause: SECOND,
            longest_pause: 4 * SECOND,
        };
        Breaker::new(Some(settings), 0.0, SECOND)
    }

    fn fail(breaker: &Breaker, key: &str, now: Moment) -> Change {
        breaker.failed(breaker.permit(now).unwrap(), Some(&KeyDigest::of(key)), now)
    }

    fn opened(now: Moment) -> Breaker {
        let breaker = breaker();
        for key in ["a", "b", "c"] {
            fail(&breaker, key, now);
        }
        assert!(breaker.is_open(now));
        breaker
    }

    #[test]
    fn breaker_opens_only_after_failures_in_a_row() {
        let breaker = breaker();
        for _ in 0..2 {
            assert_eq!(fail(&breaker, "a", at(1)), Change::Nothing);
            assert_eq!(fail(&breaker, "b", at(1)), Change::Nothing);
            breaker.succeeded(breaker.permit(at(1)).unwrap());
        }
        fail(&breaker, "a", at(1));
        fail(&breaker, "b", at(1));
        assert_eq!(fail(&breaker, "c", at(1)), Change::Opened(SECOND));
        assert!(breaker.is_open(at(1)) && breaker.permit(at(1)).is_none());
        assert!(!breaker.is_open(at(2)));
    }

    #[test]
    fn breaker_stays_closed_when_one_key_keeps_failing() {
        let breaker = breaker();
        for _ in 0..100 {
            assert_eq!(fail(&breaker, "corrupt", at(1)), Change::Nothing);
        }
    }

    #[test]
    fn breaker_opens_when_one_key_is_never_answered() {
        let breaker = breaker();
        let time_out = || breaker.failed(breaker.permit(at(1)).unwrap(), None, at(1));
        assert_eq!(time_out(), Change::Nothing);
        assert_eq!(time_out(), Change::Nothing);
        assert_eq!(time_out(), Change::Opened(SECOND));
    }

    #[test]
    fn open_breaker_lets_one_probe_through_after_each_growing_pause() {
        let breaker = opened(at(0));
        let mut now = 1;
        for pause in [2, 4, 4] {
            let probe = breaker.permit(at(now)).unwrap();
            assert!(breaker.permit(at(now)).is_none(), "one at a time");
            assert!(breaker.is_open(at(now)));
            let change = breaker.failed(probe, Some(&KeyDigest::of("a")), at(now));
            assert_eq!(change, Change::Opened(SECOND * pause));
            now += u64::from(pause);
        }
        let probe = breaker.permit(at(now)).unwrap();
        assert_eq!(breaker.succeeded(probe), Change::Closed);
        assert!(breaker.permit(at(now)).is_some() && breaker.permit(at(now)).is_some());
        fail(&breaker, "a", at(now));
        fail(&breaker, "b", at(now));
        assert_eq!(fail(&breaker, "c", at(now)), Change::Opened(SECOND));
    }

    #[test]
    fn probe_that_is_never_reported_counts_as_failed() {
        let breaker = opened(at(0));
        let lost = breaker.permit(at(1)).unwrap();
        assert!(breaker.permit(at(2)).is_none());
        assert!(breaker.permit(at(3)).is_none(), "it failed: 2 s more");
        assert_eq!(breaker.openings(), 2);
        let next = breaker.permit(at(5)).unwrap();
        assert_eq!(breaker.succeeded(lost), Change::Nothing);
        assert_eq!(breaker.succeeded(next), Change::Closed);
    }

    #[test]
    fn outcome_of_a_lookup_that_began_before_the_opening_is_ignored() {
        let breaker = breaker();
        let before = breaker.permit(at(0)).unwrap();
        for key in ["a", "b", "c"] {
            fail(&breaker, key, at(0));
        }
        assert_eq!(breaker.failed(before, None, at(0)), Change::Nothing);
        assert_eq!(breaker.succeeded(before), Change::Nothing);
        assert!(breaker.is_open(at(0)));
    }

    #[test]
    fn closed_breaker_ignores_the_probe_of_before() {
        let breaker = opened(at(0));
        let probe = breaker.permit(at(1)).unwrap();
        assert_eq!(breaker.close(), Change::Closed);
        assert_eq!(
            breaker.failed(probe, Some(&KeyDigest::of("a")), at(1)),
            Change::Nothing
        );
        assert!(!breaker.is_open(at(1)));
    }
}
