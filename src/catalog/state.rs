use std::fmt;
use std::str::FromStr;

/// Where a subscription stands. Only [`State::Active`] opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// In use.
    #[default]
    Active,
    /// Stopped for a while.
    Suspended,
    /// Asked for, not yet decided.
    Submitted,
    /// Asked for, and refused.
    Rejected,
    /// Given up.
    Cancelled,
    /// Over.
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

    /// The word for it, as catalogs write it.
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
#[error("a state is one of active, suspended, submitted, rejected, cancelled, expired")]
pub struct StateParseError;

impl FromStr for State {
    type Err = StateParseError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(StateParseError)
    }
}
