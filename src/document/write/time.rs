use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use serde::ser::{Serialize, Serializer};

/// A time in UTC, with a fraction of a second where it has one.
pub(in crate::document) struct Rfc3339(pub(in crate::document) SystemTime);

impl Rfc3339 {
    /// The calendar's own timestamps end a day before 9999 does, so that the
    /// reckoning is done without an offset, as in reading.
    fn date_time(&self) -> DateTime {
        let since = match self.0.duration_since(UNIX_EPOCH) {
            Ok(since) => SignedDuration::try_from(since),
            Err(before) => SignedDuration::try_from(before.duration()).map(|since| -since),
        };
        let is_before = self.0 < UNIX_EPOCH;
        let nearest = || if is_before { first() } else { DateTime::MAX };
        let Ok(since) = since else { return nearest() };
        let time = date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since);
        time.map_or_else(|_| nearest(), |time| time.max(first()))
    }
}

/// RFC 3339 has no years before 0.
fn first() -> DateTime {
    date(0, 1, 1).at(0, 0, 0, 0)
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.date_time();
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match time.subsec_nanosecond() {
            0 => {}
            nanos if nanos % 1000 == 0 => write!(f, ".{:06}", nanos / 1000)?,
            nanos => write!(f, ".{nanos:09}")?,
        }
        f.write_str("Z")
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn writes_utc_and_the_nearest_year_that_has_four_digits() {
        let after = |seconds, nanos| UNIX_EPOCH + Duration::new(seconds, nanos);
        let before = |seconds, nanos| UNIX_EPOCH - Duration::new(seconds, nanos);
        for (time, text) in [
            (after(0, 0), "1970-01-01T00:00:00Z"),
            (after(1, 500_000_000), "1970-01-01T00:00:01.500000Z"),
            (after(1_798_761_600, 1), "2027-01-01T00:00:00.000000001Z"),
            (before(1, 500_000_000), "1969-12-31T23:59:58.500000Z"),
            (after(253_402_300_799, 0), "9999-12-31T23:59:59Z"),
            (after(253_402_300_800, 0), "9999-12-31T23:59:59.999999999Z"),
            (after(1 << 61, 0), "9999-12-31T23:59:59.999999999Z"),
            (before(62_167_219_200, 0), "0000-01-01T00:00:00Z"),
            (before(62_167_219_201, 0), "0000-01-01T00:00:00Z"),
            (before(1 << 61, 0), "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(Rfc3339(time).to_string(), text);
        }
    }
}
