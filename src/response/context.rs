use std::fmt;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};

use super::ResponseSettings;
use crate::catalog::Api;
use crate::key::Place;

/// What a denied client learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// The request has no key.
    MissingKey,
    /// The request has a key that does not grant access.
    InvalidKey,
    /// The key could not be checked.
    Unavailable,
}

impl Rejection {
    /// The status of the response: 401, or 503 if the key could not be checked.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MissingKey | Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The message for people. The two about keys are exactly Azure's.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::MissingKey => {
                "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."
            }
            Self::InvalidKey => {
                "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
            }
            Self::Unavailable => "The subscription key could not be checked. Try again later.",
        }
    }
}

/// A denied request, as a [`RejectionFormat`](super::RejectionFormat) sees it.
///
/// It contains what the client may learn, and the request. It does not contain the
/// reason of the denial.
pub struct RejectionContext<'a> {
    pub(crate) rejection: Rejection,
    pub(crate) settings: &'a ResponseSettings,
    /// The headers of the request. The response reuses the map.
    pub(crate) headers: &'a mut HeaderMap,
    pub(crate) uri: &'a Uri,
    pub(crate) api: Option<&'a Api>,
    /// Where clients should put their key.
    pub(crate) key_place: Place<'a>,
}

impl<'a> RejectionContext<'a> {
    /// What the client learns.
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        self.rejection
    }

    /// The value of `WWW-Authenticate`. `None` for [`Rejection::Unavailable`],
    /// because another key would not help.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        match self.rejection {
            Rejection::MissingKey | Rejection::InvalidKey => self.settings.challenge.value(self),
            Rejection::Unavailable => None,
        }
    }

    /// How long a client should wait before it tries again, if its key could not be
    /// checked. The value of the header is
    /// [`retry_after_value`](Self::retry_after_value).
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.settings.retry_after
    }

    /// The value of `Retry-After`: whole seconds, rounded up, at least 1. `Some` only
    /// for [`Rejection::Unavailable`].
    #[must_use]
    pub fn retry_after_value(&self) -> Option<HeaderValue> {
        match self.rejection {
            Rejection::MissingKey | Rejection::InvalidKey => None,
            Rejection::Unavailable => Some(whole_seconds(self.retry_after()).into()),
        }
    }

    /// The headers of the request. They may contain a key: do not echo them.
    ///
    /// Headers from which a key was read are marked sensitive.
    #[must_use]
    pub fn request_headers(&self) -> &HeaderMap {
        self.headers
    }

    /// The target of the request. Its query may contain a key: do not echo it.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// A response with the given body, and with the status, `WWW-Authenticate` and
    /// `Retry-After` that belong to the rejection.
    #[must_use]
    pub fn response(self, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Bytes> {
        let (challenge, retry_after) = (self.challenge(), self.retry_after_value());
        let mut response = Response::new(body.into());
        *response.status_mut() = self.rejection.status();
        let headers = self.reuse_headers(&mut response);
        headers.insert(CONTENT_TYPE, content_type);
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(retry_after) = retry_after {
            headers.insert(RETRY_AFTER, retry_after);
        }
        response
    }

    /// Gives a response the map of the request, emptied, so that it allocates none.
    pub(super) fn reuse_headers(self, response: &mut Response<Bytes>) -> &mut HeaderMap {
        let headers = response.headers_mut();
        mem::swap(headers, self.headers);
        headers.clear();
        headers
    }
}

/// Omits the request: its headers and its query may contain a key.
impl fmt::Debug for RejectionContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionContext")
            .field("rejection", &self.rejection)
            .finish_non_exhaustive()
    }
}

fn whole_seconds(time: Duration) -> u64 {
    let started = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(started).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds_and_never_zero() {
        for (time, seconds) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_millis(1001), 2),
            (Duration::from_secs(5), 5),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(whole_seconds(time), seconds, "{time:?}");
        }
    }
}
