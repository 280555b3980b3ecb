use std::time::Duration;

use tokio::time::Instant;

/// A moment in nanoseconds: half the size of an `Instant`, and it fits an atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

impl Moment {
    pub(super) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    pub(super) fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// The time since an earlier moment.
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The runtime's clock, so that a paused runtime also pauses the cache.
#[derive(Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    /// 36 years, so that entries from a snapshot can be older than the clock.
    const START: Moment = Moment(1 << 60);

    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> Moment {
        Self::START.after(self.0.elapsed())
    }
}

/// The given fraction of a duration.
pub(super) fn fraction_of(duration: Duration, fraction: f64) -> Duration {
    Duration::from_nanos((nanos(duration) as f64 * fraction) as u64)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
