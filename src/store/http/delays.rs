use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Growing pauses between attempts that fail.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        let next = first;
        Self {
            first,
            longest,
            next,
        }
    }

    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The pause before the next attempt: a fleet that lost its remote server at one
    /// moment must not come back at one moment.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        jittered(pause, 0.5)
    }
}

/// Longer than anybody waits, and short enough to be reckoned with.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time less up to that part of it.
pub(super) fn jittered(time: Duration, part: f64) -> Duration {
    time.min(LONGEST).mul_f64(1.0 - part * random())
}

/// From 0 up to 1. The standard library's hash keys are random enough to spread
/// a fleet.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(6));
        for most in [1, 2, 4, 6, 6] {
            let pause = backoff.pause();
            assert!(
                pause <= seconds(most) && pause >= seconds(most) / 2,
                "{pause:?}"
            );
        }
        backoff.reset();
        assert!(backoff.pause() <= seconds(1));
    }

    #[test]
    fn jitter_differs_and_never_lengthens() {
        let minute = Duration::from_secs(60);
        let times: Vec<_> = (0..100).map(|_| jittered(minute, 0.1)).collect();
        assert!(
            times
                .iter()
                .all(|time| *time <= minute && *time > minute.mul_f64(0.9))
        );
        assert!(times.iter().any(|time| *time != times[0]));
        assert!(jittered(Duration::MAX, 0.1) > Duration::ZERO);
    }
}
