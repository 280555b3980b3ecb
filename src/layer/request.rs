use std::fmt;

use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, HeaderName, ORIGIN, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Uri};

use crate::key::is_token;

/// The path that the client sent: also inside nested axum routers, which shorten the
/// path that a service sees.
pub(super) fn path(head: &Parts) -> &str {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(uri)) = head.extensions.get() {
        return uri.path();
    }
    head.uri.path()
}

/// Whether a request is a CORS preflight as browsers send it: `OPTIONS` with one
/// origin, one method that is asked for, and no body.
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && sole(&head.headers, &ORIGIN).is_some()
        && sole(&head.headers, &ACCESS_CONTROL_REQUEST_METHOD).is_some_and(is_token)
        && !head.headers.contains_key(TRANSFER_ENCODING)
        && head
            .headers
            .get(CONTENT_LENGTH)
            .is_none_or(|length| length == "0")
}

fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// A request, as the closure of
/// [`api_by`](crate::SubscriptionKeyLayer::api_by) sees it.
///
/// It may contain the key: do not log it.
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    head: &'a Parts,
}

impl<'a> RequestInfo<'a> {
    pub(super) fn new(head: &'a Parts) -> Self {
        Self { head }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        &self.head.method
    }

    /// The URI, as this service received it.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        &self.head.uri
    }

    /// The path that the client sent. Inside nested axum routers (feature `axum`) it
    /// is longer than that of [`uri`](Self::uri).
    #[must_use]
    pub fn path(&self) -> &'a str {
        path(self.head)
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        &self.head.headers
    }

    /// The extensions, as outer layers left them.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        &self.head.extensions
    }
}

/// Omits what may contain a key.
impl fmt::Debug for RequestInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestInfo")
            .field("method", self.method())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
