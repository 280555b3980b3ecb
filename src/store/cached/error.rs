use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a [`CachedStore`](super::CachedStore) could not answer. None of these means
/// that the key is unknown; clients get a 503.
#[derive(Debug)]
#[non_exhaustive]
pub enum CachedStoreError<E> {
    /// The store could not answer, and nothing stale is left to serve. Shared, because
    /// several requests may have waited for the same lookup.
    Store(Arc<E>),
    /// The store did not answer in time.
    TimedOut {
        /// The time that a lookup has.
        after: Duration,
    },
    /// The store failed too often in a row; lookups are paused.
    BreakerOpen,
    /// More keys were never seen before than may be looked up.
    TooManyUnknown,
    /// The lookup ended without an answer: the store panicked, or the runtime that
    /// ran it was shut down.
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
                f.write_str("the store behind the cache keeps failing: lookups are paused")
            }
            Self::TooManyUnknown => f.write_str("too many unknown keys to look up all of them"),
            Self::Lost => f.write_str("the lookup ended without an answer"),
            Self::NoRuntime => {
                f.write_str("the key cannot be looked up: call the cached store in a tokio runtime")
            }
        }
    }
}

/// By hand: the source is the store's error itself, which can be downcast, and not
/// the `Arc` around it.
impl<E: Error + 'static> Error for CachedStoreError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(&**error),
            _ => None,
        }
    }
}

/// A setting of a cache that cannot work.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheConfigError {
    /// A cache without room.
    #[error("`{setting}` is 0: give the cache room for at least one key")]
    NoRoom {
        /// `capacity` or `unknown_capacity`.
        setting: &'static str,
    },
    /// A duration of zero.
    #[error("`{setting}` is zero: set a longer time")]
    NoTime {
        /// The setting.
        setting: &'static str,
    },
    /// A fraction out of range.
    #[error("`{setting}` is {value}: set a fraction between 0.0 and {most:.1}")]
    Fraction {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// The largest possible value.
        most: f64,
    },
    /// A breaker that would open before the first failure.
    #[error(
        "the breaker opens after 0 failures: set at least 1, or remove it with \
         `without_breaker`"
    )]
    NoFailures,
    /// The first pause of the breaker is longer than its longest.
    #[error("the first pause of the breaker is longer than its longest: exchange them")]
    Pauses,
    /// A rate that lets no key be looked up.
    #[error(
        "the rate of unknown keys or its burst is 0, so that no key would ever be looked up: \
         set both to at least 1, or remove the limit with `without_unknown_rate`"
    )]
    NoRate,
    /// A snapshot outside of a tokio runtime.
    #[error("a task saves the snapshot: build the store in a tokio runtime")]
    NoRuntime,
    /// A snapshot that could be used for another store.
    #[error(
        "the snapshot does not say which store it belongs to: name the store with \
         `SnapshotFile::with_source`"
    )]
    NoSource,
}
