use http::header::HOST;
use http::{HeaderMap, Uri};

/// The host and port as the request names them: the target in absolute form (and
/// every target of HTTP/2) before the `Host` header.
///
/// A target without a scheme names no host: `GET echo&subscription-key=K`, which
/// lacks its slash, is read as an authority, and the response would repeat the key.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a [u8]> {
    let authority = match uri.scheme().and(uri.authority()) {
        Some(authority) => authority.as_str().as_bytes(),
        None => headers.get(HOST)?.as_bytes(),
    };
    // Nothing else may leave the quotes around the host.
    let is_host_byte = |byte: &u8| IS_HOST_BYTE[usize::from(*byte)];
    let host = match authority.iter().rposition(|byte| !is_host_byte(byte)) {
        None => authority,
        // A user name and password in front of the host are left out.
        Some(at) if authority[at] == b'@' => &authority[at + 1..],
        Some(_) => return None,
    };
    // A port alone is no host.
    (!matches!(host, [] | [b':', ..])).then_some(host)
}

const IS_HOST_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_host_byte(byte as u8);
        byte += 1;
    }
    table
};

/// The bytes of a host and its port (RFC 3986, section 3.2.2).
const fn is_host_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'%'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':'
        | b'[' | b']')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn named(target: &str, hosts: &[&[u8]]) -> Option<String> {
        let uri: Uri = target.parse().unwrap();
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        let host = host(&uri, &headers)?.to_vec();
        Some(String::from_utf8(host).unwrap())
    }

    #[test]
    fn realm_host_is_the_host_header_with_its_port() {
        for host in [
            "api.example",
            "api.example:8080",
            "[::1]:8080",
            "10.0.0.1",
            "a%20b",
        ] {
            assert_eq!(named("/echo", &[host.as_bytes()]).as_deref(), Some(host));
        }
    }

    #[test]
    fn absolute_request_target_precedes_the_host_header() {
        for (target, host) in [
            ("http://target.example/echo", "target.example"),
            ("https://target.example:8443/echo", "target.example:8443"),
            ("http://user:secret@target.example/echo", "target.example"),
            ("http://user@[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(named(target, &[b"header.example"]).as_deref(), Some(host));
        }
    }

    #[test]
    fn request_target_without_a_scheme_is_not_used_as_the_host() {
        for target in [
            "target.example:443",
            "echo",
            "subscription-key=K",
            "echo&subscription-key=K",
        ] {
            let host = named(target, &[b"header.example"]);
            assert_eq!(host.as_deref(), Some("header.example"), "{target}");
            assert_eq!(named(target, &[]), None, "{target}");
        }
    }

    #[test]
    fn first_of_two_key_headers_counts() {
        let first = named("/", &[b"one.example", b"two.example"]);
        assert_eq!(first.as_deref(), Some("one.example"));
        assert_eq!(named("/", &[b"a\"b", b"two.example"]), None);
    }

    #[test]
    fn realm_host_with_a_user_omits_the_user() {
        let host = named("/", &[b"user:secret@api.example"]);
        assert_eq!(host.as_deref(), Some("api.example"));
    }

    #[test]
    fn invalid_host_is_not_used() {
        assert_eq!(named("/", &[]), None);
        for host in [
            &b""[..],
            b"a\"b",
            b"a\\b",
            b"a b",
            b" a",
            b"a/b",
            b"a\tb",
            b"a?b",
            b"a#b",
            b"a<b>",
            b":8080",
            b"user@",
            b"\xc3\xa9.example",
            b"\xff",
        ] {
            assert_eq!(named("/", &[host]), None, "{host:?}");
        }
    }
}
