//! Arbitrary requests of hostile clients.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tower::{Layer, Service};
use tower_subscription_key::{
    Access, InapplicableKey, KeySource, MemoryStore, SubscriptionKeyLayer, Unmatched,
};

use crate::support::{HEADER, Inner, KEY, layer};

type Passed = (StatusCode, Option<http::request::Parts>);

/// The response, which needs no wait.
fn ask(layer: &SubscriptionKeyLayer<MemoryStore>, request: Request<()>) -> Passed {
    let inner = Inner::default();
    let mut service = layer.layer(inner.clone());
    let answer = pin!(service.call(request)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(response)) = answer else {
        panic!("a store in memory waits");
    };
    (response.status(), inner.seen().pop())
}

/// Arbitrary header values; some are keys, some are long.
fn value() -> impl Strategy<Value = HeaderValue> {
    let byte = prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xffu8];
    prop_oneof![
        3 => vec(byte, 0..40),
        2 => Just(KEY.into()),
        1 => "(Bearer|Basic|bearer)? *[a-z]{0,3}".prop_map(String::into_bytes),
        1 => "(k=[a-z]{0,3}|a=1|k)(; ?(k=\\PC{0,3}|b))?".prop_map(String::into_bytes),
        1 => (250..260usize).prop_map(|length| vec![b'k'; length]),
        1 => Just(vec![0xff; 65_536]),
    ]
    .prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    let names = vec![
        HEADER,
        "x-own-key",
        "authorization",
        "cookie",
        "host",
        "content-type",
        "x",
    ];
    vec((select(names), value()), 0..6).prop_map(|lines| {
        let lines = lines.into_iter();
        let line = |(name, value): (&str, _)| (HeaderName::try_from(name).unwrap(), value);
        lines.map(line).collect()
    })
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["/guarded", "/lax", "/given", "/own", "/guarded/x"]).prop_map(Into::into),
        2 => "/[!-~&&[^?#]]{0,20}",
        1 => Just(format!("/guarded{}", "/".repeat(60_000))),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let name = "subscription-key|%73ubscription-key|own_key|subscription%2Dkey|[!-~&&[^#]]{0,6}";
    let value = prop_oneof![
        Just(format!("={KEY}")),
        "(=[!-~&&[^#&]]{0,12})?".prop_map(String::from),
        "=(%[0-9a-f]{2}){250,260}".prop_map(String::from),
    ];
    let segments = vec((name, value), 0..5).prop_map(|all| {
        all.into_iter()
            .map(|(n, v)| n + &v)
            .collect::<Vec<_>>()
            .join("&")
    });
    prop_oneof![
        9 => segments,
        1 => Just("subscription-key=%ff&".repeat(2_900)),
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let target = (path(), proptest::option::of(query()), any::<bool>());
    target.prop_filter_map("no URI", |(path, query, absolute)| {
        let host = if absolute { "http://user@h:1" } else { "" };
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        format!("{host}{path}{query}").parse().ok()
    })
}

fn requests() -> impl Strategy<Value = Request<()>> {
    let methods = vec![Method::GET, Method::OPTIONS, Method::POST];
    (uri(), headers(), select(methods)).prop_map(|(uri, headers, method)| {
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        *request.method_mut() = method;
        *request.version_mut() = Version::HTTP_2;
        request.extensions_mut().insert("left by another layer");
        request
    })
}

fn layers() -> impl Strategy<Value = SubscriptionKeyLayer<MemoryStore>> {
    let all = vec![
        KeySource::header(),
        KeySource::query(),
        KeySource::cookie("k").unwrap(),
        KeySource::bearer(),
    ];
    let sources = prop_oneof![
        Just(all[..2].to_vec()),
        proptest::sample::subsequence(all, 1..=4).prop_shuffle(),
    ];
    (sources, any::<[bool; 3]>()).prop_map(|(sources, [strip, deny, pass])| {
        let mut layer = layer().sources(sources).unwrap().strip_key(strip);
        if deny {
            layer = layer.inapplicable_key(InapplicableKey::Deny);
        }
        if pass {
            layer = layer.unmatched(Unmatched::Pass);
        }
        layer
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn hostile_request_is_denied_or_passed_on_unchanged(request in requests(), layer in layers()) {
        let layer = layer.strip_key(false);
        let (before, ()) = request.clone().into_parts();
        let (status, seen) = ask(&layer, request);
        let Some(seen) = seen else {
            let content_type = before.headers.get("content-type");
            let grpc = content_type.is_some_and(|v| v.as_bytes().starts_with(b"application/grpc"));
            prop_assert!(status == StatusCode::UNAUTHORIZED || grpc);
            return Ok(());
        };
        prop_assert_eq!(status, StatusCode::OK);
        prop_assert_eq!(seen.uri.to_string(), before.uri.to_string());
        prop_assert_eq!(&seen.method, &before.method);
        prop_assert_eq!(seen.version, Version::HTTP_2);
        let lines = |headers: &HeaderMap| -> Vec<(HeaderName, Vec<u8>)> {
            let line = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.as_bytes().to_vec());
            headers.iter().map(line).collect()
        };
        prop_assert_eq!(lines(&seen.headers), lines(&before.headers));
        prop_assert_eq!(seen.extensions.get(), Some(&"left by another layer"));
        let of_path = |access: &Access| before.uri.path().starts_with(access.api().path());
        prop_assert!(seen.extensions.get::<Access>().is_none_or(of_path));
    }

    #[test]
    fn stripping_of_a_hostile_request_removes_only_the_key(request in requests(), deny in any::<bool>()) {
        let mut layer = layer().unmatched(Unmatched::Pass).strip_key(true);
        if deny {
            layer = layer.inapplicable_key(InapplicableKey::Deny);
        }
        let (before, ()) = request.clone().into_parts();
        let (_, Some(seen)) = ask(&layer, request) else {
            return Ok(());
        };
        let api = seen.extensions.get::<Access>().map(|access| access.api().id().to_owned());
        let (header, name) = match api.as_deref() {
            Some("own") => ("x-own-key", "own_key"),
            _ => (HEADER, "subscription-key"),
        };
        let mut headers = before.headers.clone();
        headers.remove(header);
        prop_assert_eq!(seen.headers, headers);
        prop_assert_eq!(seen.uri.path(), before.uri.path());
        prop_assert_eq!(seen.uri.authority(), before.uri.authority());
        let segments = before.uri.query().map(|query| query.split('&').collect::<Vec<_>>());
        let others = segments.map(|segments| {
            let mut others = segments.clone();
            others.retain(|segment| decoded(segment.split('=').next().unwrap()) != name.as_bytes());
            (others.len() < segments.len(), others.join("&"))
        });
        let left = match others {
            Some((true, left)) if left.is_empty() => None,
            Some((_, left)) => Some(left),
            None => None,
        };
        prop_assert_eq!(seen.uri.query(), left.as_deref());
    }
}

fn decoded(name: &str) -> Vec<u8> {
    let bytes = name.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = name
            .get(at + 1..at + 3)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match (bytes[at], hex) {
            (b'%', Some(hex)) => {
                out.push(u8::from_str_radix(hex, 16).unwrap());
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    out
}
