use http::header::HOST;
use http::{HeaderMap, HeaderValue, Uri};

/// Where the request names its host, not looked at yet. A target in absolute
/// form (and every target of HTTP/2) names it before the `Host` header does.
///
/// A target without a scheme names none: `GET echo&subscription-key=K`, which
/// lacks its slash, reads as an authority, and the answer would repeat the key.
pub(super) fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a [u8]> {
    match uri.scheme().and(uri.authority()) {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => line(headers).map(HeaderValue::as_bytes),
    }
}

/// The first `Host` header. Clients are to send it before all others (RFC 9110,
/// section 7.2), and a look there takes a fifth of the time of a search.
fn line(headers: &HeaderMap) -> Option<&HeaderValue> {
    match headers.iter().next() {
        Some((name, value)) if *name == HOST => Some(value),
        _ => headers.get(HOST),
    }
}

/// The host and port in an authority.
pub(super) fn host(authority: &[u8]) -> Option<&[u8]> {
    let host = without_user_info(authority);
    is_host(host).then_some(host)
}

/// A name and a password in front of the host are nobody else's business.
fn without_user_info(authority: &[u8]) -> &[u8] {
    match authority.iter().rposition(|&byte| byte == b'@') {
        Some(at) => &authority[at + 1..],
        None => authority,
    }
}

/// Whether these bytes can name a host, so that a client's invention cannot
/// leave the quotes that it is written between. A port alone names none.
fn is_host(bytes: &[u8]) -> bool {
    let named = bytes.first().is_some_and(|&first| first != b':');
    named && bytes.iter().all(|&byte| is_host_byte(byte))
}

/// The bytes of a host and its port (RFC 3986, section 3.2.2).
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn named(target: &str, hosts: &[&[u8]]) -> Option<String> {
        let uri: Uri = target.parse().unwrap();
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        let named = authority(&uri, &headers).and_then(host);
        let named = named.map(|host| String::from_utf8(host.to_vec()).unwrap());

        let mut others = HeaderMap::new();
        others.insert("x-host", HeaderValue::from_static("other.example"));
        others.extend(headers);
        assert_eq!(
            authority(&uri, &others).and_then(host),
            named.as_deref().map(str::as_bytes)
        );
        named
    }

    #[test]
    fn the_host_header_names_it_port_included() {
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
    fn a_target_in_absolute_form_names_it_before_the_header() {
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
    fn a_target_without_a_scheme_is_no_host_and_is_not_repeated() {
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
    fn the_first_of_two_headers_counts() {
        let first = named("/", &[b"one.example", b"two.example"]);
        assert_eq!(first.as_deref(), Some("one.example"));
        assert_eq!(named("/", &[b"a\"b", b"two.example"]), None);
    }

    #[test]
    fn the_user_in_a_header_is_left_out() {
        let host = named("/", &[b"user:secret@api.example"]);
        assert_eq!(host.as_deref(), Some("api.example"));
    }

    #[test]
    fn what_cannot_be_a_host_is_none() {
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
