use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::key::KeyDigest;
use crate::store::http::exchange::Exchange;
use crate::store::http::{HttpConfigError, HttpError, RequestBody};

/// Which connection a request should use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Any, also one that served other requests.
    Any,
    /// A new one.
    New,
}

/// All requests to one URL.
#[derive(Clone)]
pub(super) struct Requests {
    url: Uri,
    headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) max_bytes: usize,
    /// The first error of a setter, which [`checked`](Self::checked) returns.
    fault: Option<HttpConfigError>,
}

const AGENT: &str = concat!("tower-subscription-key/", env!("CARGO_PKG_VERSION"));

impl Requests {
    pub(super) fn new(url: &str, timeout: Duration, max_bytes: usize) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let (url, fault) = match parse(url) {
            Ok(url) => (url, None),
            Err(fault) => (Uri::default(), Some(fault)),
        };
        Self {
            url,
            headers,
            timeout,
            max_bytes,
            fault,
        }
    }

    pub(super) fn set_authorization(&mut self, value: &str) {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(AUTHORIZATION, value);
            }
            Err(_) => self.fault = Some(HttpConfigError::Authorization),
        }
    }

    /// Returns `self` if all settings can work.
    pub(super) fn checked(self) -> Result<Self, HttpConfigError> {
        match self.fault {
            Some(fault) => Err(fault),
            None if self.max_bytes == 0 => Err(HttpConfigError::Zero("max_bytes")),
            None if self.timeout.is_zero() => Err(HttpConfigError::Zero("timeout")),
            None => Ok(self),
        }
    }

    /// The URL for people: without its query, which may contain a secret.
    pub(super) fn name(&self) -> String {
        let scheme = self.url.scheme_str().unwrap_or_default();
        let authority = self.url.authority().map_or("", |host| host.as_str());
        format!("{scheme}://{authority}{}", self.url.path())
    }

    /// The digest of everything that selects what the remote server sends.
    pub(super) fn selection(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.url.to_string());
        hash.update([0]);
        let authorization = self.headers.get(AUTHORIZATION);
        hash.update(authorization.map_or(&[][..], HeaderValue::as_bytes));
        KeyDigest::from_bytes(hash.finalize().into()).to_hex()
    }

    pub(super) fn catalog(&self) -> Request<RequestBody> {
        self.to(self.url.clone())
    }

    /// The request about one key: its digest is the last segment of the path.
    pub(super) fn key(&self, key: &KeyDigest, connection: Use) -> Request<RequestBody> {
        let path = self.url.path().trim_end_matches('/');
        let digest = key.to_hex();
        let path = match self.url.query() {
            Some(query) => format!("{path}/{digest}?{query}"),
            None => format!("{path}/{digest}"),
        };
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(path).ok();
        // A valid path with digits at its end is a valid path.
        let url = Uri::from_parts(parts).unwrap_or_else(|_| self.url.clone());
        let mut request = self.to(url);
        if connection == Use::New {
            let close = HeaderValue::from_static("close");
            request.headers_mut().insert(CONNECTION, close);
        }
        request
    }

    fn to(&self, url: Uri) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::default());
        *request.uri_mut() = url;
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The answer to the request. The remote server may take `hold` longer than
    /// the timeout.
    pub(super) async fn send(
        &self,
        client: impl Exchange,
        request: Request<RequestBody>,
        hold: Duration,
    ) -> Result<Response<Bytes>, HttpError> {
        let after = self.timeout.saturating_add(hold);
        let answer = timeout(after, client.exchange(request, self.max_bytes));
        answer.await.unwrap_or(Err(HttpError::TimedOut(after)))
    }
}

