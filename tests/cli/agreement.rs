//! An explanation says what the decision says, for random catalogs and requests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tower_subscription_key::access::{
    Decision, InapplicableKey, Policy, Question, Unmatched, decide, explain,
};
use tower_subscription_key::catalog::{
    Api, Catalog, KeySlot, Product, Scope, State, Subscription, SubscriptionKey,
};
use tower_subscription_key::key::{KeyDigest, Presented};

const APIS: [&str; 3] = ["a", "b", "c"];
const SCOPES: [&str; 6] = [
    "/",
    "/apis",
    "/apis/a",
    "/apis/b",
    "/products/p",
    "/products/q",
];

fn time(day: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400)
}

fn subscription() -> impl Strategy<Value = Subscription> {
    let end = || proptest::option::weighted(0.3, 0..20u64);
    let scopes = subsequence(SCOPES.to_vec(), 1..3);
    (
        scopes,
        select(State::ALL.to_vec()),
        end(),
        end(),
        end(),
        end(),
        any::<bool>(),
    )
        .prop_map(
            |(scopes, state, start, over, key_end, retired, is_active)| {
                let mut subscription = Subscription::new("s");
                for scope in scopes {
                    subscription = subscription.with_scope(scope.parse::<Scope>().unwrap());
                }
                let state = if is_active { State::Active } else { state };
                subscription = subscription.with_state(state);
                let key = SubscriptionKey::new("key-1");
                let key = match key_end {
                    Some(day) => key.with_expiry(time(day)),
                    None => key,
                };
                subscription = subscription.with_primary_key(key);
                if let Some(day) = start {
                    subscription = subscription.with_not_before(time(day));
                }
                if let Some(day) = over {
                    subscription = subscription.with_expiry(time(day));
                }
                if let Some(day) = retired {
                    let key = SubscriptionKey::new("key-2").with_expiry(time(day));
                    subscription = subscription.with_retired_key(KeySlot::Primary, key);
                }
                subscription
            },
        )
}

fn catalog() -> impl Strategy<Value = Catalog> {
    let members = || subsequence(APIS.to_vec(), 0..3);
    (
        any::<[bool; 3]>(),
        members(),
        members(),
        any::<bool>(),
        subscription(),
    )
        .prop_map(|(required, p, q, is_open, subscription)| {
            let mut builder = Catalog::builder();
            for (id, required) in APIS.into_iter().zip(required) {
                let api = Api::new(id, format!("/{id}")).with_subscription_required(required);
                builder = builder.api(api);
            }
            builder
                .product(Product::new("p").with_apis(p))
                .product(
                    Product::new("q")
                        .with_apis(q)
                        .with_subscription_required(!is_open),
                )
                .subscription(subscription)
                .build()
                .unwrap()
        })
}

fn presented() -> impl Strategy<Value = Presented> {
    let key = |key: &str| Presented::Key(KeyDigest::of(key));
    select(vec![
        Presented::Missing,
        Presented::Empty,
        Presented::Ambiguous,
        Presented::Malformed,
        key("key-1"),
        key("key-1"),
        key("key-2"),
        key("no-such-key"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn explanation_agrees_with_the_decision(
        catalog in catalog(),
        presented in presented(),
        path in select(vec!["/a/x", "/b", "/c", "/none", "/a/%2e%2e/b"]),
        deny in any::<bool>(),
        pass in any::<bool>(),
        day in 0..20u64,
    ) {
        let catalog = Arc::new(catalog);
        let inapplicable = if deny { InapplicableKey::Deny } else { InapplicableKey::Ignore };
        let unmatched = if pass { Unmatched::Pass } else { Unmatched::Deny };
        let question = || {
            Question::for_path(Arc::clone(&catalog), path)
                .with_key(presented)
                .with_policy(Policy::new(inapplicable, unmatched))
                .at(time(day))
        };
        let explanation = explain(question(), Some(path));
        let json = serde_json::to_value(&explanation).unwrap();
        let has_failed = explanation.steps().iter().any(|step| !step.holds());
        match decide(question()) {
            Decision::Allow(access) => {
                prop_assert!(explanation.lets_in());
                prop_assert_eq!(&json["outcome"], "access");
                prop_assert_eq!(json["api"].as_str(), Some(access.api().id()));
                prop_assert_eq!(json["product"].as_str(), access.product().map(|p| p.id()));
                prop_assert_eq!(json["subscription"].as_str(), access.subscription().map(|s| s.id()));
                prop_assert_eq!(json["slot"].as_str(), access.key_slot().map(|slot| slot.as_str()));
                let scope = access.scope().map(|scope| scope.to_string());
                prop_assert_eq!(json["scope"].as_str(), scope.as_deref());
                // A key was ignored exactly if one was presented and names no caller.
                let is_ignored = presented.is_present() && access.subscription().is_none();
                prop_assert_eq!(explanation.reason().is_some(), is_ignored);
                prop_assert_eq!(has_failed, access.subscription().is_none());
            }
            Decision::Deny(denial) => {
                prop_assert!(!explanation.lets_in());
                prop_assert_eq!(explanation.reason(), Some(denial.reason()));
                let told = if denial.key_presented() { "invalid" } else { "missing" };
                prop_assert_eq!(&json["told"], told);
                prop_assert!(explanation.summary().contains(&denial.to_string()));
                prop_assert!(has_failed);
                prop_assert!(!explanation.cures().is_empty());
            }
            _ => {
                prop_assert_eq!(&json["outcome"], "unmatched");
                prop_assert_eq!(explanation.reason(), None);
            }
        }
    }
}
