//! How values of the catalog are written into a repository and into audit entries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

pub(super) mod time {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        time: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        to_micros(*time).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SystemTime, D::Error> {
        i64::deserialize(deserializer).map(from_micros)
    }
}

pub(super) mod optional_time {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(to_micros).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(from_micros))
    }
}

pub(super) mod metadata {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        metadata: &Metadata,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        metadata.values().serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Metadata, D::Error> {
        Map::<String, Value>::deserialize(deserializer).map(Into::into)
    }
}

pub(super) mod scopes {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        scopes: &[Scope],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(scopes.iter().map(ToString::to_string))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Scope>, D::Error> {
        let scopes = Vec::<String>::deserialize(deserializer)?;
        let scopes = scopes.iter().map(|scope| scope.parse());
        scopes
            .collect::<Result<_, _>>()
            .map_err(serde::de::Error::custom)
    }
}

pub(super) mod state {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        state: &State,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        state.as_str().serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<State, D::Error> {
        let state = std::borrow::Cow::<str>::deserialize(deserializer)?;
        state.parse().map_err(serde::de::Error::custom)
    }
}

pub(super) mod digest {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        digest: &KeyDigest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        digest.to_hex().serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<KeyDigest, D::Error> {
        let digest = std::borrow::Cow::<str>::deserialize(deserializer)?;
        digest.parse().map_err(serde::de::Error::custom)
    }
}
