//! Requests that wait for a store, and stores that fail.

use std::error::Error;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tower::{Layer, Service, ServiceExt};
use tower_subscription_key::catalog::{Catalog, KeyOwner, KeySlot, SubscriptionKey};
use tower_subscription_key::store::{Answer, Holdings, SubscriptionStore};
use tower_subscription_key::{
    BoxStore, DenialReason, InapplicableKey, KeyDigest, MemoryStore, SubscriptionKeyLayer,
    Unmatched,
};

use crate::preflights::preflight;
use crate::support::{
    Down, HEADER, INVALID, Inner, KEY, MISSING, OTHER, Slow, catalog, contoso, definitions, get,
    keyed, send, slow_layer, with,
};

const UNAVAILABLE: &str = r#"{ "statusCode": 503, "message": "The subscription key could not be checked. Try again later." }"#;

#[tokio::test]
async fn slow_answer_is_decided_like_a_fast_one() {
    let store = Slow::new();
    let layer = slow_layer(&store);
    for (key, slot) in [(KEY, KeySlot::Primary), (OTHER, KeySlot::Secondary)] {
        let access = send(&layer, keyed("/guarded", key)).await.access();
        assert_eq!(access.subscription().unwrap().id(), "contoso");
        assert_eq!(access.product().unwrap().id(), "starter");
        assert_eq!(access.key_slot(), Some(slot));
        assert_eq!(access.owner(), Some("jane@contoso.example"));
        assert_eq!(store.asked(), 1);
    }
    let denied = send(&layer, keyed("/guarded", "wrong")).await;
    assert_eq!(denied.denied(), INVALID);
    let access = send(&layer, keyed("/given", KEY)).await.access();
    assert!(access.subscription().is_none());
    assert_eq!(access.product().unwrap().id(), "gift");
}

/// A store of one's own may look up by digest alone, and name the slot only.
#[tokio::test]
async fn retired_key_that_a_store_calls_primary_ends_with_its_grace_period() {
    let hour = Duration::from_secs(3600);
    for (end, is_allowed) in [
        (SystemTime::now() + hour, true),
        (SystemTime::now() - hour, false),
    ] {
        let old = SubscriptionKey::new("old").with_expiry(end);
        let rotated = contoso().with_retired_key(KeySlot::Primary, old);
        let owner = KeyOwner::new(rotated, KeySlot::Primary);
        let store = Arc::new(Slow {
            keys: [(KeyDigest::of("old"), owner)].into(),
            ..Slow::default()
        });
        let layer = slow_layer(&store).denial_extension(true);
        let answer = send(&layer, keyed("/guarded", "old")).await;
        if is_allowed {
            assert_eq!(answer.access().key_slot(), Some(KeySlot::Primary));
        } else {
            assert_eq!(answer.denial.unwrap().reason(), DenialReason::KeyExpired);
        }
    }
}

#[tokio::test]
async fn failing_store_is_503_even_for_an_open_api() {
    let store = Slow::broken();
    for inapplicable in [InapplicableKey::Ignore, InapplicableKey::Deny] {
        let layer = slow_layer(&store).inapplicable_key(inapplicable);
        let layer = layer.denial_extension(true);
        for path in ["/guarded", "/lax", "/given"] {
            for key in [KEY, "wrong"] {
                let answer = send(&layer, keyed(path, key)).await;
                assert_eq!(answer.header("retry-after"), "5");
                assert_eq!(answer.header("content-type"), "application/json");
                assert!(!answer.headers.contains_key("www-authenticate"));
                let denial = answer.denial.clone().unwrap();
                assert_eq!(denial.reason(), DenialReason::StoreUnavailable);
                assert_eq!(answer.refused(StatusCode::SERVICE_UNAVAILABLE), UNAVAILABLE);
                assert_eq!(store.asked(), 1);
            }
        }
    }
    let patient = slow_layer(&store).retry_after(Duration::from_millis(1_500));
    let answer = send(&patient, keyed("/guarded", KEY)).await;
    assert_eq!(answer.header("retry-after"), "2");
    let grpc = with(
        "/guarded",
        &[(HEADER, KEY), ("content-type", "application/grpc")],
    );
    let answer = send(&patient, grpc).await;
    assert_eq!(answer.header("grpc-status"), "14");
    assert_eq!(answer.refused(StatusCode::OK), "");
}

#[tokio::test]
async fn missing_or_impossible_key_causes_no_lookup() {
    let store = Slow::broken();
    let layer = slow_layer(&store)
        .unmatched(Unmatched::Pass)
        .pass_preflights(true);
    let long = "k".repeat(257);
    let many = |path| with(path, &[(HEADER, KEY), (HEADER, KEY)]);
    let no_key = [
        get("/guarded"),
        keyed("/guarded", ""),
        keyed("/guarded", " \t"),
    ];
    for request in no_key {
        assert_eq!(send(&layer, request).await.denied(), MISSING);
    }
    for request in [many("/guarded"), keyed("/guarded", &long)] {
        assert_eq!(send(&layer, request).await.denied(), INVALID);
    }
    let twice = get("/lax?subscription-key=a&subscription-key=a");
    for request in [
        get("/lax"),
        get("/given"),
        many("/lax"),
        keyed("/given", &long),
        twice,
    ] {
        assert!(
            send(&layer, request)
                .await
                .access()
                .subscription()
                .is_none()
        );
    }
    send(&layer, keyed("/no/api", KEY)).await.passed();
    let preflight = preflight("/guarded?subscription-key=x");
    assert_eq!(send(&layer, preflight).await.body, MISSING);
    assert_eq!(store.asked(), 0);
    let strict = slow_layer(&store).unmatched(Unmatched::Deny);
    assert_eq!(send(&strict, keyed("/no/api", KEY)).await.denied(), INVALID);
    assert_eq!(store.asked(), 0);
}

