use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::document::DocumentError;

/// Why an answer of the remote server is none.
///
/// It never tells a key. What the HTTP client reports is its
/// [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The request did not get there, or no answer came back: refused or reset
    /// connections, names that do not resolve, certificates that do not hold.
    #[error("the remote server could not be asked")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The whole answer was not there in time.
    #[error("the remote server did not answer in full within {0:?}")]
    TimedOut(Duration),
    /// A status that is neither 200 nor, where it was asked for, 304.
    #[error("the remote server answered with status {0}{hint}", hint = hint(*.0))]
    Status(StatusCode),
    /// An answer that does not say that it is `application/json`.
    #[error("the remote server's answer is not application/json")]
    ContentType,
    /// The answer broke off.
    #[error("the remote server's answer broke off")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    /// The answer has more bytes than are allowed.
    #[error("the remote server's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer is no document of the kind that was asked for.
    #[error("the remote server's answer is refused")]
    Document(#[from] DocumentError),
    /// An answer about another key than the one that was asked for.
    #[error("the remote server's answer is about another key")]
    OtherKey,
    /// Asking or reading panicked, or the runtime is shutting down.
    #[error("asking the remote server broke off inside this process")]
    Broken,
}

fn hint(status: StatusCode) -> &'static str {
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        ": redirects are not followed, set the URI that it leads to"
    } else if status == StatusCode::NOT_MODIFIED {
        ", but was not asked whether anything had changed"
    } else {
        ""
    }
}

/// Why a store over HTTP cannot tell about a key. The client gets a 503.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpStoreError {
    /// No catalog has been fetched yet, and none was on the disk.
    #[error("no catalog has been fetched yet")]
    NoVersion(#[source] Option<Arc<HttpError>>),
    /// The catalog in use has not been confirmed for longer than is allowed.
    #[error("the catalog was last known to be current {age:?} ago, and {max_age:?} are allowed")]
    TooOld {
        /// How long ago.
        age: Duration,
        /// The bound, as set.
        max_age: Duration,
    },
    /// A lookup failed.
    #[error("the key could not be looked up")]
    Lookup(#[from] HttpError),
}

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpConfigError {
    /// Not an absolute `http` or `https` URI.
    #[error("the remote server's URI is not one like `https://keys.example/catalog`")]
    Uri,
    /// A user name or password in the URI.
    #[error("the remote server's URI holds credentials: give them with `authorization`")]
    Credentials,
    /// Text that cannot be a header's value.
    #[error("the authorization is no header value: it holds a line break or another control")]
    Authorization,
    /// A time, size or delay of zero, where zero cannot work.
    #[error("`{0}` is zero, or its parts are in the wrong order")]
    Setting(&'static str),
    /// There is no tokio runtime to ask from.
    #[error("a store over HTTP asks in the background: make it within a tokio runtime")]
    NoRuntime,
}

/// Why a store could not be connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpConnectError {
    /// Settings that cannot work.
    #[error(transparent)]
    Settings(#[from] HttpConfigError),
    /// The first catalog could not be fetched, and none was on the disk.
    #[error("the first catalog could not be fetched")]
    Fetch(#[source] Arc<HttpError>),
}
