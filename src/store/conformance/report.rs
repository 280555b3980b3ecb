use std::error::Error;
use std::fmt;

use crate::catalog::CatalogError;

/// The error of a [`Harness`](super::Harness) that could not do its task.
pub type Trouble = Box<dyn Error + Send + Sync>;

/// A promise of a store to its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Promise {
    /// Every key finds the current version of its subscription, in any state.
    Finds,
    /// A digest of no key is reported as unknown, even if only one bit differs.
    Distinguishes,
    /// `lookup_cached` returns the same answer as `find`, or `None`.
    Peeks,
    /// What the store holds in memory is what it was given and what it finds.
    Holds,
    /// Concurrent lookups get the same answers as single ones.
    Concurrent,
    /// A dropped lookup does not disturb concurrent and later lookups.
    Dropped,
    /// While its source cannot be reached, the store returns an error or the right
    /// answer within a bounded time. It never reports a good key as unknown.
    Outage,
    /// When its source can be reached again, the store finds everything again.
    Recovers,
    /// A change is seen in a bounded time; until then each key is answered as
    /// before it or as after it.
    Changes,
}

impl Promise {
    fn sentence(self) -> &'static str {
        match self {
            Self::Finds => "every key finds the current version of its subscription",
            Self::Distinguishes => "a digest of no key is reported as unknown",
            Self::Peeks => "`lookup_cached` never contradicts `find`",
            Self::Holds => "`holdings` are what the store was given and what it finds",
            Self::Concurrent => "concurrent lookups get the same answers as single ones",
            Self::Dropped => "a dropped lookup does not disturb other lookups",
            Self::Outage => "an unreachable source is an error, never an unknown key",
            Self::Recovers => "after an outage every key is found again",
            Self::Changes => {
                "a change becomes visible, and each answer is from before it or from after it"
            }
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// A promise that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    promise: Promise,
    what: String,
}

impl Violation {
    pub(super) fn new(promise: Promise, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { promise, what }
    }

    /// The promise.
    #[must_use]
    pub fn promise(&self) -> Promise {
        self.promise
    }

    /// What happened instead. Names subscriptions of the suite's own catalog.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}

/// What was checked of a store that kept all its promises.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// The promises that were kept.
    pub kept: Vec<Promise>,
    /// Those that the harness has no means to check.
    pub skipped: Vec<Promise>,
}

/// Why a store did not pass.
///
/// Its `Debug` is its `Display`, so that `unwrap` and `?` in a test print the
/// sentences.
#[non_exhaustive]
pub enum Nonconformance {
    /// Promises were broken: all of them, not only the first.
    Violations(Vec<Violation>),
    /// The harness failed.
    Harness {
        /// What it was asked for.
        step: &'static str,
        /// Why it could not.
        source: Trouble,
    },
    /// The suite's own catalog was refused: an error of the suite.
    Catalog(CatalogError),
}

impl Nonconformance {
    /// The broken promises; empty if the checks did not run.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Violations(violations) => violations,
            _ => &[],
        }
    }
}

impl fmt::Display for Nonconformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violations(violations) => {
                write!(
                    f,
                    "the store breaks its promises, {} times:",
                    violations.len()
                )?;
                violations
                    .iter()
                    .try_for_each(|violation| write!(f, "\n- {violation}"))
            }
            Self::Harness { step, source } => write!(f, "the harness could not {step}: {source}"),
            Self::Catalog(error) => write!(f, "the suite's own catalog was refused: {error}"),
        }
    }
}

impl fmt::Debug for Nonconformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Nonconformance {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Violations(_) => None,
            Self::Harness { source, .. } => Some(&**source),
            Self::Catalog(error) => Some(error),
        }
    }
}

impl From<CatalogError> for Nonconformance {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}
