use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time in microseconds of Unix time: eight bytes, enough for `9999-12-31`, which
/// catalogs use for "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    const MIN: Self = Self(i64::MIN);
    const MAX: Self = Self(i64::MAX);

    pub(crate) fn now() -> Self {
        SystemTime::now().into()
    }

    /// The time as the platform represents it, if it can.
    fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_micros(self.0.unsigned_abs());
        if self.0 >= 0 {
            UNIX_EPOCH.checked_add(distance)
        } else {
            UNIX_EPOCH.checked_sub(distance)
        }
    }
}

/// Rounds down to a microsecond. Times beyond the range of an `i64` become the
/// nearest one within it.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)),
            Err(before) => {
                let before = before.duration().as_nanos().div_ceil(1000);
                Self(i64::try_from(before).map_or(i64::MIN, |micros| -micros))
            }
        }
    }
}

/// The time from which, and the time until which, something is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    from: Timestamp,
    until: Timestamp,
}

impl Validity {
    pub(crate) const ALWAYS: Self = Self {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
    };

    pub(crate) fn new(from: Option<SystemTime>, until: Option<SystemTime>) -> Self {
        Self {
            from: from.map_or(Timestamp::MIN, Into::into),
            until: until.map_or(Timestamp::MAX, Into::into),
        }
    }

    pub(crate) fn until(until: Option<SystemTime>) -> Self {
        Self::new(None, until)
    }

    pub(crate) fn is_always(self) -> bool {
        self == Self::ALWAYS
    }

    /// Whether the end has passed. The end itself is no longer valid.
    pub(crate) fn is_over_at(self, now: Timestamp) -> bool {
        self.until != Timestamp::MAX && now >= self.until
    }

    pub(crate) fn begins_after(self, now: Timestamp) -> bool {
        now < self.from
    }

    pub(crate) fn start(self) -> Option<SystemTime> {
        (self.from != Timestamp::MIN).then(|| self.from.to_system_time())?
    }

    pub(crate) fn end(self) -> Option<SystemTime> {
        (self.until != Timestamp::MAX).then(|| self.until.to_system_time())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_either_side_of_the_epoch_is_rounded_down() {
        let nanos = Duration::from_nanos(1_500);
        assert_eq!(Timestamp::from(UNIX_EPOCH + nanos), Timestamp(1));
        assert_eq!(Timestamp::from(UNIX_EPOCH - nanos), Timestamp(-2));
    }

    #[test]
    fn validity_includes_its_start_and_not_its_end() {
        let at = |secs| UNIX_EPOCH + Duration::from_secs(secs);
        let validity = Validity::new(Some(at(10)), Some(at(20)));
        let limits = |secs| {
            let now = at(secs).into();
            (validity.begins_after(now), validity.is_over_at(now))
        };
        assert_eq!(limits(9), (true, false));
        assert_eq!(limits(10), (false, false));
        assert_eq!(limits(19), (false, false));
        assert_eq!(limits(20), (false, true));
    }

    #[test]
    fn validity_returns_the_ends_that_it_was_made_of() {
        let at = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        let validity = Validity::new(Some(UNIX_EPOCH), Some(at));
        assert_eq!(
            (validity.start(), validity.end()),
            (Some(UNIX_EPOCH), Some(at))
        );
        assert_eq!(
            (Validity::ALWAYS.start(), Validity::ALWAYS.end()),
            (None, None)
        );
        assert!(Validity::new(None, None).is_always());
    }
}
