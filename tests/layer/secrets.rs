//! No output contains a key or a part of it.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use tower::{Layer, Service};
use tower_subscription_key::catalog::KeyOwner;
use tower_subscription_key::catalog::{Catalog, KeySlot, Subscription, SubscriptionKey};
use tower_subscription_key::key::Presented;
use tower_subscription_key::response::RejectionContext;
use tower_subscription_key::store::{self, Holdings};
use tower_subscription_key::{
    Access, BoxStore, InapplicableKey, KeyDigest, MemoryStore, SubscriptionKeyLayer,
    SubscriptionStore, Unmatched,
};

use crate::support::{
    Answer, HEADER, Inner, KEY, OTHER, Slow, catalog, contoso, get, keyed, layer, send, slow_layer,
    with,
};
use crate::traces::Capture;

/// Parts of keys, and their digests.
fn assert_shows_no_key(text: &str) {
    for key in [KEY, OTHER] {
        let hex = KeyDigest::of(key).to_hex();
        let bytes = format!("{:?}", KeyDigest::of(key).as_bytes());
        let bytes = bytes.trim_matches(['[', ']']);
        for part in [
            &key[..8],
            &key[8..],
            &hex[..12],
            &hex.to_uppercase()[..12],
            &bytes[..20],
        ] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn span_event_answer_and_denial_show_no_key() {
    let capture = Capture::default();
    let _guard = capture.begin();
    let layer = || layer().request_span(true);
    let mut shown = String::new();
    let mut show = |answer: &Answer| {
        let Answer {
            headers,
            body,
            denial,
            ..
        } = answer;
        write!(shown, "{headers:?} {body} {denial:?}").unwrap();
        if let Some(denial) = denial {
            write!(shown, " {denial}").unwrap();
        }
        // The rest of what it saw is the client's request, which contains kept keys.
        if let Some(seen) = &answer.seen {
            write!(shown, "{:?}", seen.extensions.get::<Access>()).unwrap();
        }
    };
    let requests = || {
        let mut requests = Vec::new();
        for path in ["/guarded", "/lax", "/given", "/own", "/none"] {
            let query = format!("{path}?subscription-key={KEY}&own_key={OTHER}");
            requests.push(get(&query));
            requests.push(keyed(path, KEY));
            requests.push(with(path, &[("X-Own-Key", KEY)]));
            requests.push(with(&query, &[(HEADER, KEY), (HEADER, OTHER)]));
            requests.push(with(
                &query,
                &[(HEADER, &KEY.repeat(20)), ("host", "api.example")],
            ));
            requests.push(with(
                &query,
                &[(HEADER, KEY), ("content-type", "application/grpc")],
            ));
        }
        requests
    };
    let suspended = MemoryStore::new(catalog());
    let over = SubscriptionKey::new(KEY).with_expiry(std::time::UNIX_EPOCH);
    suspended
        .put_subscription(contoso().with_primary_key(over))
        .unwrap();
    let memory = [
        layer(),
        SubscriptionKeyLayer::new(suspended),
        layer().api("no such API"),
    ];
    for layer in memory {
        let layer = layer.denial_extension(true);
        let strict = layer
            .clone()
            .inapplicable_key(InapplicableKey::Deny)
            .strip_key(true);
        let lenient = layer.unmatched(Unmatched::Pass);
        for layer in [strict, lenient] {
            for request in requests() {
                show(&send(&layer, request).await);
            }
        }
    }
    for store in [Slow::new(), Slow::broken()] {
        let layer = slow_layer(&store).denial_extension(true);
        for request in requests() {
            show(&send(&layer, request).await);
        }
    }
    let log = capture.take();
    assert!(log.events.len() > 100 && !log.spans.is_empty());
    assert_shows_no_key(&format!("{:?} {:?}", log.spans, log.events));
    assert_shows_no_key(&shown);
}

#[test]
fn debug_of_public_types_shows_no_key() {
    let digest = KeyDigest::of(KEY);
    let store = MemoryStore::new(catalog());
    let owner = KeyOwner::new(contoso(), KeySlot::Primary);
    let holdings = store.holdings().unwrap();
    let Holdings::Everything(all) = &holdings else {
        panic!("a store in memory has everything");
    };
    let subscription = all.subscription("contoso").unwrap();
    let twice = Catalog::builder().subscription(contoso()).subscription(
        Subscription::new("thief")
            .with_primary_key(KEY)
            .with_secondary_key(KEY),
    );
    let mut service = layer().layer(Inner::default());
    let mut slow = slow_layer(&Slow::new()).layer(Inner::default());
    let future = service.call(keyed("/guarded", KEY));
    let waiting = slow.call(keyed("/guarded", KEY));
    let mut shown = format!(
        "{digest:?} {store:?} {owner:?} {holdings:?} {all:?} {subscription:?} {twice:?} {service:?}
         {future:?} {waiting:?} {:?} {:?} {:?} {:?}",
        Presented::Key(digest),
        store::Answer::new(Some(owner.clone())),
        SubscriptionKey::new(KEY),
        BoxStore::new(store.clone()),
    );
    let error = twice.build().unwrap_err();
    write!(shown, "{error:?} {error}").unwrap();
    let error = store.put_subscription(Subscription::new("thief").with_primary_key(KEY));
    let error = error.unwrap_err();
    write!(shown, "{error:?} {error}").unwrap();
    assert_shows_no_key(&shown);
}

#[tokio::test]
async fn debug_of_format_and_rule_inputs_shows_no_key() {
    let shown = Arc::new(Mutex::new(String::new()));
    let (by_format, by_rule) = (Arc::clone(&shown), Arc::clone(&shown));
    let layer = layer()
        .format(move |context: RejectionContext<'_>| {
            write!(by_format.lock().unwrap(), "{context:?}").unwrap();
            context.response(http::HeaderValue::from_static("text/plain"), "no")
        })
        .api_by(move |request| {
            write!(by_rule.lock().unwrap(), "{request:?}").unwrap();
            Some("lax".into())
        })
        .inapplicable_key(InapplicableKey::Deny);
    let uri = format!("/x?subscription-key={OTHER}");
    send(&layer, with(&uri, &[(HEADER, KEY)])).await.denied();
    let shown = shown.lock().unwrap();
    assert!(
        shown.contains("InvalidKey") && shown.contains("/x"),
        "{shown}"
    );
    assert_shows_no_key(&shown);
}
