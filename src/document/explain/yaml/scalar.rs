use std::borrow::Cow;

use serde_json::Number;

use crate::document::explain::node::{Text, Value};

/// A scalar without quotes, as the core schema of YAML 1.2 reads it. `yes`,
/// `off` and dates are text there.
pub(super) fn resolve(text: Cow<'_, str>) -> Value {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        number if is_number(number) => Value::number(number_of(number)),
        _ => Value::Text(Text::new(text.into_owned())),
    }
}

fn is_number(text: &str) -> bool {
    let is_all = |digits: &str, radix| {
        !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))
    };
    if let Some(digits) = text.strip_prefix("0o") {
        return is_all(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return is_all(digits, 16);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_is_one = exponent
        .map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent))
        .is_none_or(|digits| is_all(digits, 10));
    exponent_is_one
        && match mantissa.split_once('.') {
            None => is_all(mantissa, 10),
            Some(("", fraction)) => is_all(fraction, 10),
            Some((whole, fraction)) => {
                is_all(whole, 10) && (fraction.is_empty() || is_all(fraction, 10))
            }
        }
}

/// `None` if JSON has no such number.
fn number_of(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().map(Number::from);
        }
    }
    let integer = text.parse::<i64>().map(Number::from);
    let integer = integer.or_else(|_| text.parse::<u64>().map(Number::from));
    integer
        .ok()
        .or_else(|| Number::from_f64(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_scalars_as_the_core_schema_does() {
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("True", "true or false"),
            ("yes", "text"),
            ("off", "text"),
            ("12", "a number"),
            ("-12", "a number"),
            ("+012", "a number"),
            ("0o17", "a number"),
            ("0xfF", "a number"),
            ("0b1", "text"),
            ("1_000", "text"),
            (".5", "a number"),
            ("5.", "a number"),
            (".", "text"),
            ("1e5", "a number"),
            ("264e4141", "a number"),
            ("264a4141", "text"),
            ("1e", "text"),
            ("-.inf", "a number"),
            (".nan", "a number"),
            ("-.nan", "text"),
            ("inf", "text"),
            ("12:30:45", "text"),
            ("2027-01-01T00:00:00Z", "text"),
        ] {
            assert_eq!(resolve(text.into()).kind(), expected, "{text}");
        }
    }
}
