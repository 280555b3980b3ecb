//! Times in documents: RFC 3339 with an offset.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

/// Text that is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TimeError {
    #[error("a time is written like `2027-06-30T00:00:00Z` (RFC 3339)")]
    Shape,
    #[error("a time has an offset: add `Z` for UTC, or one like `+02:00`")]
    NoOffset,
    #[error("there is no such time")]
    NoSuchTime,
}

const DATE_TIME: &[u8] = b"dddd-dd-ddTdd:dd:dd";
const OFFSET: &[u8] = b"+dd:dd";

/// `jiff::Timestamp` ends a day before the end of 9999, which is often used for "never".
/// So times are counted from here, without an offset.
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// Reads a time in the format of RFC 3339. The parser of `jiff` accepts far more
/// (weeks, zones, commas, no seconds), so the shape is checked first.
pub(super) fn parse(text: &str) -> Result<SystemTime, TimeError> {
    let (date_time, rest) = text
        .split_at_checked(DATE_TIME.len())
        .ok_or(TimeError::Shape)?;
    let (fraction, offset) = split_fraction(rest)?;
    if !has_shape(date_time, DATE_TIME) {
        return Err(TimeError::Shape);
    }
    if offset.is_empty() {
        return Err(TimeError::NoOffset);
    }
    let offset = offset_seconds(offset).ok_or(TimeError::Shape)?;
    let local: DateTime = date_time.parse().map_err(|_| TimeError::NoSuchTime)?;
    let since = local.duration_since(EPOCH) - SignedDuration::from_secs(offset) + nanos(fraction);
    let distance = since.unsigned_abs();
    let time = match since.is_negative() {
        true => UNIX_EPOCH.checked_sub(distance),
        false => UNIX_EPOCH.checked_add(distance),
    };
    time.ok_or(TimeError::NoSuchTime)
}

/// The digits behind a point, and what follows them.
fn split_fraction(rest: &str) -> Result<(&str, &str), TimeError> {
    let Some(fraction) = rest.strip_prefix('.') else {
        return Ok(("", rest));
    };
    let offset = fraction.trim_start_matches(|char: char| char.is_ascii_digit());
    let digits = &fraction[..fraction.len() - offset.len()];
    if digits.is_empty() {
        return Err(TimeError::Shape);
    }
    Ok((digits, offset))
}

fn has_shape(text: &str, shape: &[u8]) -> bool {
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'T' => byte.eq_ignore_ascii_case(shape),
        b'+' => matches!(byte, b'+' | b'-'),
        _ => byte == *shape,
    };
    text.len() == shape.len() && text.bytes().zip(shape).all(fits)
}

fn offset_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    if !has_shape(text, OFFSET) {
        return None;
    }
    let hours: i64 = text.get(1..3)?.parse().ok()?;
    let minutes: i64 = text.get(4..6)?.parse().ok()?;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Nine digits; RFC 3339 allows more, and no clock here counts them.
fn nanos(fraction: &str) -> SignedDuration {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = digits.fold(0, |nanos, digit| nanos * 10 + i64::from(digit - b'0'));
    SignedDuration::from_nanos(nanos)
}

/// Writes a time in UTC, with a fraction of a second if it has one.
pub(super) fn format(time: SystemTime) -> String {
    // RFC 3339 has no years before 0.
    const FIRST: DateTime = date(0, 1, 1).at(0, 0, 0, 0);
    let (since, nearest) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (SignedDuration::try_from(since), DateTime::MAX),
        Err(before) => {
            let since = SignedDuration::try_from(before.duration());
            (since.map(|since| -since), FIRST)
        }
    };
    let time = since.and_then(|since| EPOCH.checked_add(since));
    let time = time.unwrap_or(nearest).max(FIRST);
    match time.subsec_nanosecond() {
        0 => format!("{time}Z"),
        nanos if nanos % 1000 == 0 => format!("{time:.6}Z"),
        _ => format!("{time:.9}Z"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn reads_rfc_3339() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:01Z", 1, 0),
            ("1970-01-01t00:00:01z", 1, 0),
            ("1970-01-01T00:00:01-00:00", 1, 0),
            ("1970-01-01T02:00:01+02:00", 1, 0),
            ("1969-12-31T23:30:01.5-00:30", 1, 500_000_000),
            ("1970-01-01T00:00:01.1234567899Z", 1, 123_456_789),
            ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
            ("9999-12-31T23:59:59-23:59", 253_402_387_139, 0),
        ] {
            let expected = UNIX_EPOCH + Duration::new(seconds, nanos);
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        let before = UNIX_EPOCH - Duration::new(1, 500_000_000);
        assert_eq!(parse("1969-12-31T23:59:58.5Z"), Ok(before));
        assert!(parse("0000-01-01T00:00:00+23:59").is_ok());
        assert!(parse("2016-12-31T23:59:60Z").is_ok());
    }

    #[test]
    fn refuses_everything_else() {
        for (text, error) in [
            ("", TimeError::Shape),
            ("2027-01-01", TimeError::Shape),
            ("2027-01-01 00:00:00Z", TimeError::Shape),
            ("2027-01-01T00:00Z", TimeError::Shape),
            ("2027-01-01T00:00:00,5Z", TimeError::Shape),
            ("2027-01-01T00:00:00.Z", TimeError::Shape),
            ("2027-01-01T00:00:00+01", TimeError::Shape),
            ("2027-01-01T00:00:00+0100", TimeError::Shape),
            ("2027-01-01T00:00:00+24:00", TimeError::Shape),
            ("2027-01-01T00:00:00+01:60", TimeError::Shape),
            ("2027-01-01T00:00:00Z[Europe/Paris]", TimeError::Shape),
            ("+002027-01-01T00:00:00Z", TimeError::Shape),
            ("20270101T000000Z", TimeError::Shape),
            ("2027-01-01T00:00:0éZ", TimeError::Shape),
            ("2027-01-01T00:00:00", TimeError::NoOffset),
            ("2027-01-01T00:00:00.5", TimeError::NoOffset),
            ("2027-02-29T00:00:00Z", TimeError::NoSuchTime),
            ("2027-13-01T00:00:00Z", TimeError::NoSuchTime),
            ("2027-01-01T24:00:00Z", TimeError::NoSuchTime),
            ("2027-01-01T00:00:61Z", TimeError::NoSuchTime),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

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
            assert_eq!(format(time), text);
        }
    }
}
