use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A moment, in nanoseconds since long before its [`Clock`] began: half the size of an
/// `Instant`, and it fits an atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

impl Moment {
    pub(super) const NEVER: Self = Self(u64::MAX);

    pub(super) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// How long after that moment, if it is.
    #[cfg(feature = "document")]
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(super) fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

/// The runtime's clock, so that a paused runtime also pauses what is cached.
#[derive(Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    /// 36 years: what is read from the disk is older than the clock.
    const BEGIN: Moment = Moment(1 << 60);

    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> Moment {
        Self::BEGIN.after(self.0.elapsed())
    }
}

/// Spreads moments that would otherwise fall together: what was asked for at
/// once must not end at once, and a fleet must not retry as one.
#[derive(Debug)]
pub(super) struct Jitter {
    part: f64,
    seed: RandomState,
    drawn: AtomicU64,
}

impl Jitter {
    /// Up to that part of a duration more or less.
    pub(super) fn new(part: f64) -> Self {
        Self {
            part,
            seed: RandomState::new(),
            drawn: AtomicU64::new(0),
        }
    }

    pub(super) fn spread(&self, duration: Duration) -> Duration {
        let draw = self
            .seed
            .hash_one(self.drawn.fetch_add(1, Ordering::Relaxed));
        let between_minus_and_plus_one = 2.0 * (draw as f64 / u64::MAX as f64) - 1.0;
        part_of(duration, 1.0 + self.part * between_minus_and_plus_one)
    }
}

/// That part of a duration, or of 584 years if it is longer.
pub(super) fn part_of(duration: Duration, part: f64) -> Duration {
    Duration::from_nanos((nanos(duration) as f64 * part) as u64)
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_part_and_does_spread() {
        let jitter = Jitter::new(0.1);
        let minute = Duration::from_secs(60);
        let drawn: Vec<_> = (0..1000).map(|_| jitter.spread(minute)).collect();
        let within = Duration::from_secs(54)..=Duration::from_secs(66);
        assert!(drawn.iter().all(|drawn| within.contains(drawn)));
        assert!(drawn.iter().any(|drawn| *drawn < Duration::from_secs(56)));
        assert!(drawn.iter().any(|drawn| *drawn > Duration::from_secs(64)));
        assert_eq!(Jitter::new(0.0).spread(minute), minute);
    }

    #[test]
    fn endless_durations_end_at_the_clocks_end() {
        assert_eq!(Moment(5).after(Duration::MAX), Moment::NEVER);
        let long = Jitter::new(0.5).spread(Duration::MAX);
        assert!(long > Duration::from_secs(1 << 32));
    }
}
