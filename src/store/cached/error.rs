use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a [`CachedStore`](super::CachedStore) could not answer. None of these
/// means that the key is unknown; clients get a 503.
#[derive(Debug)]
#[non_exhaustive]
pub enum CachedStoreError<E> {
    /// The store could not answer, and there is no stale answer left to give.
    /// Shared, because several requests may have waited for the same lookup.
    Store(Arc<E>),
    /// The store did not answer in time.
    TimedOut {
        /// The time that a lookup has.
        after: Duration,
    },
    /// The store failed too often in a row and is left alone for a moment.
    BreakerOpen,
    /// More keys never seen before than may be looked up in that time.
    TooManyUnknown,
    /// The lookup ended without an answer: the store panicked, or the runtime
    /// that ran it was shut down.
    Lost,
    /// A lookup was needed outside of a tokio runtime.
    NoRuntime,
}

impl<E> Clone for CachedStoreError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Store(error) => Self::Store(Arc::clone(error)),
            Self::TimedOut { after } => Self::TimedOut { after: *after },
            Self::BreakerOpen => Self::BreakerOpen,
            Self::TooManyUnknown => Self::TooManyUnknown,
            Self::Lost => Self::Lost,
            Self::NoRuntime => Self::NoRuntime,
        }
    }
}

impl<E> fmt::Display for CachedStoreError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the store behind the cache could not answer"),
            Self::TimedOut { after } => {
                write!(f, "the store behind the cache did not answer in {after:?}")
            }
            Self::BreakerOpen => {
                f.write_str("the store behind the cache failed repeatedly and is not asked now")
            }
            Self::TooManyUnknown => f.write_str("too many unknown keys to look all of them up"),
            Self::Lost => f.write_str("the lookup ended without an answer"),
            Self::NoRuntime => f.write_str("a cached store looks keys up in a tokio runtime only"),
        }
    }
}

/// By hand and not derived: the source is to be the store's error itself, which
/// can be downcast, and not the `Arc` around it.
impl<E: Error + 'static> Error for CachedStoreError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Settings of a cache that cannot work.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheConfigError {
    /// A cache for nothing.
    #[error("`{setting}` is 0: give the cache room for at least one key")]
    NoRoom {
        /// `capacity` or `unknown_capacity`.
        setting: &'static str,
    },
    /// A time that must pass, but is zero.
    #[error("`{setting}` is zero: give it a time that is longer")]
    NoTime {
        /// The setting.
        setting: &'static str,
    },
    /// A part that is none.
    #[error("`{setting}` is {value}: give it a part between 0.0 and {most:.1}")]
    Part {
        /// The setting.
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// The most it may be.
        most: f64,
    },
    /// A breaker that would open before the first failure.
    #[error(
        "the breaker is set to open after 0 failures: give it at least 1, or take it away \
         with `without_breaker`"
    )]
    NoFailures,
    /// A breaker whose first pause is longer than its longest.
    #[error("the breaker's first pause is longer than its longest: exchange them")]
    Pauses,
    /// A rate that lets no key be looked up.
    #[error(
        "the rate of unknown keys or its burst is 0, so that no key would ever be looked up: \
         give both at least 1, or take the limit away with `without_unknown_rate`"
    )]
    NoRate,
    /// A snapshot is saved by a task, and there is nothing that runs it.
    #[error("a snapshot is kept in a tokio runtime only: build the store in one")]
    NoRuntime,
}
