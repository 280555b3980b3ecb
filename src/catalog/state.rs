use std::fmt;
use std::str::FromStr;

use crate::catalog::nearest;

/// The state of a subscription. Only [`State::Active`] opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum State {
    /// In use.
    #[default]
    Active,
    /// Temporarily disabled.
    Suspended,
    /// Requested and waiting for approval.
    Submitted,
    /// Requested and not approved.
    Rejected,
    /// Cancelled by its owner or an administrator.
    Cancelled,
    /// Past its end date.
    Expired,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Suspended,
        Self::Submitted,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The state as catalogs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Submitted => "submitted",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a state is one of active, suspended, submitted, rejected, cancelled, expired{}",
    meant(*suggestion)
)]
pub struct StateParseError {
    suggestion: Option<State>,
}

fn meant(suggestion: Option<State>) -> String {
    match suggestion {
        Some(state) => format!(": did you mean `{state}`?"),
        None => String::new(),
    }
}

impl StateParseError {
    /// The state that was probably meant.
    #[must_use]
    pub fn suggestion(self) -> Option<State> {
        self.suggestion
    }
}

impl FromStr for State {
    type Err = StateParseError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let find = |word: &str| Self::ALL.into_iter().find(|state| state.as_str() == word);
        find(word).ok_or_else(|| {
            let near = nearest(word, Self::ALL.map(Self::as_str));
            let suggestion = near.and_then(find);
            StateParseError { suggestion }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn state_is_read_and_another_word_refused_with_the_state_that_was_meant() {
        for state in State::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        for (word, meant) in [
            ("Suspended", Some(State::Suspended)),
            ("canceled", Some(State::Cancelled)),
            ("actve", Some(State::Active)),
            ("on", None),
        ] {
            let error = word.parse::<State>().unwrap_err();
            assert_eq!(error.suggestion(), meant, "{word}");
        }
        let text = "Active".parse::<State>().unwrap_err().to_string();
        assert!(text.ends_with("expired: did you mean `active`?"), "{text}");
    }
}
