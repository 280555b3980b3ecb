//! Values of flags: read here, and never repeated when they are wrong, because
//! a key may have been typed in their place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::Value;
use tower_subscription_key::access::{InapplicableKey, Unmatched};
use tower_subscription_key::catalog::{KeySlot, Scope, State};
use tower_subscription_key::document::Format;
use tower_subscription_key::key::{KeyHeader, KeyQuery};
use tower_subscription_key::{document, lint};

/// The longest duration: a year.
const MAX_DURATION: Duration = Duration::from_secs(365 * 86_400);

const TIME: &str = "a time is written like `2027-06-30T00:00:00Z`, `2027-06-30` or `90d`";
const DURATION: &str = "a duration is a number and s, m, h or d, at most 365d, like `24h`";

/// A moment, as clap carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(pub(crate) SystemTime);

/// An end of validity, or explicitly none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    At(SystemTime),
}

impl End {
    /// `None` for a key or subscription that never ends.
    pub(crate) fn time(self) -> Option<SystemTime> {
        match self {
            Self::Never => None,
            Self::At(time) => Some(time),
        }
    }
}

/// A metadata value and its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: Value,
}

/// One of the given words.
fn word<T: Clone + Send + Sync + 'static, const N: usize>(
    words: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.each_ref().map(|(word, _)| *word)).try_map(move |given| {
        let found = words.iter().find(|(word, _)| *word == given);
        found.map(|(_, value)| value.clone()).ok_or(given)
    })
}

pub(crate) fn slot() -> impl TypedValueParser<Value = KeySlot> {
    word([KeySlot::Primary, KeySlot::Secondary].map(|slot| (slot.as_str(), slot)))
}

pub(crate) fn inapplicable_key() -> impl TypedValueParser<Value = InapplicableKey> {
    word([
        ("ignore", InapplicableKey::Ignore),
        ("deny", InapplicableKey::Deny),
    ])
}

pub(crate) fn unmatched() -> impl TypedValueParser<Value = Unmatched> {
    word([("deny", Unmatched::Deny), ("pass", Unmatched::Pass)])
}

pub(crate) fn format() -> impl TypedValueParser<Value = Format> {
    word([
        ("toml", Format::Toml),
        ("json", Format::Json),
        ("yaml", Format::Yaml),
    ])
}

/// Where files to import come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Catalog,
    Azure,
    Kong,
}

pub(crate) fn system() -> impl TypedValueParser<Value = System> {
    word([
        ("catalog", System::Catalog),
        ("azure", System::Azure),
        ("kong", System::Kong),
    ])
}

pub(crate) fn scope(text: &str) -> Result<Scope, String> {
    text.parse::<Scope>().map_err(|error| error.to_string())
}

pub(crate) fn state(text: &str) -> Result<State, String> {
    text.parse::<State>().map_err(|error| error.to_string())
}

pub(crate) fn finding_code(text: &str) -> Result<String, String> {
    let known = lint::Code::ALL.map(lint::Code::as_str);
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("a code is one of {}", known.join(", ")))
}

/// The path of a request, without its query.
pub(crate) fn request_path(text: &str) -> Result<String, String> {
    if text.contains('?') {
        return Err("leave out `?` and what follows: a path has no query".to_owned());
    }
    if !text.starts_with('/') {
        return Err("a path begins with `/`".to_owned());
    }
    Ok(text.to_owned())
}