/// Never answers, and reports when its lookup is dropped.
#[derive(Default)]
struct Silent {
    dropped: AtomicUsize,
}

struct Dropped<'a>(&'a AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl SubscriptionStore for Silent {
    type Error = Down;

    async fn find(&self, _: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        let _dropped = Dropped(&self.dropped);
        pending().await
    }
}

#[test]
fn lookup_of_a_disconnected_client_is_dropped() {
    let store = Arc::new(Silent::default());
    let keys = SubscriptionKeyLayer::new(Arc::clone(&store));
    let inner = Inner::default();
    let mut service = keys
        .catalog(definitions().build().unwrap())
        .layer(inner.clone());
    let mut cx = Context::from_waker(Waker::noop());
    for rounds in 1..=2 {
        {
            let mut response = pin!(service.call(keyed("/guarded", KEY)));
            for _ in 0..3 {
                assert!(response.as_mut().poll(&mut cx).is_pending());
            }
            assert_eq!(store.dropped.load(Ordering::Relaxed), rounds - 1);
        }
        assert_eq!(store.dropped.load(Ordering::Relaxed), rounds);
    }
    // A request that is never polled causes no lookup, and one without a key does not wait.
    drop(service.call(keyed("/guarded", KEY)));
    assert_eq!(store.dropped.load(Ordering::Relaxed), 2);
    assert!(pin!(service.call(get("/lax"))).poll(&mut cx).is_ready());
    assert_eq!(inner.seen().len(), 1);
}

/// Has APIs, and answers some keys immediately.
struct Quick {
    catalog: Option<Arc<Catalog>>,
    asked: AtomicUsize,
}

impl SubscriptionStore for Quick {
    type Error = Down;

    async fn find(&self, _: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(Some(KeyOwner::new(contoso(), KeySlot::Primary)))
    }

    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        if *key == KeyDigest::of(KEY) {
            Some(Answer::new(Some(KeyOwner::new(
                contoso(),
                KeySlot::Primary,
            ))))
        } else if *key == KeyDigest::of("none") {
            Some(Answer::new(None))
        } else {
            None
        }
    }

    fn holdings(&self) -> Result<Holdings, Down> {
        let catalog = self.catalog.clone();
        catalog.map(Holdings::Definitions).ok_or(Down)
    }
}

fn quick(catalog: Option<Catalog>) -> Arc<Quick> {
    Arc::new(Quick {
        catalog: catalog.map(Arc::new),
        asked: AtomicUsize::new(0),
    })
}

#[tokio::test]
async fn store_with_a_cached_answer_is_not_awaited() {
    let store = quick(Some(catalog()));
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store))
        .validate()
        .unwrap();
    let access = send(&layer, keyed("/guarded", KEY)).await.access();
    assert_eq!(access.subscription().unwrap().id(), "contoso");
    assert_eq!(
        send(&layer, keyed("/guarded", "none")).await.denied(),
        INVALID
    );
    assert_eq!(store.asked.load(Ordering::Relaxed), 0);
    send(&layer, keyed("/guarded", "else")).await.access();
    assert_eq!(store.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn store_without_definitions_is_503_for_every_request() {
    let layer = SubscriptionKeyLayer::new(quick(None)).pass_preflights(true);
    let layer = layer.unmatched(Unmatched::Pass).validate().unwrap();
    for request in [get("/"), get("/lax"), keyed("/guarded", KEY)] {
        let answer = send(&layer, request).await;
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.refused(StatusCode::SERVICE_UNAVAILABLE), UNAVAILABLE);
    }
}

#[tokio::test]
async fn boxed_store_answers_like_the_inner_store() {
    let memory = SubscriptionKeyLayer::new(BoxStore::new(MemoryStore::new(catalog())));
    let slow = Slow::new();
    let boxed = SubscriptionKeyLayer::new(BoxStore::new(Arc::clone(&slow)));
    let boxed = boxed.catalog(definitions().build().unwrap());
    for layer in [
        memory.validate().unwrap(),
        boxed.clone().validate().unwrap(),
    ] {
        let access = send(&layer, keyed("/guarded", OTHER)).await.access();
        assert_eq!(access.key_slot(), Some(KeySlot::Secondary));
        assert_eq!(
            send(&layer, keyed("/guarded", "wrong")).await.denied(),
            INVALID
        );
    }
    assert_eq!(slow.asked(), 2);
    slow.down.store(true, Ordering::Relaxed);
    send(&boxed, keyed("/guarded", KEY))
        .await
        .refused(StatusCode::SERVICE_UNAVAILABLE);
    let error = BoxStore::new(slow)
        .find(&KeyDigest::of(KEY))
        .await
        .unwrap_err();
    let source = error.source().unwrap().downcast_ref::<Down>();
    assert_eq!(source, Some(&Down));
}

#[tokio::test]
async fn live_change_applies_from_the_next_request() {
    let store = MemoryStore::new(catalog());
    let layer = SubscriptionKeyLayer::new(store.clone());
    let service = layer.layer(Inner::default());
    let status = async |key: &str| {
        let response = service.clone().oneshot(keyed("/guarded", key));
        response.await.unwrap().status()
    };
    assert_eq!(status(KEY).await, StatusCode::OK);
    store
        .put_subscription(contoso().with_primary_key("new"))
        .unwrap();
    assert_eq!(status(KEY).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(OTHER).await, StatusCode::OK);
    assert_eq!(status("new").await, StatusCode::OK);
    store.remove_subscription("contoso");
    assert_eq!(status(OTHER).await, StatusCode::UNAUTHORIZED);
}
