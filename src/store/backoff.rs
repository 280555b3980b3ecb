//! Pauses between attempts, and the randomness that keeps a fleet from doing
//! everything at the same moment.

use std::time::Duration;

/// Longer durations are treated as this one, a year: nothing waits longer, and
/// adding it to the current time cannot overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Pauses after failures: they double from the first to the longest.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        let longest = longest.min(LONGEST);
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// Starts again with the first pause, after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The pause before the next attempt: between half of it and all of it, at
    /// random.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        shortened(pause, 0.5)
    }
}

/// The duration, shortened at random by at most the given fraction (0.0 to 1.0).
pub(crate) fn shortened(duration: Duration, fraction: f64) -> Duration {
    duration
        .min(LONGEST)
        .mul_f64(1.0 - fraction * fastrand::f64())
}

/// The duration, shortened or lengthened at random by at most the given fraction
/// (0.0 to 1.0).
#[cfg(feature = "cache")]
pub(crate) fn spread(duration: Duration, fraction: f64) -> Duration {
    let between_minus_and_plus_one = 2.0 * fastrand::f64() - 1.0;
    duration
        .min(LONGEST)
        .mul_f64(1.0 + fraction * between_minus_and_plus_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_pause_doubles_up_to_the_longest_and_restarts_after_reset() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(6));
        for most in [1, 2, 4, 6, 6] {
            let pause = backoff.pause();
            assert!(pause <= seconds(most), "{pause:?}");
            assert!(pause >= seconds(most) / 2, "{pause:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= seconds(1));
    }

    #[test]
    fn shortened_duration_varies_and_is_never_longer() {
        let minute = Duration::from_secs(60);
        let times: Vec<_> = (0..100).map(|_| shortened(minute, 0.1)).collect();
        let within = minute.mul_f64(0.9)..=minute;
        assert!(times.iter().all(|time| within.contains(time)));
        assert!(times.iter().any(|time| *time != times[0]));
    }

    #[cfg(feature = "cache")]
    #[test]
    fn spread_duration_stays_within_its_fraction_on_both_sides() {
        let minute = Duration::from_secs(60);
        let times: Vec<_> = (0..1000).map(|_| spread(minute, 0.1)).collect();
        let within = Duration::from_secs(54)..=Duration::from_secs(66);
        assert!(times.iter().all(|time| within.contains(time)));
        assert!(times.iter().any(|time| *time < Duration::from_secs(56)));
        assert!(times.iter().any(|time| *time > Duration::from_secs(64)));
        assert_eq!(spread(minute, 0.0), minute);
    }

    #[test]
    fn endless_duration_becomes_the_longest() {
        assert!(shortened(Duration::MAX, 0.5) >= LONGEST / 2);
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        assert!(backoff.pause() <= LONGEST);
        assert!(backoff.pause() <= LONGEST);
    }
}
