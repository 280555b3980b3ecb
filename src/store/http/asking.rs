use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use tokio::time::timeout;

use crate::key::KeyDigest;
use crate::store::http::exchange::Exchange;
use crate::store::http::{HttpConfigError, HttpError, RequestBody};

/// Where to ask, and what holds for every request.
#[derive(Clone)]
pub(super) struct Asking {
    uri: Result<Uri, HttpConfigError>,
    authorization: Option<Result<HeaderValue, HttpConfigError>>,
    pub(super) time_out: Duration,
    pub(super) limit: usize,
}

const AGENT: &str = concat!("tower-subscription-key/", env!("CARGO_PKG_VERSION"));

impl Asking {
    pub(super) fn new(uri: &str, limit: usize) -> Self {
        Self {
            uri: parse(uri),
            authorization: None,
            time_out: Duration::from_secs(30),
            limit,
        }
    }

    pub(super) fn set_authorization(&mut self, value: &str) {
        let value = HeaderValue::from_str(value).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        let value = value.map_err(|_| HttpConfigError::Authorization);
        self.authorization = Some(value);
    }

    /// What can be asked, if all of it can work.
    pub(super) fn check(&self) -> Result<Ready, HttpConfigError> {
        let uri = self.uri.clone()?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(authorization) = self.authorization.clone() {
            headers.insert(AUTHORIZATION, authorization?);
        }
        if self.time_out.is_zero() {
            return Err(HttpConfigError::Setting("time_out"));
        }
        if self.limit == 0 {
            return Err(HttpConfigError::Setting("max_bytes"));
        }
        Ok(Ready {
            uri,
            headers,
            time_out: self.time_out,
            limit: self.limit,
        })
    }
}

fn parse(uri: &str) -> Result<Uri, HttpConfigError> {
    let uri: Uri = uri.parse().map_err(|_| HttpConfigError::Uri)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(HttpConfigError::Uri);
    }
    match uri.authority() {
        None => Err(HttpConfigError::Uri),
        // Clients drop or print them, each in its own way.
        Some(authority) if authority.as_str().contains('@') => Err(HttpConfigError::Credentials),
        Some(authority) if authority.host().is_empty() => Err(HttpConfigError::Uri),
        Some(_) => Ok(uri),
    }
}

/// An [`Asking`] that was checked.
#[derive(Clone)]
pub(super) struct Ready {
    uri: Uri,
    headers: HeaderMap,
    time_out: Duration,
    limit: usize,
}

impl Ready {
    /// The URI for people and files: a query may hold a secret.
    pub(super) fn name(&self) -> String {
        let authority = self
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        let scheme = self.uri.scheme_str().unwrap_or_default();
        format!("{scheme}://{authority}{}", self.uri.path())
    }

    pub(super) fn request(&self) -> Request<RequestBody> {
        self.request_to(self.uri.clone())
    }

    /// The request about one key: its digest is the last segment of the path.
    pub(super) fn request_about(&self, key: &KeyDigest) -> Request<RequestBody> {
        let path = self.uri.path().trim_end_matches('/');
        let digest = key.to_hex();
        let path = match self.uri.query() {
            Some(query) => format!("{path}/{digest}?{query}"),
            None => format!("{path}/{digest}"),
        };
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(path).ok();
        // Digits behind a path that is one are a path that is one.
        let uri = Uri::from_parts(parts).unwrap_or_else(|_| self.uri.clone());
        self.request_to(uri)
    }

    fn request_to(&self, uri: Uri) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::default());
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The answer to that request. The remote server may take `held` longer than the
    /// time-out.
    pub(super) async fn ask(
        &self,
        client: impl Exchange,
        request: Request<RequestBody>,
        held: Duration,
    ) -> Result<Response<Vec<u8>>, HttpError> {
        let time_out = self.time_out.saturating_add(held);
        let answer = timeout(time_out, client.exchange(request, self.limit));
        answer.await.unwrap_or(Err(HttpError::TimedOut(time_out)))
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The body of an answer that is one: status 200 and JSON. A proxy's error page
/// is neither.
pub(super) fn json(response: Response<Vec<u8>>) -> Result<Vec<u8>, HttpError> {
    if response.status() != StatusCode::OK {
        return Err(HttpError::Status(response.status()));
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    if !content_type.is_some_and(is_json) {
        return Err(HttpError::ContentType);
    }
    Ok(response.into_body())
}

fn is_json(content_type: &HeaderValue) -> bool {
    let bytes = content_type.as_bytes();
    let end = bytes.iter().position(|byte| *byte == b';');
    let essence = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn takes_absolute_uris_without_credentials() {
        for good in [
            "http://a",
            "https://a.example:8443/x/?q=1",
            "http://[::1]:3000/",
        ] {
            assert!(Asking::new(good, 1).check().is_ok(), "{good}");
        }
        for (bad, error) in [
            ("", HttpConfigError::Uri),
            ("/catalog", HttpConfigError::Uri),
            ("a.example/catalog", HttpConfigError::Uri),
            ("ftp://a/catalog", HttpConfigError::Uri),
            ("http://u:p@a/catalog", HttpConfigError::Credentials),
        ] {
            assert_eq!(Asking::new(bad, 1).check().err(), Some(error), "{bad}");
        }
    }

    #[test]
    fn shows_neither_the_authorization_nor_the_query() {
        let mut asking = Asking::new("http://a/catalog?sig=secret", 1);
        asking.set_authorization("Bearer secret");
        let ready = asking.check().unwrap();
        assert_eq!(format!("{ready:?}"), "http://a/catalog");
        assert!(!format!("{:?}", ready.request().headers()).contains("secret"));
        asking.set_authorization("a\nb");
        assert_eq!(asking.check().err(), Some(HttpConfigError::Authorization));
    }

    #[test]
    fn a_key_is_asked_for_by_its_digest_behind_the_path() {
        let digest = KeyDigest::of("test");
        let hex = digest.to_hex();
        for (base, expected) in [
            ("http://a", format!("http://a/{hex}")),
            ("http://a/keys/", format!("http://a/keys/{hex}")),
            ("http://a/keys?v=1", format!("http://a/keys/{hex}?v=1")),
        ] {
            let request = Asking::new(base, 1).check().unwrap().request_about(&digest);
            assert_eq!(request.uri().to_string(), expected);
        }
    }

    #[test]
    fn json_is_told_by_its_type_whatever_the_parameters() {
        for (text, expected) in [
            ("application/json", true),
            ("Application/JSON ; charset=utf-8", true),
            ("application/jsonp", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(is_json(&HeaderValue::from_static(text)), expected, "{text}");
        }
    }
}
