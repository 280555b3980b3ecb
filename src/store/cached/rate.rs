use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::Moment;

const SECOND: u64 = 1_000_000_000;

/// How many lookups of keys never seen before may go out.
///
/// A token bucket in one number: the moment at which it would be full again.
#[derive(Debug)]
pub(super) struct Rate {
    /// Nanoseconds that one token takes to come back.
    token: u64,
    /// Nanoseconds that a whole bucket takes.
    bucket: u64,
    full_at: AtomicU64,
}

impl Rate {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let token = SECOND / u64::from(per_second.max(1));
        Self {
            token,
            bucket: token * u64::from(burst),
            full_at: AtomicU64::new(0),
        }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&self, now: Moment) -> bool {
        let take = |full_at: u64| {
            let after = full_at.max(now.0).saturating_add(self.token);
            (after - now.0 <= self.bucket).then_some(after)
        };
        self.full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    /// Puts a token back. More than full it never gets.
    pub(super) fn give_back(&self) {
        let give = |full_at: u64| Some(full_at.saturating_sub(self.token));
        // The closure never declines.
        let _ = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: &Rate, at_millis: u64, tries: u32) -> usize {
        let now = Moment(at_millis * 1_000_000);
        (0..tries).filter(|_| rate.take(now)).count()
    }

    #[test]
    fn gives_a_burst_and_then_the_rate() {
        let rate = Rate::new(100, 20);
        assert_eq!(taken(&rate, 0, 1000), 20);
        assert_eq!(taken(&rate, 5, 1000), 0);
        assert_eq!(taken(&rate, 10, 1000), 1);
        assert_eq!(taken(&rate, 60, 1000), 5);
        assert_eq!(taken(&rate, 100_000, 1000), 20);
    }

    #[test]
    fn returned_token_is_reusable_up_to_the_limit() {
        let rate = Rate::new(100, 20);
        assert_eq!(taken(&rate, 50, 20), 20);
        rate.give_back();
        assert_eq!(taken(&rate, 50, 1000), 1);
        for _ in 0..1000 {
            rate.give_back();
        }
        assert_eq!(taken(&rate, 50, 1000), 20);
    }
}