/// The path of an API.
pub(crate) fn api_path(text: &str) -> Result<String, String> {
    if text.contains('?') {
        return Err("leave out `?` and what follows: a path has no query".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn key_header(text: &str) -> Result<String, String> {
    KeyHeader::new(text).map(|_| text.to_owned()).map_err(|_| {
        "a key cannot travel in a header of this name: use one like `X-Api-Key`".into()
    })
}

pub(crate) fn key_query(text: &str) -> Result<String, String> {
    KeyQuery::new(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

pub(crate) fn prefix(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if (1..=32).contains(&text.len()) && text.bytes().all(fits) && !text.ends_with('_') {
        return Ok(text.to_owned());
    }
    Err("a prefix has 1 to 32 of A-Z, a-z, 0-9 and `_`, and does not end in `_`".to_owned())
}

pub(crate) fn assignment(text: &str) -> Result<Assignment, String> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or("write it like `plan=gold`")?;
    // A number, `true` or JSON stays what it is; all else is text.
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    let key = key.to_owned();
    Ok(Assignment { key, value })
}

pub(crate) fn api_field(text: &str) -> Result<String, String> {
    field(text, &["display_name", "header", "query", "metadata"])
}

pub(crate) fn product_field(text: &str) -> Result<String, String> {
    let own = ["apis", "description", "terms", "subscriptions_limit"];
    field(text, &[&["display_name", "metadata"][..], &own].concat())
}

pub(crate) fn subscription_field(text: &str) -> Result<String, String> {
    let own = ["owner", "not_before", "expires_at", "description"];
    field(text, &[&["display_name", "metadata"][..], &own].concat())
}

fn field(text: &str, known: &[&str]) -> Result<String, String> {
    let text = match text {
        "name" => "display_name",
        "expires" => "expires_at",
        "not-before" => "not_before",
        other => other,
    };
    if known.contains(&text)
        || text
            .strip_prefix("metadata.")
            .is_some_and(|k| !k.is_empty())
    {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a field is one of {}, metadata.KEY",
        known.join(", ")
    ))
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.chars().last().ok_or(DURATION)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(DURATION.to_owned()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DURATION.to_owned());
    }
    let number: u64 = digits.parse().map_err(|_| DURATION)?;
    let seconds = number.checked_mul(seconds).ok_or(DURATION)?;
    let duration = Duration::from_secs(seconds);
    if duration > MAX_DURATION {
        return Err(DURATION.to_owned());
    }
    Ok(duration)
}

/// RFC 3339, a date (its first moment, in UTC), or a duration from now.
pub(crate) fn time(text: &str) -> Result<When, String> {
    if let Ok(duration) = duration(text) {
        let time = SystemTime::now().checked_add(duration).ok_or(TIME)?;
        // Whole seconds: a time is written and read by people.
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| TIME)?;
        return Ok(When(UNIX_EPOCH + Duration::from_secs(since.as_secs())));
    }
    let is_date = text.len() == "2027-06-30".len();
    let midnight = if is_date { "T00:00:00Z" } else { "" };
    document::parse_time(&format!("{text}{midnight}"))
        .map(When)
        .ok_or_else(|| TIME.to_owned())
}

pub(crate) fn end(text: &str) -> Result<End, String> {
    if text == "none" {
        return Ok(End::Never);
    }
    time(text)
        .map(|When(time)| End::At(time))
        .map_err(|error| format!("{error}, or `none`"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_a_number_and_a_unit_of_at_most_a_year() {
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("365d"), Ok(MAX_DURATION));
        for text in [
            "",
            "d",
            "1",
            "366d",
            "-1d",
            "1w",
            "1.5h",
            "1 d",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_is_rfc_3339_or_a_date_or_a_duration_from_now() {
        let date = time("2027-06-30").unwrap();
        assert_eq!(time("2027-06-30T00:00:00Z").unwrap(), date);
        let When(soon) = time("90d").unwrap();
        assert!(soon > SystemTime::now() + Duration::from_secs(89 * 86_400));
        for text in [
            "",
            "tomorrow",
            "2027-02-30",
            "20270630",
            "2027-06-30T00:00:00",
            "2027-W01-1",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn assignment_keeps_numbers_and_takes_the_rest_for_text() {
        assert_eq!(assignment("n=5").unwrap().value, Value::from(5));
        assert_eq!(assignment("a=b=c").unwrap().value, Value::from("b=c"));
        assert!(assignment("=x").is_err() && assignment("x").is_err());
    }
}
