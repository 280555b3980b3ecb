//! Which parts of a key the inner service sees.

use http::HeaderMap;
use tower_subscription_key::{KeySource, MemoryStore, SubscriptionKeyLayer, Unmatched};

use crate::support::{HEADER, KEY, Slow, get, layer, send, slow_layer, with};

type KeyLayer = SubscriptionKeyLayer<MemoryStore>;

async fn query_left(layer: &KeyLayer, uri: &str) -> Option<String> {
    let seen = send(layer, get(uri)).await.passed();
    seen.uri.query().map(str::to_owned)
}

async fn headers_left(layer: &KeyLayer, uri: &str, headers: &[(&str, &str)]) -> HeaderMap {
    send(layer, with(uri, headers)).await.passed().headers
}

#[tokio::test]
async fn kept_key_is_unchanged_and_marked_sensitive() {
    let layer = layer()
        .sources([
            KeySource::header(),
            KeySource::bearer(),
            KeySource::cookie("k").unwrap(),
            KeySource::query(),
        ])
        .unwrap();
    let uri = format!("/guarded?c=1&subscription-key={KEY}&b=%61");
    let bearer = format!("Bearer {KEY}");
    let cookie = format!("a=1; k={KEY}");
    let headers = [
        (HEADER, KEY),
        ("authorization", &*bearer),
        ("cookie", &*cookie),
        ("accept", "*/*"),
    ];
    let seen = send(&layer, with(&uri, &headers)).await.passed();
    assert_eq!(seen.uri, *uri);
    for (name, value) in headers {
        let found = &seen.headers[name];
        assert_eq!(found, value);
        assert_eq!(found.is_sensitive(), name != "accept", "{name}");
    }
    let printed = format!("{:?}", seen.headers);
    assert!(
        printed.contains("Sensitive") && !printed.contains(KEY),
        "{printed}"
    );
}

#[tokio::test]
async fn key_under_every_applicable_name_is_stripped() {
    let layer = layer().strip_key(true);
    let query = format!("c=1&subscription-key={KEY}&b=%61");
    let left = query_left(&layer, &format!("/guarded?{query}")).await;
    assert_eq!(left.as_deref(), Some("c=1&b=%61"));
    let alone = format!("/guarded?%73ubscription-key={KEY}");
    assert_eq!(query_left(&layer, &alone).await, None);

    // The header and the query, used or unused, repeated and encoded.
    let uri = format!("/guarded?subscription-key=x&subscription%2Dkey={KEY}&a");
    let seen = send(
        &layer,
        with(&uri, &[(HEADER, KEY), ("subscription-key", "y")]),
    )
    .await
    .passed();
    assert_eq!(seen.uri, "/guarded?a");
    assert!(!seen.headers.contains_key(HEADER));
    assert_eq!(
        seen.headers["subscription-key"], "y",
        "a header is no query"
    );

    // The default names do not apply if the API overrides them.
    let uri = format!("/own?own_key=x&subscription-key={KEY}");
    let seen = send(&layer, with(&uri, &[("X-Own-Key", KEY), (HEADER, "kept")]))
        .await
        .passed();
    assert_eq!(seen.uri, format!("/own?subscription-key={KEY}").as_str());
    assert_eq!(seen.headers.len(), 1);
}

#[tokio::test]
async fn key_for_an_open_api_is_stripped() {
    let layer = layer().strip_key(true).unmatched(Unmatched::Pass);
    for path in ["/lax", "/given", "/no/api"] {
        let uri = format!("{path}?subscription-key={KEY}&subscription-key=2");
        let headers = [(HEADER, "1"), (HEADER, "2")];
        let seen = send(&layer, with(&uri, &headers)).await.passed();
        assert_eq!(seen.uri, path);
        assert!(seen.headers.is_empty());
    }
    let named = layer
        .header("X-Layer-Key")
        .unwrap()
        .query("layer_key")
        .unwrap();
    let uri = "/no/api?layer_key=1&subscription-key=2";
    let headers = [("X-Layer-Key", "1"), (HEADER, "2"), ("X-Own-Key", "3")];
    let seen = send(&named, with(uri, &headers)).await.passed();
    assert_eq!(seen.uri, "/no/api?subscription-key=2");
    assert_eq!(seen.headers.len(), 2, "the layer's names and no others");
}

#[tokio::test]
async fn key_after_a_wait_is_stripped() {
    let kept = slow_layer(&Slow::new());
    let seen = send(&kept, with("/guarded", &[(HEADER, KEY)]))
        .await
        .passed();
    assert!(seen.headers[HEADER].is_sensitive());
    let stripped = kept.strip_key(true);
    let uri = "/guarded?subscription-key=x&a=1";
    let seen = send(&stripped, with(uri, &[(HEADER, KEY)])).await.passed();
    assert_eq!(
        (seen.uri.to_string().as_str(), seen.headers.len()),
        ("/guarded?a=1", 0)
    );
}

#[tokio::test]
async fn cookie_and_credential_stripping_removes_only_the_key() {
    let layer = layer()
        .strip_key(true)
        .sources([KeySource::cookie("k").unwrap(), KeySource::bearer()])
        .unwrap();
    let cookie = format!("a=1; k={KEY}; b=2");
    let headers = [
        ("cookie", &*cookie),
        ("authorization", "bearer x"),
        (HEADER, "kept"),
    ];
    let left = headers_left(&layer, "/guarded", &headers).await;
    assert_eq!(
        (&left["cookie"], left.len()),
        (&"a=1; b=2".parse().unwrap(), 2)
    );
    let headers = [("cookie", &*cookie), ("authorization", "Basic x")];
    let left = headers_left(&layer, "/guarded", &headers).await;
    assert_eq!(left["authorization"], "Basic x");
}
