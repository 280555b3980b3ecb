use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::document::DocumentError;
use crate::store::CatalogUnavailable;
use crate::store::replica::describe;

/// Why an answer of the remote server cannot be used.
///
/// It contains no key, and no more of the answer than a line. What the HTTP client
/// reports is its [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No answer came: refused or reset connections, names that do not resolve,
    /// certificates that are not trusted.
    #[error("the remote server cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The answer was not complete in time.
    #[error("the remote server did not answer in full within {0:?}")]
    TimedOut(Duration),
    /// A status other than 200, and other than 304 where that was asked for.
    #[error("the remote server answered with status {0}{advice}", advice = advice(*.0))]
    Status(StatusCode),
    /// A content type that is not JSON.
    #[error(
        "the remote server answered with content type `{0}`: it should be `application/json` \
         (`text/plain` and `application/octet-stream` are accepted)"
    )]
    ContentType(String),
    /// A compressed answer.
    #[error(
        "the remote server's answer is compressed ({0}): turn compression off for this URL, or \
         use a client that decompresses"
    )]
    ContentEncoding(String),
    /// The answer broke off.
    #[error("the remote server's answer broke off")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    /// The answer is longer than `max_bytes`.
    #[error("the remote server's answer is longer than {0} bytes: raise `max_bytes` or send less")]
    TooLarge(usize),
    /// The answer is not a valid document. `Display` has its first issue;
    /// [`document`](Self::document) has all of them.
    #[error("the remote server's answer is not valid: {}", .0.summary())]
    Document(Box<DocumentError>),
    /// An answer about a different key.
    #[error("the remote server answered about another key")]
    OtherKey,
    /// The APIs and products that an answer belongs to are not those that the
    /// remote server publishes.
    #[error("the remote server's answer belongs to another version of the APIs and products")]
    OtherVersion,
    /// The client or the reading panicked, or the runtime is shutting down.
    #[error("the request was interrupted inside this process")]
    Interrupted,
}

impl HttpError {
    /// The issues of a document that is not valid.
    #[must_use]
    pub fn document(&self) -> Option<&DocumentError> {
        match self {
            Self::Document(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the error says something about one key only, and nothing about
    /// whether the remote server can answer about others.
    #[must_use]
    pub fn is_about_one_key(&self) -> bool {
        match self {
            Self::Document(_) | Self::TooLarge(_) | Self::OtherKey => true,
            Self::Status(status) => *status == StatusCode::INTERNAL_SERVER_ERROR,
            _ => false,
        }
    }
}

impl From<DocumentError> for HttpError {
    fn from(error: DocumentError) -> Self {
        Self::Document(Box::new(error))
    }
}

fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        304 => ", but was not asked whether anything had changed",
        300..=399 => ": redirects are not followed, use the URL it leads to",
        401 | 403 => ": check `authorization`",
        _ => "",
    }
}

/// Why [`HttpLookupStore`](super::HttpLookupStore) cannot answer. The client gets a
/// 503.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpLookupError {
    /// The lookup failed.
    #[error("the key could not be looked up")]
    Lookup(#[from] HttpError),
    /// There are no APIs and products.
    #[error("the APIs and products are not available")]
    Definitions(#[from] CatalogUnavailable),
}

impl HttpLookupError {
    /// Whether the error says something about one key only, and nothing about
    /// whether the remote server can answer about others.
    #[must_use]
    pub fn is_about_one_key(&self) -> bool {
        matches!(self, Self::Lookup(error) if error.is_about_one_key())
    }
}

/// A setting that cannot work.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpConfigError {
    /// Not an absolute `http` or `https` URL.
    #[error(
        "the URL of the remote server is not valid: use one like `https://keys.example/catalog`"
    )]
    Url,
    /// A user name or password in the URL.
    #[error("the URL of the remote server contains credentials: pass them to `authorization`")]
    Credentials,
    /// Text that cannot be a header's value.
    #[error("the authorization contains a line break or another control character")]
    Authorization,
    /// A duration or size of zero.
    #[error("`{0}` is zero: it must be at least one unit")]
    Zero(&'static str),
    /// The first pause is longer than the longest.
    #[error("the first pause of `backoff` is longer than the longest one")]
    Backoff,
    /// There is no tokio runtime for the background task.
    #[error("the store needs a tokio runtime for its background task: create it inside one")]
    NoRuntime,
}

/// Why an [`HttpStore`](super::HttpStore) could not be opened.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HttpOpenError {
    /// A setting that cannot work.
    #[error(transparent)]
    Config(#[from] HttpConfigError),
    /// The first version could not be fetched, and there is no snapshot to use.
    #[error("the first version of the catalog could not be fetched")]
    Fetch(#[source] std::sync::Arc<HttpError>),
}

/// The sentence that `main` prints if it returns this error.
impl fmt::Debug for HttpConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(self))
    }
}

/// The sentence that `main` prints if it returns this error, with its causes.
impl fmt::Debug for HttpOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(self))
    }
}
