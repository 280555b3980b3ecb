use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Text that is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::document) enum TimeError {
    #[error("a time is written like `2027-06-30T00:00:00Z` (RFC 3339)")]
    Shape,
    #[error("a time has an offset: add `Z` for UTC, or one like `+02:00`")]
    NoOffset,
    #[error("there is no such time")]
    NoSuchTime,
}

const DATE_TIME: &[u8] = b"dddd-dd-ddTdd:dd:dd";
const OFFSET: &[u8] = b"+dd:dd";

/// What `SystemTime` counts; RFC 3339 sets no limit.
const FRACTION_DIGITS: usize = 9;

/// Reads a time as RFC 3339 has it. The calendar's own parser takes far more
/// (weeks, zones, commas, no seconds), so that the shape is checked first.
pub(in crate::document) fn parse(text: &str) -> Result<SystemTime, TimeError> {
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
    if !is_offset(offset) {
        return Err(TimeError::Shape);
    }
    let time = match fraction.get(..FRACTION_DIGITS) {
        Some(digits) => format!("{date_time}.{digits}{offset}").parse(),
        None => text.parse(),
    };
    time.ok().and_then(system_time).ok_or(TimeError::NoSuchTime)
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

fn is_offset(text: &str) -> bool {
    // Two digits compare as the numbers that they are.
    let in_range = || text.get(1..3) <= Some("23") && text.get(4..6) <= Some("59");
    text.eq_ignore_ascii_case("Z") || (has_shape(text, OFFSET) && in_range())
}

fn system_time(time: Timestamp) -> Option<SystemTime> {
    let (seconds, nanos) = (time.as_second(), time.subsec_nanosecond());
    let distance = Duration::new(seconds.unsigned_abs(), nanos.unsigned_abs());
    if seconds < 0 || nanos < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            let expected = UNIX_EPOCH + Duration::new(seconds, nanos);
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        let before = UNIX_EPOCH - Duration::new(1, 500_000_000);
        assert_eq!(parse("1969-12-31T23:59:58.5Z"), Ok(before));
        assert!(parse("0000-01-01T00:00:00Z").is_ok());
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
}