fn parse(url: &str) -> Result<Uri, HttpConfigError> {
    let url: Uri = url.parse().map_err(|_| HttpConfigError::Url)?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(HttpConfigError::Url);
    }
    match url.authority() {
        // Some clients ignore credentials in a URL, others print them.
        Some(authority) if authority.as_str().contains('@') => Err(HttpConfigError::Credentials),
        Some(authority) if !authority.host().is_empty() => Ok(url),
        _ => Err(HttpConfigError::Url),
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The body of a response that may be a document: status 200, a content type that
/// is used for JSON, not compressed. This rules out a proxy's error page.
pub(super) fn document(response: Response<Bytes>) -> Result<Bytes, HttpError> {
    if response.status() != StatusCode::OK {
        return Err(HttpError::Status(response.status()));
    }
    let text_of = |name: HeaderName| {
        let value = response.headers().get(name).map(HeaderValue::as_bytes);
        let value = value.filter(|value| !value.is_empty());
        value.map(|value| value.escape_ascii().take(100).map(char::from).collect())
    };
    let encoding: Option<String> = text_of(CONTENT_ENCODING);
    if let Some(encoding) = encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(HttpError::ContentEncoding(encoding));
    }
    if response.body().starts_with(b"\x1f\x8b") {
        return Err(HttpError::ContentEncoding("gzip, without saying so".into()));
    }
    // Object stores have their own idea of types, or none.
    let content_type: Option<String> = text_of(CONTENT_TYPE);
    if let Some(content_type) = content_type.filter(|content_type| !may_be_json(content_type)) {
        return Err(HttpError::ContentType(content_type));
    }
    Ok(response.into_body())
}

fn may_be_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let known = [
        "application/json",
        "application/octet-stream",
        "binary/octet-stream",
        "text/json",
        "text/plain",
    ];
    known.contains(&essence.as_str())
        || essence.starts_with("application/") && essence.ends_with("+json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn requests(url: &str) -> Requests {
        Requests::new(url, Duration::MAX, 1)
    }

    #[test]
    fn url_must_be_absolute_and_without_credentials() {
        for good in [
            "http://a",
            "https://a.example:8443/x/?q=1",
            "http://[::1]:3000/",
        ] {
            assert!(requests(good).checked().is_ok(), "{good}");
        }
        for (bad, error) in [
            ("", HttpConfigError::Url),
            ("/catalog", HttpConfigError::Url),
            ("a.example/catalog", HttpConfigError::Url),
            ("ftp://a/catalog", HttpConfigError::Url),
            ("http://u:p@a/catalog", HttpConfigError::Credentials),
        ] {
            assert_eq!(requests(bad).checked().err(), Some(error), "{bad}");
        }
    }

    #[test]
    fn debug_output_shows_neither_authorization_nor_query() {
        let mut requests = requests("http://a/catalog?sig=secret");
        requests.set_authorization("Bearer secret");
        assert_eq!(format!("{requests:?}"), "http://a/catalog");
        assert!(!format!("{:?}", requests.catalog().headers()).contains("secret"));
        requests.set_authorization("a\nb");
        let fault = requests.checked().err();
        assert_eq!(fault, Some(HttpConfigError::Authorization));
    }

    #[test]
    fn selection_differs_by_query_and_by_authorization() {
        let selection = |url: &str, authorization: Option<&str>| {
            let mut requests = requests(url);
            if let Some(authorization) = authorization {
                requests.set_authorization(authorization);
            }
            requests.selection()
        };
        let selections = [
            selection("http://a/catalog", None),
            selection("http://a/catalog", Some("Bearer one")),
            selection("http://a/catalog", Some("Bearer two")),
            selection("http://a/catalog?tenant=1", None),
            selection("http://a/catalog?tenant=2", None),
        ];
        for (at, one) in selections.iter().enumerate() {
            assert!(!selections[..at].contains(one));
        }
        assert_eq!(selections[0], selection("http://a/catalog", None));
    }

    #[test]
    fn key_request_has_the_digest_as_its_last_segment() {
        let digest = KeyDigest::of("test");
        let hex = digest.to_hex();
        for (base, expected) in [
            ("http://a", format!("http://a/{hex}")),
            ("http://a/keys/", format!("http://a/keys/{hex}")),
            ("http://a/keys?v=1", format!("http://a/keys/{hex}?v=1")),
        ] {
            let request = requests(base).key(&digest, Use::Any);
            assert_eq!(request.uri().to_string(), expected);
        }
    }

    #[test]
    fn content_type_is_accepted_if_json_is_sent_with_it() {
        for (text, expected) in [
            ("application/json", true),
            ("Application/JSON ; charset=utf-8", true),
            ("application/vnd.catalog+json", true),
            ("application/octet-stream", true),
            ("text/plain; charset=utf-8", true),
            ("application/jsonp", false),
            ("text/html", false),
        ] {
            assert_eq!(may_be_json(text), expected, "{text}");
        }
    }
}
