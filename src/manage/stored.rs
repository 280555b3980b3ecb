//! How values of the catalog are written into a repository and into audit entries.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::catalog::{Metadata, Scope, State};
use crate::key::KeyDigest;

/// The time in microseconds since the epoch, as repositories keep it.
pub(crate) fn to_micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
        }
    }
}

/// The time of so many microseconds since the epoch.
pub(crate) fn from_micros(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let time = if micros >= 0 {
        UNIX_EPOCH.checked_add(distance)
    } else {
        UNIX_EPOCH.checked_sub(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}

/// The time as a repository gives it back.
pub(crate) fn rounded(time: SystemTime) -> SystemTime {
    from_micros(to_micros(time))
}

/// The time as RFC 3339 text.
pub(crate) fn time_text(time: SystemTime) -> String {
    let limits = jiff::Timestamp::MIN.as_microsecond()..=jiff::Timestamp::MAX.as_microsecond();
    let micros = to_micros(time).clamp(*limits.start(), *limits.end());
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |at| at.to_string())
}

/// A value that is stored in another form: `#[serde(with = "stored")]`.
pub(super) trait Stored: Sized {
    type Form: Serialize + DeserializeOwned;

    fn to_form(&self) -> Self::Form;
    fn from_form(form: Self::Form) -> Result<Self, String>;
}

pub(super) fn serialize<T: Stored, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.to_form().serialize(serializer)
}

pub(super) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::from_form(T::Form::deserialize(deserializer)?).map_err(D::Error::custom)
}

macro_rules! stored {
    ($($type:ty as $form:ty: $to:expr, $from:expr;)*) => {
        $(impl Stored for $type {
            type Form = $form;

            fn to_form(&self) -> $form {
                ($to)(self)
            }

            fn from_form(form: $form) -> Result<Self, String> {
                ($from)(form)
            }
        })*
    };
}

stored! {
    SystemTime as i64: |time: &SystemTime| to_micros(*time), |micros| Ok(from_micros(micros));
    Option<SystemTime> as Option<i64>:
        |time: &Option<SystemTime>| time.map(to_micros),
        |micros: Option<i64>| Ok(micros.map(from_micros));
    Metadata as Map<String, Value>:
        |metadata: &Metadata| metadata.values().clone(),
        |values: Map<String, Value>| Ok(values.into());
    Vec<Scope> as Vec<String>:
        |scopes: &Vec<Scope>| scopes.iter().map(ToString::to_string).collect(),
        |texts: Vec<String>| texts.iter().map(|text| parse(text)).collect();
    State as String: |state: &State| state.as_str().to_owned(), |text: String| parse(&text);
    KeyDigest as String: KeyDigest::to_hex, |text: String| parse(&text);
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
