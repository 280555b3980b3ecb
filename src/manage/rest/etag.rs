//! Versions of records as entity tags.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue};

use crate::manage::Expected;

/// The tag of a version.
pub(super) fn of(version: u64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{version}\"")).ok()
}

/// What a creation or update by PUT expects.
pub(super) fn of_put(headers: &HeaderMap) -> Expected {
    let creates = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| value.as_bytes().trim_ascii() == b"*");
    if creates {
        Expected::Absent
    } else {
        expected(headers, Expected::Anything)
    }
}

/// What an update by PATCH expects: without a tag, that the record exists.
pub(super) fn of_patch(headers: &HeaderMap) -> Expected {
    expected(headers, Expected::Present)
}

/// What a deletion expects.
pub(super) fn of_delete(headers: &HeaderMap) -> Expected {
    expected(headers, Expected::Anything)
}

fn expected(headers: &HeaderMap, without_tag: Expected) -> Expected {
    let Some(value) = headers.get(IF_MATCH) else {
        return without_tag;
    };
    let tag = value.as_bytes().trim_ascii();
    if tag == b"*" {
        return without_tag;
    }
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let tag = tag
        .strip_prefix(b"\"")
        .and_then(|tag| tag.strip_suffix(b"\""))
        .unwrap_or(tag);
    let version = std::str::from_utf8(tag)
        .ok()
        .and_then(|tag| tag.parse().ok());
    // No record has version 0, so what is not a tag of ours never matches.
    Expected::Version(version.unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn if_match_absent_or_star_expects_what_the_method_does() {
        for pairs in [&[][..], &[("if-match", "*")], &[("if-match", " * ")]] {
            assert_eq!(of_put(&headers(pairs)), Expected::Anything, "{pairs:?}");
            assert_eq!(of_patch(&headers(pairs)), Expected::Present, "{pairs:?}");
            assert_eq!(of_delete(&headers(pairs)), Expected::Anything, "{pairs:?}");
        }
        assert_eq!(
            of_put(&headers(&[("if-none-match", "*")])),
            Expected::Absent
        );
    }

    #[test]
    fn if_match_tag_expects_its_version() {
        for tag in ["\"7\"", "7", "W/\"7\""] {
            assert_eq!(
                of_patch(&headers(&[("if-match", tag)])),
                Expected::Version(7),
                "{tag}"
            );
        }
        for tag in ["\"x\"", "", "\"1\", \"2\"", "AAAAAAAAAAE="] {
            assert_eq!(
                of_put(&headers(&[("if-match", tag)])),
                Expected::Version(0),
                "{tag}"
            );
        }
        assert_eq!(of(7).unwrap(), "\"7\"");
    }
}
