//! What must hold of taking and stripping for any request, against a second
//! and naive writing of the rules.
#![allow(clippy::unwrap_used)]

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{KeyDigest, KeyPlaces, KeySource, Presented, default_names, default_sources};

const QUERY: &str = "subscription-key";

fn every_source() -> Vec<KeySource> {
    let mut sources = default_sources();
    sources.extend([
        KeySource::header_named("X-Key").unwrap(),
        KeySource::query_named("a b").unwrap(),
        KeySource::query_named("%").unwrap(),
        KeySource::cookie("k").unwrap(),
        KeySource::bearer(),
    ]);
    sources
}

/// Query text full of near misses of the key's name.
fn query() -> impl Strategy<Value = String> {
    let name = select(vec![
        QUERY,
        "%73ubscription-key",
        "subscription%2Dke%79",
        "Subscription-Key",
        "subscription-key;",
        "subscription+key",
        "subscription-key%",
        "a+b",
        "a%20b",
        "%25",
        "%",
        "%zz",
        "k",
        "",
    ]);
    let value = prop_oneof![
        "(=[a-zA-Z0-9%+=;?/é]{0,8}){0,1}",
        "=(%[0-9a-f]{2}){250,260}"
    ];
    let segment = (name, value).prop_map(|(name, value)| format!("{name}{value}"));
    vec(segment, 0..6).prop_map(|segments| segments.join("&"))
}

fn any_query() -> impl Strategy<Value = String> {
    prop_oneof![query(), "[ -~é]{0,40}"]
}

/// Header lines of which many carry keys, in any bytes a header may hold.
fn headers() -> impl Strategy<Value = HeaderMap> {
    let name = select(vec![
        "ocp-apim-subscription-key",
        "x-key",
        "authorization",
        "cookie",
        "accept",
    ]);
    let value = prop_oneof![
        vec(any::<u8>(), 0..20),
        "(Bearer|bearer|Basic)?[ \t]{0,2}[a-z]{0,3}".prop_map(String::into_bytes),
        "((k|a|K)?=?\"?[a-z]?\"? ?; ?){0,4}(k=K)?".prop_map(String::into_bytes),
    ];
    vec((name, value), 0..30).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    })
}

/// `None` if no URI can have this query.
fn uri(query: &str) -> Option<Uri> {
    format!("http://h/p?{query}").parse().ok()
}

/// Decoding by replacing the first escape in what is left, again and again.
fn naive_decode(text: &str) -> Vec<u8> {
    let spaced = text.replace('+', " ");
    let mut pieces = spaced.split('%');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        let digits = piece
            .get(..2)
            .filter(|two| two.bytes().all(|d| d.is_ascii_hexdigit()));
        match digits {
            Some(two) => {
                bytes.push(u8::from_str_radix(two, 16).unwrap());
                bytes.extend(&piece.as_bytes()[2..]);
            }
            None => bytes.extend([b"%", piece.as_bytes()].concat()),
        }
    }
    bytes
}

fn naive_pair(segment: &str) -> (Vec<u8>, Vec<u8>) {
    let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
    (naive_decode(name), naive_decode(value))
}

fn naive_take(query: &str) -> Presented {
    let values: Vec<_> = query
        .split('&')
        .map(naive_pair)
        .filter(|(name, _)| name == QUERY.as_bytes())
        .map(|(_, value)| value)
        .collect();
    match &values[..] {
        [] => Presented::Missing,
        [value] if value.is_empty() => Presented::Empty,
        [value] if value.len() > 256 => Presented::Malformed,
        [value] => Presented::Key(KeyDigest::of(value)),
        _ => Presented::Ambiguous,
    }
}

fn by(sources: &[KeySource]) -> KeyPlaces<'_> {
    KeyPlaces {
        sources,
        names: default_names(),
        generated_keys_only: false,
    }
}

fn request(headers: &HeaderMap, uri: &Uri) -> Request<()> {
    let mut request = Request::new(());
    *request.headers_mut() = headers.clone();
    *request.uri_mut() = uri.clone();
    request
}

fn take(sources: &[KeySource], headers: &HeaderMap, uri: &Uri) -> Presented {
    by(sources).take(&mut request(headers, uri))
}

/// The headers as taking leaves them: those that carry a key marked.
fn marked(headers: &HeaderMap) -> HeaderMap {
    let mut request = request(headers, &Uri::default());
    by(&every_source()).take(&mut request);
    request.headers().clone()
}

fn strip(sources: &[KeySource], headers: &mut HeaderMap, uri: &mut Uri) {
    let mut request = request(headers, uri);
    by(sources).strip(&mut request);
    *headers = request.headers().clone();
    *uri = request.uri().clone();
}

proptest! {
    #[test]
    fn taking_from_a_query_agrees_with_the_naive_writing(query in any_query()) {
        if let Some(uri) = uri(&query) {
            let taken = take(&[KeySource::query()], &HeaderMap::new(), &uri);
            prop_assert_eq!(taken, naive_take(uri.query().unwrap()));
        }
    }

    #[test]
    fn stripping_a_query_agrees_with_the_naive_writing(query in any_query()) {
        if let Some(mut uri) = uri(&query) {
            let before = uri.query().unwrap().to_owned();
            strip(&[KeySource::query()], &mut HeaderMap::new(), &mut uri);

            let all: Vec<_> = before.split('&').collect();
            let mut left = all.clone();
            left.retain(|segment| naive_pair(segment).0 != QUERY.as_bytes());
            let joined = left.join("&");
            let expected = (left == all || !joined.is_empty()).then_some(&joined[..]);
            prop_assert_eq!(uri.query(), expected);
            prop_assert_eq!((uri.host(), uri.path()), (Some("h"), "/p"));
        }
    }

    #[test]
    fn nothing_is_left_to_take_once_stripped(mut headers in headers(), query in any_query()) {
        let mut uri = uri(&query).unwrap_or_default();
        strip(&every_source(), &mut headers, &mut uri);
        for source in every_source() {
            prop_assert_eq!(take(&[source], &headers, &uri), Presented::Missing);
        }

        let (again, same) = (headers.clone(), uri.clone());
        strip(&every_source(), &mut headers, &mut uri);
        prop_assert_eq!(headers, again);
        prop_assert_eq!(uri.to_string(), same.to_string());
    }

    #[test]
    fn headers_of_other_names_are_left_alone(before in headers()) {
        let mut after = marked(&before);
        prop_assert_eq!(&after, &before);
        strip(&every_source(), &mut after, &mut Uri::default());
        prop_assert_eq!(
            after.get_all("accept").iter().collect::<Vec<_>>(),
            before.get_all("accept").iter().collect::<Vec<_>>()
        );
        for name in after.keys() {
            prop_assert!(["accept", "cookie", "authorization"].contains(&name.as_str()));
        }
    }

    #[test]
    fn read_header_values_are_marked_sensitive(headers in headers()) {
        let headers = marked(&headers);
        for source in every_source() {
            let plain: HeaderMap = headers
                .iter()
                .filter(|(_, value)| !value.is_sensitive())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let taken = take(&[source], &plain, &Uri::default());
            prop_assert_eq!(taken, Presented::Missing);
        }
    }

    #[test]
    fn few_and_many_headers_are_read_alike(headers in headers()) {
        let mut many = headers.clone();
        for n in 0..30 {
            many.append("other", HeaderValue::from(n));
        }
        for source in every_source() {
            let sources = [source];
            prop_assert_eq!(
                take(&sources, &headers, &Uri::default()),
                take(&sources, &many, &Uri::default())
            );
        }
    }
}
