use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::catalog::validate::clipped;

/// An API path that no request could match, or not in the way that it reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It is neither empty nor begins with `/`.
    #[error("a path is empty or begins with `/`: write {suggestion:?}")]
    Relative {
        /// The path with a slash in front.
        suggestion: String,
    },
    /// It is a pattern of a router.
    #[error(
        "a path is a literal prefix that takes everything below it, and {part:?} is a pattern: \
         write {prefix:?}"
    )]
    Pattern {
        /// The segment that is a pattern.
        part: String,
        /// The literal prefix in front of it.
        prefix: String,
    },
    /// It contains a `?` or `#`.
    #[error("a path has no query and no fragment: write {prefix:?}")]
    Query {
        /// The part in front of it.
        prefix: String,
    },
    /// It contains white space or a control character.
    #[error(
        "a path must not contain white space or control characters, here {0:?}: no client sends them"
    )]
    Blank(char),
    /// It contains a character beyond ASCII.
    #[error("a path is written percent-encoded, as clients send it: write {encoded:?}")]
    NotAscii {
        /// The path, percent-encoded.
        encoded: String,
    },
}

/// Checks the path of an API: a literal prefix, as clients send it.
pub(crate) fn check_path(path: &str) -> Result<(), PathError> {
    if !path.is_empty() && !path.starts_with('/') {
        let suggestion = clipped(&format!("/{path}"));
        return Err(PathError::Relative { suggestion });
    }
    if let Some(blank) = path.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(PathError::Blank(blank));
    }
    if let Some(at) = path.find(['?', '#']) {
        let prefix = clipped(&path[..at]);
        return Err(PathError::Query { prefix });
    }
    let mut prefix_end = 0;
    for part in path.split('/').skip(1) {
        let is_pattern =
            part.contains(['{', '}']) || part.starts_with(':') || part == "*" || part == "**";
        if is_pattern {
            let (part, prefix) = (clipped(part), clipped(&path[..prefix_end]));
            return Err(PathError::Pattern { part, prefix });
        }
        prefix_end += 1 + part.len();
    }
    if !path.is_ascii() {
        let mut encoded = String::new();
        for byte in path.bytes() {
            if byte.is_ascii() {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        let encoded = clipped(&encoded);
        return Err(PathError::NotAscii { encoded });
    }
    Ok(())
}

/// Whether the [lenient reading](lenient_reading) of a path is the path itself,
/// without a slash at its end.
#[inline]
pub(crate) fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let Some((first, rest)) = bytes.split_first() else {
        return true;
    };
    if *first != b'/' {
        return false;
    }
    // Without branches, several bytes are compared at once.
    let suspicious = bytes
        .iter()
        .zip(rest)
        .fold(false, |suspicious, (before, byte)| {
            let after_slash = (*before == b'/') & ((*byte == b'/') | (*byte == b'.'));
            suspicious | after_slash | (*byte == b'%') | (*byte == b'\\')
        });
    // Most dots behind a slash begin a name, as in `/.well-known`.
    !suspicious || !path.contains(['%', '\\']) && !path.contains("//") && !has_dots(path)
}

fn has_dots(path: &str) -> bool {
    path.split('/').any(|part| part == "." || part == "..")
}

/// The path as other services may read it: percent-escapes decoded once, `\` as
/// `/`, empty and `.` segments removed, `..` resolved. Without a slash at its end.
pub(crate) fn lenient_reading(path: &str) -> Cow<'_, [u8]> {
    if is_plain(path) {
        let path = path.strip_suffix('/').unwrap_or(path);
        return Cow::Borrowed(path.as_bytes());
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut reading = Vec::with_capacity(decoded.len() + 1);
    for part in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        match part {
            b"" | b"." => {}
            b".." => {
                let parent = reading.iter().rposition(|byte| *byte == b'/');
                reading.truncate(parent.unwrap_or(0));
            }
            part => {
                reading.push(b'/');
                reading.extend_from_slice(part);
            }
        }
    }
    Cow::Owned(reading)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn path_that_is_a_literal_prefix_is_accepted() {
        for path in [
            "",
            "/",
            "/a",
            "/a/b/",
            "/a//b",
            "/a.b/.well-known",
            "/caf%C3%A9",
            "/a:b",
            "/x*",
            "/@v1",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn path_that_matches_nothing_is_refused_with_the_cure() {
        for (path, cure) in [
            ("orders", "write \"/orders\""),
            ("/orders/*", "write \"/orders\""),
            ("/orders/**", "write \"/orders\""),
            ("/a/orders/{id}/x", "write \"/a/orders\""),
            ("/{*rest}", "write \"\""),
            ("/orders/:id", "write \"/orders\""),
            ("/orders?x=1", "write \"/orders\""),
            ("/orders#top", "write \"/orders\""),
            ("/my orders", "white space"),
            ("/a\u{a0}b", "white space"),
            ("/a\n", "control"),
            ("/café", "write \"/caf%C3%A9\""),
        ] {
            let error = check_path(path).err().map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|e| e.contains(cure)),
                "{path}: {error:?}"
            );
        }
    }

    #[test]
    fn lenient_reading_decodes_once_and_cleans_up() {
        for (path, reading) in [
            ("", ""),
            ("/", ""),
            ("/a", "/a"),
            ("/a/", "/a"),
            ("//a", "/a"),
            ("/a//b///", "/a/b"),
            ("/./a/./b/.", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../a", "/a"),
            ("/a/b/..", "/a"),
            ("/%61%2Fb", "/a/b"),
            ("/a%5cb", "/a/b"),
            ("/a\\..\\b", "/b"),
            ("/%2e%2E/a", "/a"),
            ("/%2561", "/%61"),
            ("/a%", "/a%"),
            ("/a%4", "/a%4"),
            ("/a%zz", "/a%zz"),
            ("/.well-known/...", "/.well-known/..."),
            ("*", "/*"),
        ] {
            assert_eq!(lenient_reading(path), reading.as_bytes(), "{path}");
        }
        assert_eq!(&*lenient_reading("/%ff"), b"/\xff");
    }

    proptest! {
        #[test]
        fn lenient_reading_of_a_plain_path_is_the_path(path in "(/[ab.%\\\\2f]{0,3}){0,4}") {
            let reading = lenient_reading(&path).into_owned();
            let without_slash = path.strip_suffix('/').unwrap_or(&path);
            // The long way, which does not ask whether the path is plain.
            let long_way = lenient_reading(&format!("/.{path}")).into_owned();
            prop_assert_eq!(&reading, &long_way);
            prop_assert!(!is_plain(&path) || reading == without_slash.as_bytes());
        }
    }
}
