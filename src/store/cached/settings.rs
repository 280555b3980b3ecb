use std::time::Duration;

use super::CacheConfigError;
use super::breaker::BreakerSettings;
use crate::store::backoff::LONGEST;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) capacity: usize,
    pub(super) unknown_capacity: usize,
    pub(super) found_for: Duration,
    pub(super) unknown_for: Duration,
    pub(super) jitter: f64,
    pub(super) refresh_ahead: f64,
    pub(super) stale_for: Duration,
    pub(super) timeout: Duration,
    pub(super) breaker: Option<BreakerSettings>,
    /// Per second, and burst.
    pub(super) unknown_rate: Option<(u32, u32)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            capacity: 100_000,
            unknown_capacity: 10_000,
            found_for: Duration::from_secs(60),
            unknown_for: Duration::from_secs(10),
            jitter: 0.1,
            refresh_ahead: 0.2,
            stale_for: Duration::from_secs(300),
            timeout: Duration::from_secs(2),
            breaker: Some(BreakerSettings {
                failures: 5,
                first_pause: Duration::from_secs(1),
                longest_pause: Duration::from_secs(30),
            }),
            unknown_rate: Some((1000, 1000)),
        }
    }
}

/// The largest fraction for jitter and refreshing: more would leave nothing of a
/// lifetime.
const HALF: f64 = 0.5;

/// The breaker remembers this many failing keys at most.
const MOST_FAILURES: u32 = 1000;

impl Settings {
    /// The settings, with what is too large cut down to what can work.
    pub(super) fn checked(mut self) -> Result<Self, CacheConfigError> {
        for (setting, room) in [
            ("capacity", self.capacity),
            ("unknown_capacity", self.unknown_capacity),
        ] {
            if room == 0 {
                return Err(CacheConfigError::NoRoom { setting });
            }
        }
        for (setting, time) in [
            ("found_for", Some(self.found_for)),
            ("timeout", Some(self.timeout)),
            ("breaker", self.breaker.map(|breaker| breaker.first_pause)),
        ] {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(CacheConfigError::NoTime { setting });
            }
        }
        for (setting, value) in [
            ("jitter", self.jitter),
            ("refresh_ahead", self.refresh_ahead),
        ] {
            // Refuses NaN, too.
            if !(0.0..=HALF).contains(&value) {
                let most = HALF;
                return Err(CacheConfigError::Fraction {
                    setting,
                    value,
                    most,
                });
            }
        }
        if let Some((0, _) | (_, 0)) = self.unknown_rate {
            return Err(CacheConfigError::NoRate);
        }
        if let Some(breaker) = &mut self.breaker {
            if breaker.failures == 0 {
                return Err(CacheConfigError::NoFailures);
            }
            if breaker.first_pause > breaker.longest_pause {
                return Err(CacheConfigError::Pauses);
            }
            breaker.failures = breaker.failures.min(MOST_FAILURES);
        }
        self.timeout = self.timeout.min(LONGEST);
        Ok(self)
    }
}
