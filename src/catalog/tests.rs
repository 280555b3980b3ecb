//! A subscription comes back as it was put, packed or not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::access::{Decision, Question, decide};
use crate::catalog::{
    Api, Catalog, Change, KeySlot, Metadata, Product, Scope, State, Subscription, SubscriptionKey,
};
use crate::key::{KeyDigest, Presented};

/// Any moment of the years 1 to 9999, to the microsecond.
fn moment() -> impl Strategy<Value = SystemTime> {
    (-62_000_000_000_000_000..253_402_300_799_000_000i64).prop_map(|micros| {
        let distance = Duration::from_micros(micros.unsigned_abs());
        if micros < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        }
    })
}

fn key(text: &'static str) -> impl Strategy<Value = SubscriptionKey> {
    option::of(moment()).prop_map(move |end| {
        let key = SubscriptionKey::new(text);
        end.map_or(key.clone(), |end| key.with_expiry(end))
    })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let value = prop_oneof![
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!({"nested": [1, null, true]})),
    ];
    vec(("[a-z]{0,4}", value), 0..3).prop_map(|values| values.into_iter().collect())
}

fn scope() -> impl Strategy<Value = Scope> {
    select(vec![
        Scope::Service,
        Scope::AllApis,
        Scope::Api("a".into()),
        Scope::Api("b".into()),
        Scope::Product("p".into()),
        Scope::Product("q".into()),
    ])
}

prop_compose! {
    fn subscription()(
        id in "[^*#&+:<>?/\\pC]{1,20}",
        scopes in vec(scope(), 1..5),
        keys in (option::of(key("K")), key("L")),
        names in (option::of("\\PC{0,9}"), option::of("\\PC{0,9}")),
        state in select(State::ALL.to_vec()),
        times in (option::of(moment()), option::of(moment())),
        metadata in option::of(metadata()),
        retired in (option::of(moment()), option::of(moment())),
        swap in any::<bool>(),
    ) -> Subscription {
        let mut subscription = Subscription::new(id).with_state(state);
        for scope in scopes {
            subscription = subscription.with_scope(scope);
        }
        let (first, second) = if swap { (Some(keys.1), keys.0) } else { (keys.0, Some(keys.1)) };
        if let Some(key) = first {
            subscription = subscription.with_primary_key(key);
        }
        if let Some(key) = second {
            subscription = subscription.with_secondary_key(key);
        }
        if let Some(end) = retired.0 {
            let key = SubscriptionKey::new("R").with_expiry(end);
            subscription = subscription.with_retired_key(KeySlot::Primary, key);
        }
        if let Some(end) = retired.1 {
            let key = SubscriptionKey::new("S").with_expiry(end);
            subscription = subscription.with_retired_key(KeySlot::Secondary, key);
        }
        if let Some(name) = names.0 {
            subscription = subscription.with_display_name(name);
        }
        if let Some(owner) = names.1 {
            subscription = subscription.with_owner(owner);
        }
        if let Some(time) = times.0 {
            subscription = subscription.with_not_before(time);
        }
        if let Some(time) = times.1 {
            subscription = subscription.with_expiry(time);
        }
        metadata.map_or(subscription.clone(), |m| subscription.with_metadata(m))
    }
}

fn around(subscription: Option<Subscription>) -> Catalog {
    let neighbour = Subscription::new("the neighbour with the longer id")
        .with_scope(Scope::Api("a".into()))
        .with_owner("someone")
        .with_primary_key("N");
    let mut builder = Catalog::builder()
        .api(Api::new("a", "/a"))
        .api(Api::new("b", "/b"))
        .product(Product::new("p").with_apis(["a"]))
        .product(Product::new("q"))
        .subscription(neighbour);
    if let Some(subscription) = subscription {
        builder.push_subscription(subscription);
    }
    builder.build().unwrap()
}

/// The subscription as the caller's context shows it.
fn viewed(catalog: &Catalog, subscription: &Subscription) -> bool {
    let catalog = Arc::new(catalog.clone());
    let (_, key) = subscription.keys().next().unwrap();
    let presented = Presented::Key(*key.digest());
    let view = |s: crate::catalog::SubscriptionView<'_>| {
        assert_eq!(s.id(), subscription.id());
        assert_eq!(s.display_name(), subscription.display_name());
        assert_eq!(s.owner(), subscription.owner());
        assert_eq!(s.metadata(), subscription.metadata());
        assert_eq!(s.scopes(), subscription.scopes());
        assert_eq!(s.expires_at(), subscription.expires_at());
    };
    let question = Question::for_api(catalog, "a").with_key(presented);
    match decide(question.at(UNIX_EPOCH)) {
        Decision::Allow(access) => access.subscription().map(view),
        Decision::Deny(denial) => denial.subscription().map(view),
        Decision::Unmatched => None,
    }
    .is_some()
}

proptest! {
    #[test]
    fn subscription_is_returned_unchanged(subscription in subscription()) {
        let id = subscription.id();
        let built = around(Some(subscription.clone()));
        let put = around(None)
            .apply([Change::PutSubscription(subscription.clone())])
            .unwrap();
        for catalog in [&built, &put, &put.pack(), &built.pack()] {
            let back = catalog.subscription(id);
            prop_assert_eq!(back.as_ref(), Some(&subscription));
            prop_assert_eq!(catalog.subscription_count(), 2);
            prop_assert!(catalog.subscriptions().any(|other| other == subscription));
            let neighbour = catalog.owner(&KeyDigest::of("N")).unwrap();
            prop_assert_eq!(neighbour.subscription().owner(), Some("someone"));
            prop_assert!(viewed(catalog, &subscription));
            for (slot, key) in subscription.keys() {
                let owner = catalog.owner(key.digest()).unwrap();
                prop_assert_eq!(owner.subscription(), &subscription);
                prop_assert_eq!((owner.slot(), owner.is_retired()), (slot, false));
            }
            for (slot, key) in subscription.retired_keys() {
                let owner = catalog.owner(key.digest()).unwrap();
                prop_assert_eq!(owner.subscription(), &subscription);
                prop_assert_eq!((owner.slot(), owner.is_retired()), (slot, true));
            }
            prop_assert!(catalog.owner(&KeyDigest::of("unknown")).is_none());
        }
    }
}
