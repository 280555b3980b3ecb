use std::mem;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri};

use super::source::{KeyPlaces, Place};
use super::wire;

impl KeyPlaces<'_> {
    /// Removes every key from its own place, however often it occurs there. Everything
    /// else keeps its bytes and its order.
    pub(crate) fn strip<B>(self, request: &mut Request<B>) {
        for place in self.iter() {
            let Place::Query(query) = place else {
                strip_headers(request.headers_mut(), place);
                continue;
            };
            // A router of axum keeps another copy of the URI.
            #[cfg(feature = "axum")]
            if let Some(axum::extract::OriginalUri(uri)) = request.extensions_mut().get_mut() {
                strip_query(uri, query.name());
            }
            strip_query(request.uri_mut(), query.name());
        }
    }
}

fn strip_headers(headers: &mut HeaderMap, place: Place<'_>) {
    match place {
        Place::Query(_) => {}
        Place::Header(own) => {
            headers.remove(own.name());
        }
        Place::Cookie(cookie) => {
            retain_lines(headers, place, |line| without_cookie(line, &cookie.name));
        }
        Place::Authorization(_) => retain_lines(headers, place, |line| {
            (!place.is_in(line.as_bytes())).then(|| line.clone())
        }),
    }
}

/// Replaces every line of the header with what `keep` returns for it, if a line carries a
/// key.
fn retain_lines(
    headers: &mut HeaderMap,
    place: Place<'_>,
    keep: impl Fn(&HeaderValue) -> Option<HeaderValue>,
) {
    let Some(name) = place.header() else {
        return;
    };
    let mut lines = headers.get_all(name).iter();
    if !lines.any(|line| place.is_in(line.as_bytes())) {
        return;
    }
    let kept: Vec<_> = headers.get_all(name).iter().filter_map(keep).collect();
    headers.remove(name);
    for line in kept {
        // Cannot fail: there are no more lines than before. If it did, a line would be
        // lost, and no key exposed.
        let _ = headers.try_append(name, line);
    }
}

/// What a `Cookie` line contains in addition to the cookies with the given name.
fn without_cookie(line: &HeaderValue, name: &str) -> Option<HeaderValue> {
    let bytes = line.as_bytes();
    if wire::cookie_values(bytes, name).next().is_none() {
        return Some(line.clone());
    }
    let kept: Vec<_> = bytes
        .split(|&byte| byte == b';')
        .filter(|piece| wire::cookie_value(piece, name).is_none())
        .collect();
    if kept.iter().all(|piece| piece.trim_ascii().is_empty()) {
        return None;
    }
    let mut rest = HeaderValue::from_bytes(kept.join(&b';').trim_ascii()).ok()?;
    rest.set_sensitive(line.is_sensitive());
    Some(rest)
}

fn strip_query(uri: &mut Uri, name: &str) {
    let Some(query) = uri.query() else {
        return;
    };
    let is_key = |segment: &&[u8]| wire::query_value(segment, name).is_some();
    if !wire::segments(query).any(|segment| is_key(&segment)) {
        return;
    }
    let path = uri.path().as_bytes();
    let mut target = Vec::with_capacity(path.len() + 1 + query.len());
    target.extend_from_slice(path);
    for segment in wire::segments(query).filter(|segment| !is_key(segment)) {
        let is_first = target.len() == path.len();
        target.push(if is_first { b'?' } else { b'&' });
        target.extend_from_slice(segment);
    }
    if target.len() == path.len() + 1 {
        // Only one empty segment is left.
        target.pop();
    }
    // Cannot fail: what is left of a valid target is valid. If it did, losing the target
    // is better than exposing the key.
    *uri = with_target(mem::take(uri), target).unwrap_or_default();
}

