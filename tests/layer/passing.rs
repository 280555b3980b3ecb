//! Requests that pass without an access, and nested layers.

use http::Request;
use tower::{Layer, ServiceExt};
use tower_subscription_key::catalog::{Api, Catalog, Scope, Subscription};
use tower_subscription_key::{
    Access, InapplicableKey, MemoryStore, SubscriptionKeyLayer, Unmatched,
};

use crate::support::{HEADER, INVALID, Inner, KEY, MISSING, get, keyed, layer, send, with};

async fn through<A, B>(outer: A, inner: B, request: Request<()>) -> http::request::Parts
where
    A: Layer<<B as Layer<Inner>>::Service>,
    B: Layer<Inner>,
    A::Service: tower::Service<Request<()>>,
{
    let seen = Inner::default();
    let service = outer.layer(inner.layer(seen.clone()));
    assert!(service.oneshot(request).await.is_ok());
    seen.seen().pop().expect("both let it in")
}

/// An extension that an outer layer inserted.
async fn an_access() -> Access {
    send(&layer(), keyed("/guarded", KEY)).await.access()
}

#[tokio::test]
async fn unknown_path_is_denied_or_passed_as_configured() {
    let deny = layer();
    assert_eq!(send(&deny, get("/none")).await.denied(), MISSING);
    assert_eq!(send(&deny, keyed("/none", "")).await.denied(), MISSING);
    assert_eq!(send(&deny, keyed("/none", KEY)).await.denied(), INVALID);
    let pass = deny.unmatched(Unmatched::Pass);
    for request in [get("/none"), keyed("/none", KEY), keyed("/none", "wrong")] {
        let strict = pass.clone().inapplicable_key(InapplicableKey::Deny);
        let seen = send(&strict, request).await.passed();
        assert!(seen.extensions.get::<Access>().is_none());
    }
}

#[tokio::test]
async fn passed_unmatched_request_loses_an_earlier_access() {
    let pass = layer().unmatched(Unmatched::Pass).pass_preflights(true);
    let mut request = get("/none");
    request.extensions_mut().insert(an_access().await);
    request.extensions_mut().insert("else");
    let seen = send(&pass, request).await.passed();
    assert!(seen.extensions.get::<Access>().is_none());
    assert_eq!(seen.extensions.get(), Some(&"else"));
}

#[tokio::test]
async fn nested_layers_insert_the_access_of_the_inner_layer() {
    let catalog = Catalog::builder()
        .api(Api::new("inner", "/guarded/inner"))
        .subscription(
            Subscription::new("fabrikam")
                .with_scope(Scope::AllApis)
                .with_primary_key("inner key"),
        )
        .build();
    let inner = SubscriptionKeyLayer::new(MemoryStore::new(catalog.unwrap()))
        .header("X-Inner-Key")
        .unwrap();
    let request = || {
        with(
            "/guarded/inner",
            &[(HEADER, KEY), ("X-Inner-Key", "inner key")],
        )
    };
    let seen = through(layer(), inner.clone(), request()).await;
    let access = seen.extensions.get::<Access>().unwrap();
    assert_eq!(access.api().id(), "inner");
    assert_eq!(access.subscription().unwrap().id(), "fabrikam");

    let seen = through(inner.strip_key(true), layer().strip_key(true), request()).await;
    let access = seen.extensions.get::<Access>().unwrap();
    assert_eq!(access.subscription().unwrap().id(), "contoso");
    assert!(seen.headers.is_empty(), "each strips its own");
}

#[tokio::test]
async fn stripping_by_an_inner_layer_keeps_the_key_for_outer_layers() {
    // Both layers use the same key: the outer one keeps it for the inner one.
    let seen = through(layer(), layer().strip_key(true), keyed("/guarded", KEY)).await;
    assert!(seen.extensions.get::<Access>().is_some());
    assert!(seen.headers.is_empty());
}

#[tokio::test]
async fn wrong_key_for_an_open_api_is_ignored_or_denied() {
    let long = "k".repeat(257);
    let wrong = |path: &str| {
        [
            keyed(path, "wrong"),
            keyed(path, KEY),
            keyed(path, &long),
            with(path, &[(HEADER, "a"), (HEADER, "a")]),
        ]
    };
    let deny = layer().inapplicable_key(InapplicableKey::Deny);
    for (path, product) in [("/lax", None), ("/given", Some("gift"))] {
        for request in wrong(path) {
            let access = send(&layer(), request).await.access();
            assert!(access.subscription().is_none());
            assert_eq!(access.product().map(|product| product.id()), product);
        }
        for request in wrong(path) {
            assert_eq!(send(&deny, request).await.denied(), INVALID);
        }
        for request in [get(path), keyed(path, "")] {
            send(&deny, request).await.access();
        }
    }
}
