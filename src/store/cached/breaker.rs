use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::{Jitter, Moment};

/// When a remote server that fails is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BreakerSettings {
    /// So many failures in a row open it.
    pub(super) failures: u32,
    /// The first time it stays open for so long, then twice as long, and so on
    pub(super) first_pause: Duration,
    /// up to this.
    pub(super) longest_pause: Duration,
}

/// Stops asking a remote server that keeps failing, and lets one lookup through now
/// and then to see whether it is back.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: Option<BreakerSettings>,
    /// A copy of the state's, for readers that must not wait. 0: closed.
    open_until: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In a row.
    failures: u32,
    /// `NEVER` while the one lookup is under way that may close it.
    open_until: Option<Moment>,
    next_pause: Duration,
    /// Counts the openings: what was asked before one says nothing after it.
    openings: u64,
}

/// The permission to ask once. Its outcome must be reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permit {
    openings: u64,
}

/// What a reported outcome did to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// It opened, for so long.
    Opened(Duration),
    Closed,
}

impl Breaker {
    pub(super) fn new(settings: Option<BreakerSettings>) -> Self {
        let next_pause = settings.map_or(Duration::ZERO, |settings| settings.first_pause);
        Self {
            settings,
            open_until: AtomicU64::new(0),
            state: Mutex::new(State {
                failures: 0,
                open_until: None,
                next_pause,
                openings: 0,
            }),
        }
    }

    /// Whether nothing may be asked at that moment.
    pub(super) fn is_open(&self, now: Moment) -> bool {
        now.0 < self.open_until.load(Ordering::Relaxed)
    }

    /// How often it opened.
    pub(super) fn openings(&self) -> u64 {
        self.lock().openings
    }

    /// The permission to ask now, if there is one.
    pub(super) fn permit(&self, now: Moment) -> Option<Permit> {
        let mut state = self.lock();
        match state.open_until {
            Some(until) if now < until => return None,
            Some(_) => self.set_open(&mut state, Some(Moment::NEVER)),
            None => {}
        }
        let openings = state.openings;
        Some(Permit { openings })
    }

    pub(super) fn succeeded(&self, permit: Permit) -> Change {
        let mut state = self.lock();
        if permit.openings != state.openings {
            return Change::Nothing;
        }
        let was_open = state.open_until.is_some();
        state.failures = 0;
        if let Some(settings) = &self.settings {
            state.next_pause = settings.first_pause;
        }
        self.set_open(&mut state, None);
        match was_open {
            true => Change::Closed,
            false => Change::Nothing,
        }
    }

    pub(super) fn failed(&self, permit: Permit, now: Moment, jitter: &Jitter) -> Change {
        let Some(settings) = &self.settings else {
            return Change::Nothing;
        };
        let mut state = self.lock();
        if permit.openings != state.openings {
            return Change::Nothing;
        }
        state.failures = state.failures.saturating_add(1);
        if state.open_until.is_none() && state.failures < settings.failures {
            return Change::Nothing;
        }
        let pause = jitter.spread(state.next_pause);
        state.openings += 1;
        state.next_pause = state
            .next_pause
            .saturating_mul(2)
            .min(settings.longest_pause);
        self.set_open(&mut state, Some(now.after(pause)));
        Change::Opened(pause)
    }

    fn set_open(&self, state: &mut State, until: Option<Moment>) {
        state.open_until = until;
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

    fn breaker() -> (Breaker, Jitter) {
        let breaker = Breaker::new(Some(BreakerSettings {
            failures: 3,
            first_pause: SECOND,
            longest_pause: 4 * SECOND,
        }));
        (breaker, Jitter::new(0.0))
    }

    fn fail(breaker: &Breaker, jitter: &Jitter, now: Moment) -> Change {
        breaker.failed(breaker.permit(now).unwrap(), now, jitter)
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let (breaker, jitter) = breaker();
        for _ in 0..2 {
            assert_eq!(fail(&breaker, &jitter, at(1)), Change::Nothing);
            assert_eq!(fail(&breaker, &jitter, at(1)), Change::Nothing);
            breaker.succeeded(breaker.permit(at(1)).unwrap());
        }
        fail(&breaker, &jitter, at(1));
        fail(&breaker, &jitter, at(1));
        assert_eq!(fail(&breaker, &jitter, at(1)), Change::Opened(SECOND));
        assert!(breaker.is_open(at(1)) && breaker.permit(at(1)).is_none());
        assert!(!breaker.is_open(at(2)));
    }

    #[test]
    fn lets_one_through_after_each_pause_which_grows_to_the_longest() {
        let (breaker, jitter) = breaker();
        for _ in 0..3 {
            fail(&breaker, &jitter, at(0));
        }
        let mut now = 1;
        for pause in [2, 4, 4] {
            let probe = breaker.permit(at(now)).unwrap();
            assert!(breaker.permit(at(now + 100)).is_none(), "one at a time");
            assert!(breaker.is_open(at(now)));
            let change = breaker.failed(probe, at(now), &jitter);
            assert_eq!(change, Change::Opened(SECOND * pause));
            now += u64::from(pause);
        }
        let probe = breaker.permit(at(now)).unwrap();
        assert_eq!(breaker.succeeded(probe), Change::Closed);
        assert!(breaker.permit(at(now)).is_some() && breaker.permit(at(now)).is_some());
        for _ in 0..2 {
            assert_eq!(fail(&breaker, &jitter, at(now)), Change::Nothing);
        }
        assert_eq!(fail(&breaker, &jitter, at(now)), Change::Opened(SECOND));
    }

    #[test]
    fn what_was_asked_before_it_opened_says_nothing_any_more() {
        let (breaker, jitter) = breaker();
        let before = breaker.permit(at(0)).unwrap();
        for _ in 0..3 {
            fail(&breaker, &jitter, at(0));
        }
        assert_eq!(breaker.failed(before, at(0), &jitter), Change::Nothing);
        assert_eq!(breaker.succeeded(before), Change::Nothing);
        assert!(breaker.is_open(at(0)));
        assert_eq!(breaker.openings(), 1);
    }
}
