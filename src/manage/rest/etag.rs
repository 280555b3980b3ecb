//! Versions of records as entity tags.

use axum::response::Response;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::manage::Expected;

/// Names the version of the record that an answer is about.
pub(super) fn insert(response: &mut Response, version: u64) {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
}

/// What a request expects of the record that it changes. Without a tag, PUT and
/// DELETE expect nothing; the others need the record to exist.
pub(super) fn expected(head: &Parts) -> Expected {
    let is_put = head.method == Method::PUT;
    if is_put && tags(&head.headers, IF_NONE_MATCH).any(|tag| tag == b"*") {
        return Expected::Absent;
    }
    let mut given = tags(&head.headers, IF_MATCH).peekable();
    if given.peek().is_some() && !tags(&head.headers, IF_MATCH).any(|tag| tag == b"*") {
        return Expected::OneOf(given.map(version).collect());
    }
    if is_put || head.method == Method::DELETE {
        Expected::Anything
    } else {
        Expected::Present
    }
}

/// The entity tags of a header, which may be a list (RFC 9110, section 13.1.1).
fn tags(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().flat_map(|value| {
        let mut is_quoted = false;
        let tags = value.as_bytes().split(move |&byte| {
            is_quoted ^= byte == b'"';
            byte == b',' && !is_quoted
        });
        tags.map(<[u8]>::trim_ascii)
    })
}

/// The version that a tag names. No record has version 0, so that any other tag
/// never matches.
fn version(tag: &[u8]) -> u64 {
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let tag = tag
        .strip_prefix(b"\"")
        .and_then(|tag| tag.strip_suffix(b"\""))
        .unwrap_or(tag);
    let text = std::str::from_utf8(tag).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::Request;

    fn expected(method: Method, headers: &[(&str, &str)]) -> Expected {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        super::expected(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn if_match_absent_or_star_expects_what_the_method_does() {
        for headers in [&[][..], &[("if-match", "*")], &[("if-match", " * ")]] {
            assert_eq!(expected(Method::PUT, headers), Expected::Anything);
            assert_eq!(expected(Method::PATCH, headers), Expected::Present);
            assert_eq!(expected(Method::DELETE, headers), Expected::Anything);
        }
        let creates = [("if-none-match", "*")];
        assert_eq!(expected(Method::PUT, &creates), Expected::Absent);
    }

    #[test]
    fn if_match_tags_expect_one_of_their_versions() {
        for (tags, versions) in [
            ("\"7\"", &[7][..]),
            ("7", &[7]),
            ("W/\"7\"", &[7]),
            ("\"1\", \"7\"", &[1, 7]),
            ("\"x\",\"7\"", &[0, 7]),
            ("\"x,7,y\"", &[0]),
            ("\"x\"", &[0]),
            ("", &[0]),
            ("AAAAAAAAAAE=", &[0]),
        ] {
            let found = expected(Method::PUT, &[("if-match", tags)]);
            assert_eq!(found, Expected::OneOf(versions.to_vec()), "{tags}");
        }
        let lines = [("if-match", "\"1\""), ("if-match", "\"2\"")];
        let versions = Expected::OneOf(vec![1, 2]);
        assert_eq!(expected(Method::PATCH, &lines), versions);
    }
}
