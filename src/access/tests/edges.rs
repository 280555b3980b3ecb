//! What the table does not show: ranks, moments, no API, explanations.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::naive::{Seen, ask, seen};
use super::table::{NOW, at, catalog, key, product, to_sold};
use crate::access::{Decision, DenialReason, InapplicableKey, Policy, Question, Unmatched, decide};
use crate::catalog::{
    Api, Catalog, KeyOwner, KeySlot, Owner, Product, Scope, Subscription, SubscriptionKey,
};
use crate::key::Presented;

#[test]
fn key_for_the_open_product_identifies_its_caller() {
    let catalog = Catalog::builder()
        .api(Api::new("given", "/given"))
        .product(
            Product::new("gift")
                .with_apis(["given"])
                .with_subscription_required(false),
        )
        .subscription(
            Subscription::new("known")
                .with_scope(product("gift"))
                .with_secondary_key("K"),
        )
        .build();
    let catalog = Arc::new(catalog.unwrap());
    let seen = seen(
        &catalog,
        Some("given"),
        key("K"),
        Policy::default(),
        at(NOW),
    );
    let expected = Seen::Access {
        api: "given".into(),
        product: Some("gift".into()),
        subscription: Some("known".into()),
        slot: Some(KeySlot::Secondary),
        scope: Some(product("gift")),
        owner: None,
    };
    assert_eq!(seen, expected);
}

#[test]
fn most_specific_scope_in_any_order_is_the_context() {
    let ranked = [
        Scope::Api("a".into()),
        product("first"),
        product("second"),
        Scope::AllApis,
        Scope::Service,
    ];
    // Scopes that do not cover `a` are added and never win.
    let unrelated = [Scope::Api("b".into()), product("elsewhere")];
    for best in 0..ranked.len() {
        for backwards in [false, true] {
            let mut scopes: Vec<Scope> = ranked[best..].to_vec();
            scopes.extend(unrelated.clone());
            if backwards {
                scopes.reverse();
            }
            let mut subscription = Subscription::new("s").with_primary_key("K");
            for scope in scopes {
                subscription = subscription.with_scope(scope);
            }
            let catalog = Catalog::builder()
                .api(Api::new("a", "/a"))
                .api(Api::new("b", "/b"))
                .product(Product::new("elsewhere").with_apis(["b"]))
                .product(Product::new("first").with_apis(["b", "a"]))
                .product(Product::new("second").with_apis(["a"]))
                .subscription(subscription)
                .build();
            let catalog = Arc::new(catalog.unwrap());
            match ask(&catalog, Some("a"), key("K"), Policy::default(), at(NOW)) {
                Decision::Allow(access) => {
                    assert_eq!(access.scope().unwrap(), ranked[best]);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn unmatched_request_with_any_key_is_not_allowed() {
    let catalog = catalog();
    for api in [None, Some("no-such-api"), Some("")] {
        for (presented, key_presented) in [
            (Presented::Missing, false),
            (Presented::Empty, false),
            (Presented::Ambiguous, true),
            (Presented::Malformed, true),
            (key("by-service-1"), true),
            (key("unowned"), true),
        ] {
            for inapplicable_key in [InapplicableKey::Ignore, InapplicableKey::Deny] {
                let says = |unmatched| {
                    let policy = Policy {
                        inapplicable_key,
                        unmatched,
                    };
                    seen(&catalog, api, presented, policy, at(NOW))
                };
                let denied = Seen::Denied {
                    reason: DenialReason::NoSuchApi,
                    key_presented,
                    api: None,
                    subscription: None,
                    slot: None,
                    scopes: vec![],
                    products: vec![],
                };
                assert_eq!(says(Unmatched::Deny), denied);
                assert_eq!(says(Unmatched::Pass), Seen::Unmatched);
            }
        }
    }
}

#[test]
fn validity_is_exact_to_the_microsecond() {
    let micro = Duration::from_micros(1);
    let key_end = at(150);
    let subscription = to_sold("s")
        .with_not_before(at(100))
        .with_expiry(at(200))
        .with_primary_key(SubscriptionKey::new("s-1").with_expiry(key_end));
    let catalog = Catalog::builder()
        .api(Api::new("a", "/a"))
        .product(Product::new("sold").with_apis(["a"]))
        .subscription(subscription);
    let catalog = Arc::new(catalog.build().unwrap());
    let reason = |text, now| match ask(&catalog, Some("a"), key(text), Policy::default(), now) {
        Decision::Allow(_) => None,
        Decision::Deny(denial) => Some(denial.reason()),
        Decision::Unmatched => panic!("the API is there"),
    };
    let early = Some(DenialReason::NotYetValid);
    let key_over = Some(DenialReason::KeyExpired);
    let over = Some(DenialReason::SubscriptionExpired);
    for (now, primary, secondary) in [
        (UNIX_EPOCH - micro, early, early),
        (at(100) - micro, early, early),
        (at(100), None, None),
        (key_end - micro, None, None),
        (key_end, key_over, None),
        (at(200) - micro, key_over, None),
        (at(200), over, over),
        (at(1 << 40), over, over),
    ] {
        assert_eq!(reason("s-1", now), primary, "{now:?}");
        assert_eq!(reason("s-2", now), secondary, "{now:?}");
    }
}

#[test]
fn explanation_contains_causes_and_no_key() {
    let catalog = catalog();
    let explained = |api, presented| match ask(&catalog, api, presented, Policy::default(), at(NOW))
    {
        Decision::Deny(denial) => {
            assert!(!format!("{denial:?} {denial}").contains("foreign-2"));
            denial.to_string()
        }
        other => panic!("{other:?}"),
    };
    let guarded = Some("guarded");
    assert_eq!(
        explained(guarded, key("api-foreign-2")),
        "the secondary key of subscription \"api-foreign\" opens /apis/foreign; \
         API \"guarded\" would need / or /apis or /apis/guarded or /products/sold"
    );
    assert_eq!(
        explained(guarded, key("suspended-1")),
        "the primary key of subscription \"suspended\" opens nothing: the subscription is suspended"
    );
    for (presented, words) in [
        (Presented::Missing, "no key"),
        (Presented::Empty, "empty"),
        (Presented::Ambiguous, "more than one key"),
        (Presented::Malformed, "longer than 256 bytes"),
        (key("unowned"), "no subscription has this key"),
        (key("early-1"), "not_before"),
        (key("over-1"), "the subscription's expires_at"),
        (key("rotated-1"), "the key's expires_at"),
    ] {
        let sentence = explained(guarded, presented);
        assert!(sentence.contains(words), "{sentence}");
    }
    assert!(explained(None, key("by-all-1")).contains("no API"));
}

#[test]
fn explanation_with_ids_from_outside_stays_on_one_line() {
    // A custom store may not check its ids.
    let forged = Subscription::new("x\nERROR forged")
        .with_scope(Scope::Api("y\r\nERROR forged".into()))
        .with_primary_key("K");
    let mut question = Question::for_api(catalog(), "guarded").with_key(key("K"));
    question.owner = Some(Owner::Shared(KeyOwner::new(forged, KeySlot::Primary)));
    match decide(question) {
        Decision::Deny(denial) => {
            assert_eq!(denial.reason(), DenialReason::OutOfScope);
            let sentence = denial.to_string();
            assert!(sentence.contains(r"x\nERROR forged"), "{sentence}");
            assert!(!sentence.contains(char::is_control), "{sentence}");
        }
        other => panic!("{other:?}"),
    }
}
