use std::fmt;

use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, HeaderName, ORIGIN, TRANSFER_ENCODING,
};
use http::{Extensions, HeaderMap, Method, Request, Uri};

use crate::key::is_token;

/// A request, as the closure of
/// [`api_by`](crate::SubscriptionKeyLayer::api_by) sees it.
///
/// It may contain the key: do not log it.
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RequestInfo<'a> {
    pub(super) fn new<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Whether the request is a CORS preflight as browsers send it: `OPTIONS` with one
    /// origin, one method that is asked for, and no body.
    pub(super) fn is_preflight(self) -> bool {
        self.method == Method::OPTIONS
            && sole(self.headers, &ORIGIN).is_some()
            && sole(self.headers, &ACCESS_CONTROL_REQUEST_METHOD).is_some_and(is_token)
            && !self.headers.contains_key(TRANSFER_ENCODING)
            && self
                .headers
                .get(CONTENT_LENGTH)
                .is_none_or(|length| length == "0")
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The URI, as this service received it.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The path that the client sent. Inside nested axum routers (feature `axum`) it
    /// is longer than that of [`uri`](Self::uri).
    #[must_use]
    pub fn path(&self) -> &'a str {
        #[cfg(feature = "axum")]
        if let Some(axum::extract::OriginalUri(uri)) = self.extensions.get() {
            return uri.path();
        }
        self.uri.path()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The extensions, as outer layers left them.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
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

fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
