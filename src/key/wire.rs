//! The grammar of the places that carry keys. Taking, stripping and marking share it,
//! so that a key that can be taken can also be stripped.

use percent_encoding::percent_decode;

use crate::key::MAX_KEY_BYTES;

/// The segments of a query.
pub(super) fn segments(query: &str) -> impl Iterator<Item = &[u8]> + Clone {
    query.as_bytes().split(|&byte| byte == b'&')
}

/// The value of a query segment, still encoded, if its name decodes to `name`. A
/// segment without `=` has the empty value.
pub(super) fn query_value<'q>(segment: &'q [u8], name: &str) -> Option<&'q [u8]> {
    let name = name.as_bytes();
    // Decoding never makes text longer: this excludes most segments.
    if segment.len() < name.len() {
        return None;
    }
    let (raw_name, value) = cut(segment, b'=').unwrap_or((segment, &[]));
    let is_same = match is_encoded(raw_name) {
        true => decoded(raw_name).eq(name.iter().copied()),
        false => raw_name == name,
    };
    is_same.then_some(value)
}

/// Whether decoding can change `raw`.
pub(super) fn is_encoded(raw: &[u8]) -> bool {
    raw.iter().any(|byte| matches!(byte, b'%' | b'+'))
}

/// Decodes a query value into `buffer`. `None` if it is longer than a key can be.
pub(super) fn decode_key<'b>(raw: &[u8], buffer: &'b mut [u8; MAX_KEY_BYTES]) -> Option<&'b [u8]> {
    let mut length = 0;
    for byte in decoded(raw) {
        *buffer.get_mut(length)? = byte;
        length += 1;
    }
    buffer.get(..length)
}

/// The decoded bytes of a query name or value: `+` is a space, `%` with two hex digits
/// is a byte, and any other `%` is itself.
fn decoded(raw: &[u8]) -> impl Iterator<Item = u8> {
    let parts = raw.split(|&byte| byte == b'+').enumerate();
    parts.flat_map(|(at, part)| {
        let space = (at > 0).then_some(b' ');
        space.into_iter().chain(percent_decode(part))
    })
}

/// The value of one `;` piece of a `Cookie` line, if it is a cookie with the given name.
/// Quotes are part of the value.
pub(super) fn cookie_value<'l>(piece: &'l [u8], name: &str) -> Option<&'l [u8]> {
    let (found, value) = cut(piece.trim_ascii_start(), b'=')?;
    (found == name.as_bytes()).then(|| value.trim_ascii())
}

/// The values of all cookies with the given name in one `Cookie` line.
pub(super) fn cookie_values<'l>(
    line: &'l [u8],
    name: &'l str,
) -> impl Iterator<Item = &'l [u8]> + use<'l> {
    line.split(|&byte| byte == b';')
        .filter_map(move |piece| cookie_value(piece, name))
}

/// What follows the scheme in an `Authorization` line with the given scheme. After the
/// scheme alone, it is empty.
pub(super) fn credentials<'l>(line: &'l [u8], scheme: &str) -> Option<&'l [u8]> {
    let (found, rest) = line.trim_ascii().split_at_checked(scheme.len())?;
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    (ends && found.eq_ignore_ascii_case(scheme.as_bytes())).then(|| rest.trim_ascii_start())
}

/// The bytes before and after the first `separator`.
fn cut(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == separator)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_decoded_and_exactly() {
        for (segment, name, value) in [
            ("k=v", "k", Some("v")),
            ("k", "k", Some("")),
            ("k=", "k", Some("")),
            ("k=a=b", "k", Some("a=b")),
            ("%6b=v", "k", Some("v")),
            ("%6B=%76", "k", Some("%76")),
            ("a+b=v", "a b", Some("v")),
            ("a+b=v", "a+b", None),
            ("a%2Bb=v", "a+b", Some("v")),
            ("a%3Db=v", "a=b", Some("v")),
            ("%zz=v", "%zz", Some("v")),
            ("%6=v", "%6", Some("v")),
            ("%=v", "%", Some("v")),
            ("%%36b=v", "%6b", Some("v")),
            ("%C3%A9=v", "é", Some("v")),
            ("K=v", "k", None),
            ("kk=v", "k", None),
            ("k;x=v", "k", None),
            ("x;k=v", "k", None),
            (" k=v", "k", None),
            ("=v", "k", None),
            ("", "k", None),
        ] {
            let found = query_value(segment.as_bytes(), name);
            assert_eq!(found, value.map(str::as_bytes), "{segment}");
        }
    }

    #[test]
    fn values_decode_to_bytes_that_need_not_be_text() {
        for (raw, expected) in [
            ("", &b""[..]),
            ("a%20b+c", b"a b c"),
            ("%ff%FE%00", b"\xff\xfe\0"),
            ("%zz%4%", b"%zz%4%"),
            ("%+41", b"% 41"),
            ("%%41", b"%A"),
            ("%254", b"%4"),
        ] {
            let mut buffer = [0; MAX_KEY_BYTES];
            let decoded = decode_key(raw.as_bytes(), &mut buffer);
            assert_eq!(decoded, Some(expected), "{raw}");
        }
    }

    #[test]
    fn cookie_with_a_similar_name_is_not_read() {
        for (line, values) in [
            ("k=v", &["v"][..]),
            ("a=1; k=v;b=2", &["v"]),
            ("k=v; k=w", &["v", "w"]),
            ("\tk= v ", &["v"]),
            ("k=", &[""]),
            ("k=\"v\"", &["\"v\""]),
            ("k=a=b", &["a=b"]),
            ("k=%41+", &["%41+"]),
            ("k", &[]),
            ("K=v", &[]),
            ("k =v", &[]),
            ("kk=v; ak=v", &[]),
            ("a=k=v", &[]),
            ("", &[]),
        ] {
            let found: Vec<_> = cookie_values(line.as_bytes(), "k").collect();
            let values: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
            assert_eq!(found, values, "{line}");
        }
    }

    #[test]
    fn credentials_are_those_of_the_whole_scheme_in_any_case() {
        for (line, value) in [
            ("Bearer k", Some("k")),
            ("bEARER k", Some("k")),
            ("Bearer \t k ", Some("k")),
            (" Bearer\tk", Some("k")),
            ("Bearer", Some("")),
            ("Bearer ", Some("")),
            ("Bearer a b, c", Some("a b, c")),
            ("Bearer=k", None),
            ("Bearerk", None),
            ("Bear k", None),
            ("Basic k", None),
            ("Basic Bearer k", None),
            ("", None),
        ] {
            let found = credentials(line.as_bytes(), "Bearer");
            assert_eq!(found, value.map(str::as_bytes), "{line}");
        }
    }
}