fn with_target(uri: Uri, target: Vec<u8>) -> Result<Uri, http::Error> {
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(Bytes::from(target))?);
    Ok(Uri::from_parts(parts)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::key::{KeySource, default_names, default_sources};

    const KEY: &str = "Ocp-Apim-Subscription-Key";

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, value.parse::<HeaderValue>().unwrap())
            })
            .collect()
    }

    fn strip(sources: &[KeySource], request: &mut Request<()>) {
        let places = KeyPlaces {
            sources,
            names: default_names(),
            generated_keys_only: false,
        };
        places.strip(request);
    }

    fn stripped_uri(sources: &[KeySource], uri: &str) -> Uri {
        let mut request = Request::get(uri).body(()).unwrap();
        strip(sources, &mut request);
        request.uri().clone()
    }

    /// Maps are equal if each name has the same lines in the same order.
    fn check_headers(sources: &[KeySource], lines: &[(&str, &str)], left: &[(&str, &str)]) {
        let mut request = Request::new(());
        *request.headers_mut() = headers(lines);
        strip(sources, &mut request);
        assert_eq!(request.headers(), &headers(left), "{lines:?}");
        assert_eq!(request.uri(), &Uri::default());
    }

    #[test]
    fn query_after_stripping_lacks_only_the_key() {
        for (uri, left) in [
            ("/p?c=1&subscription-key=K&b=%61", "/p?c=1&b=%61"),
            ("/p?subscription-key=K", "/p"),
            ("/p?subscription-key", "/p"),
            ("/p?subscription-key=", "/p"),
            ("/p?%73ubscription-key=K&a=%zz", "/p?a=%zz"),
            ("/p?a&subscription-key&subscription%2dkey=L&b", "/p?a&b"),
            ("/p?subscription-key=K&subscription-key=K", "/p"),
            ("/p?a=1&subscription-key=K", "/p?a=1"),
            ("/p?subscription-key=K&a=?/;'", "/p?a=?/;'"),
            ("/p?subscription-key=K&?a", "/p??a"),
            ("/p?subscription-key=K&&a", "/p?&a"),
            ("/p?subscription-key=K&", "/p"),
            ("/p?&subscription-key=K", "/p"),
            ("/p?&subscription-key=K&", "/p?&"),
            ("/%61//b/?subscription-key=K", "/%61//b/"),
            ("/é?subscription-key=K&ü=ö", "/é?ü=ö"),
            ("http://h:1/p?subscription-key=K&a", "http://h:1/p?a"),
            ("http://u@h?subscription-key=K", "http://u@h/"),
            ("http://h?subscription-key=K&a", "http://h/?a"),
        ] {
            let stripped = stripped_uri(&default_sources(), uri);
            assert_eq!(stripped.to_string(), left, "{uri}");
            let query = left.split_once('?').map(|(_, query)| query);
            assert_eq!(stripped.query(), query, "{uri}");
        }
    }

    #[test]
    fn uri_without_the_key_is_unchanged() {
        for uri in [
            "/",
            "/p?",
            "/p?&&a",
            "/p?&",
            "/p?=K",
            "/p?Subscription-Key=K",
            "/p?a=subscription-key=K",
            "/p?a;subscription-key=K",
            "/subscription-key=K?a",
            "*",
            "h:443",
            "http://h",
            "http://h?a",
        ] {
            let before: Uri = uri.parse().unwrap();
            let mut after = before.clone();
            strip_query(&mut after, "subscription-key");
            assert_eq!(after, before);
            assert_eq!(after.query(), before.query(), "{uri}");
            assert_eq!(after.path().as_ptr(), before.path().as_ptr(), "{uri}");
        }
    }

    #[test]
    fn query_with_several_sources_is_stripped_of_all() {
        let sources = [KeySource::query_named("a b").unwrap(), KeySource::query()];
        let uri = stripped_uri(&sources, "/?subscription-key=K&a+b=L&c&a%20b");
        assert_eq!(uri, "/?c");
    }

    #[test]
    fn long_query_is_stripped_of_every_key() {
        let uri = format!("/?{}", ["a=%61&subscription-ke%79"; 2_600].join("&"));
        let left = stripped_uri(&default_sources(), &uri);
        assert_eq!(left.query(), Some(&["a=%61"; 2_600].join("&")[..]));
    }

    #[test]
    fn header_stripping_removes_every_line_and_keeps_the_order() {
        check_headers(
            &default_sources(),
            &[
                ("Via", "1"),
                (KEY, "K"),
                ("Accept", "a"),
                ("Via", "2"),
                (KEY, "L"),
                ("Accept", "b"),
                ("Via", "3"),
            ],
            &[
                ("Via", "1"),
                ("Via", "2"),
                ("Via", "3"),
                ("Accept", "a"),
                ("Accept", "b"),
            ],
        );
        check_headers(&default_sources(), &[(KEY, "")], &[]);
        check_headers(&[KeySource::query()], &[(KEY, "K")], &[(KEY, "K")]);
    }

    #[test]
    fn cookie_stripping_keeps_other_cookies() {
        for (lines, left) in [
            (&["a=1; k=K; b=2"][..], &["a=1; b=2"][..]),
            (&["k=K; a=1"], &["a=1"]),
            (&["a=1; k=K"], &["a=1"]),
            (&["a=1;k=K;b=2"], &["a=1;b=2"]),
            (&["a=\"1\" ;  k=K; b = 2;"], &["a=\"1\" ; b = 2;"]),
            (&["k=K; a=1; k=L"], &["a=1"]),
            (&["k=K"], &[]),
            (&["k=; k=K;"], &[]),
            (&["k; k=K"], &["k"]),
            (&["a=1", "k=K", "b=2; k=L", "c=3"], &["a=1", "b=2", "c=3"]),
            (&["a=1;; b=2; ", "K=k"], &["a=1;; b=2; ", "K=k"]),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("Cookie", *line)).collect();
            let left: Vec<_> = left.iter().map(|line| ("Cookie", *line)).collect();
            check_headers(&[KeySource::cookie("k").unwrap()], &lines, &left);
        }
    }

    #[test]
    fn authorization_keeps_other_schemes() {
        let name = "Authorization";
        check_headers(
            &[KeySource::bearer()],
            &[
                (name, "Basic a"),
                (name, "bearer K"),
                (name, "Digest b"),
                (name, "Bearer"),
            ],
            &[(name, "Basic a"), (name, "Digest b")],
        );
    }

    #[test]
    fn remaining_part_of_a_sensitive_header_stays_sensitive() {
        let mut line = HeaderValue::from_static("a=1; k=K");
        line.set_sensitive(true);
        assert!(without_cookie(&line, "k").unwrap().is_sensitive());
    }
}
