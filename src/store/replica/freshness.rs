use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use super::CatalogUnavailable;

/// How long ago the version in use was confirmed, against a bound. Monotonic: a
/// wall clock that is set makes no version younger.
pub(super) struct Freshness {
    pub(super) max_staleness: Option<Duration>,
    start: Instant,
    /// In milliseconds from the start; negative for a version from a snapshot.
    confirmed_at: AtomicI64,
}

impl Freshness {
    pub(super) fn new(max_staleness: Option<Duration>) -> Self {
        Self {
            max_staleness,
            start: Instant::now(),
            confirmed_at: AtomicI64::new(0),
        }
    }

    pub(super) fn confirm(&self, age: Duration) {
        let now = millis(self.start.elapsed());
        let at = now.saturating_sub(millis(age));
        self.confirmed_at.store(at, Ordering::Release);
    }

    pub(super) fn check(&self) -> Result<(), CatalogUnavailable> {
        let Some(max_staleness) = self.max_staleness else {
            return Ok(());
        };
        let now = millis(self.start.elapsed());
        let age = now.saturating_sub(self.confirmed_at.load(Ordering::Acquire));
        let age = Duration::from_millis(age.unsigned_abs());
        if age <= max_staleness {
            return Ok(());
        }
        Err(CatalogUnavailable::Stale { age, max_staleness })
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
