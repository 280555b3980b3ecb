use std::fmt;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};

use super::challenge::Asked;
use super::host;
use super::memo::{self, Inputs};
use super::{RequestHead, ResponseSettings};

/// What a refused client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// The request carries no key.
    MissingKey,
    /// The request carries a key, and it does not open what was asked for.
    InvalidKey,
    /// The key could not be checked, so who is calling is not known.
    Unavailable,
}

impl Rejection {
    /// The status of the answer: 401, or 503 where keys cannot be checked.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MissingKey | Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The sentence for people. The two about keys are Azure's, to the letter.
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

/// A refused request, as a [`RejectionFormat`](super::RejectionFormat) sees it.
///
/// It holds what the client may know, and the request. Why a key was refused
/// is not in it.
#[derive(Clone, Copy)]
pub struct RejectionContext<'a> {
    refusal: Rejection,
    settings: &'a ResponseSettings,
    request: RequestHead<'a>,
}

impl<'a> RejectionContext<'a> {
    pub(super) fn new(
        refusal: Rejection,
        settings: &'a ResponseSettings,
        request: RequestHead<'a>,
    ) -> Self {
        Self {
            refusal,
            settings,
            request,
        }
    }

    /// What the client is told.
    #[must_use]
    pub fn refusal(&self) -> Rejection {
        self.refusal
    }

    /// The `WWW-Authenticate` value; none for [`Rejection::Unavailable`], where another
    /// key would not help.
    #[must_use]
    #[inline]
    pub fn challenge(&self) -> Option<HeaderValue> {
        if self.refusal == Rejection::Unavailable {
            return None;
        }
        let inputs = Inputs {
            settings: &self.settings.challenge,
            authority: host::authority(self.request.uri, self.request.headers),
            api_path: self.request.api_path,
            key_place: self.request.key_place,
        };
        memo::challenge(&inputs, || {
            self.settings.challenge.value(&Asked {
                host: inputs.authority.and_then(host::host),
                api_path: inputs.api_path,
                key_place: inputs.key_place,
            })
        })
    }

    /// How long a client should wait before it asks again, where keys cannot
    /// be checked. As a header, see [`retry_after_value`](Self::retry_after_value).
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.settings.retry_after
    }

    /// The `Retry-After` value: whole seconds, rounded up, at least 1; only for
    /// [`Rejection::Unavailable`].
    #[must_use]
    pub fn retry_after_value(&self) -> Option<HeaderValue> {
        match self.refusal {
            Rejection::MissingKey | Rejection::InvalidKey => None,
            Rejection::Unavailable => Some(whole_seconds(self.retry_after()).into()),
        }
    }

    /// The headers of the request. They may hold a key: do not echo them.
    #[must_use]
    pub fn request_headers(&self) -> &'a HeaderMap {
        self.request.headers
    }

    /// The target of the request. Its query may hold a key: do not echo it.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.request.uri
    }

    /// An answer with this body, and with the status, `WWW-Authenticate` and
    /// `Retry-After` that belong to the refusal.
    #[must_use]
    pub fn response(&self, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Bytes> {
        let mut headers = roomy_headers();
        fill(&mut headers, content_type, self.field());
        response(self.refusal.status(), headers, body.into())
    }

    /// The header that belongs to the refusal.
    #[inline]
    fn field(&self) -> Option<(HeaderName, HeaderValue)> {
        match self.refusal {
            Rejection::MissingKey | Rejection::InvalidKey => {
                self.challenge().map(|value| (WWW_AUTHENTICATE, value))
            }
            Rejection::Unavailable => self.retry_after_value().map(|value| (RETRY_AFTER, value)),
        }
    }

    /// The header that belongs to the refusal, and its status: all that an answer
    /// needs of the request before that can be let go.
    #[inline]
    pub(super) fn rest(&self) -> Rest {
        Rest {
            status: self.refusal.status(),
            field: self.field(),
        }
    }
}

/// What belongs to a refusal besides content type and body.
pub(super) struct Rest {
    status: StatusCode,
    field: Option<(HeaderName, HeaderValue)>,
}

impl Rest {
    /// The answer, in the room of headers that nobody reads any more.
    #[inline]
    pub(super) fn response(
        self,
        headers: &mut HeaderMap,
        content_type: HeaderValue,
        body: Bytes,
    ) -> Response<Bytes> {
        headers.clear();
        fill(headers, content_type, self.field);
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        mem::swap(response.headers_mut(), headers);
        response
    }
}

#[inline]
fn fill(
    headers: &mut HeaderMap,
    content_type: HeaderValue,
    field: Option<(HeaderName, HeaderValue)>,
) {
    headers.insert(CONTENT_TYPE, content_type);
    if let Some((name, value)) = field {
        headers.insert(name, value);
    }
}

/// Leaves the request out: its headers and its query may hold a key.
impl fmt::Debug for RejectionContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionContext")
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

pub(super) fn response(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Room for our headers and the two that servers add, so that the map need not
/// grow.
pub(super) fn roomy_headers() -> HeaderMap {
    HeaderMap::with_capacity(5)
}

fn whole_seconds(time: Duration) -> u64 {
    let started = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(started).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds_and_never_zero() {
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
