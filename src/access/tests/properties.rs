//! Random catalogs and requests, against the naive writing of the rules.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::naive::{Plain, seen};
use crate::access::{InapplicableKey, Policy, Unmatched};
use crate::catalog::{Api, Product, Scope, State, Subscription, SubscriptionKey};
use crate::key::{KeyDigest, Presented};

const APIS: [&str; 3] = ["a0", "a1", "a2"];
const PRODUCTS: [&str; 3] = ["p0", "p1", "p2"];

fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(secs)
}

/// Few moments, so that they often meet.
fn moment() -> impl Strategy<Value = SystemTime> {
    (10..14u64).prop_map(at)
}

fn apis() -> impl Strategy<Value = Vec<Api>> {
    vec(any::<bool>(), 1..=APIS.len()).prop_map(|required| {
        let api = |(id, required): (&&str, bool)| {
            Api::new(*id, format!("/{id}")).with_subscription_required(required)
        };
        APIS.iter().zip(required).map(api).collect()
    })
}

fn products(apis: Vec<String>) -> impl Strategy<Value = Vec<Product>> {
    let product = (
        any::<bool>(),
        any::<bool>(),
        subsequence(apis.clone(), 0..=apis.len()),
    );
    let count = 0..=PRODUCTS.len();
    (vec(product, count), Just(PRODUCTS.to_vec()).prop_shuffle()).prop_map(|(products, ids)| {
        let mut given: HashSet<String> = HashSet::new();
        let products = products.into_iter().zip(ids);
        products
            .map(|((open, published, apis), id)| {
                // Open only if the catalog stays valid.
                let open = open && apis.iter().all(|api| !given.contains(api));
                if open {
                    given.extend(apis.iter().cloned());
                }
                Product::new(id)
                    .with_apis(apis)
                    .with_subscription_required(!open)
                    .with_published(published)
            })
            .collect()
    })
}

/// A subscription `s{n}` with keys `s{n}-1` and `s{n}-2`, of which it has one
/// or both.
fn subscription(n: usize, scopes: Vec<Scope>) -> impl Strategy<Value = Subscription> {
    let state = prop_oneof![4 => Just(State::Active), 1 => select(State::ALL.to_vec())];
    let times = (
        option::weighted(0.3, moment()),
        option::weighted(0.3, moment()),
    );
    let keys = (
        1..4u8,
        option::weighted(0.3, moment()),
        option::weighted(0.3, moment()),
    );
    let scopes = vec(select(scopes), 1..=4);
    (scopes, state, times, keys, option::of("[a-z]{1,3}")).prop_map(
        move |(scopes, state, (not_before, expires_at), (which, first, second), owner)| {
            let mut subscription = Subscription::new(format!("s{n}")).with_state(state);
            for scope in scopes {
                subscription = subscription.with_scope(scope);
            }
            let key = |number: u8, end: Option<SystemTime>| {
                let key = SubscriptionKey::new(format!("s{n}-{number}"));
                end.map_or(key.clone(), |end| key.with_expiry(end))
            };
            if which & 1 != 0 {
                subscription = subscription.with_primary_key(key(1, first));
            }
            if which & 2 != 0 {
                subscription = subscription.with_secondary_key(key(2, second));
            }
            if let Some(time) = not_before {
                subscription = subscription.with_not_before(time);
            }
            if let Some(time) = expires_at {
                subscription = subscription.with_expiry(time);
            }
            owner.map_or(subscription.clone(), |owner| subscription.with_owner(owner))
        },
    )
}

fn plain() -> impl Strategy<Value = Plain> {
    apis()
        .prop_flat_map(|apis| {
            let ids = apis.iter().map(|api| api.id().to_owned()).collect();
            (Just(apis), products(ids), 0..5usize)
        })
        .prop_flat_map(|(apis, products, count)| {
            let mut scopes = vec![Scope::Service, Scope::AllApis];
            scopes.extend(apis.iter().map(|api| Scope::Api(api.id().into())));
            // Products twice: they are what most rules are about.
            for _ in 0..2 {
                scopes.extend(products.iter().map(|p| Scope::Product(p.id().into())));
            }
            let subscriptions: Vec<_> = (0..count)
                .map(|n| subscription(n, scopes.clone()))
                .collect();
            (Just(apis), Just(products), subscriptions)
        })
        .prop_map(|(apis, products, subscriptions)| Plain {
            apis,
            products,
            subscriptions,
        })
}

fn presented() -> impl Strategy<Value = Presented> {
    let key = (0..6usize, 1..3u8)
        .prop_map(|(n, number)| Presented::Key(KeyDigest::of(format!("s{n}-{number}"))));
    prop_oneof![
        1 => Just(Presented::Missing),
        1 => Just(Presented::Empty),
        1 => Just(Presented::Ambiguous),
        1 => Just(Presented::Malformed),
        12 => key,
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>()).prop_map(|(deny, pass)| Policy {
        inapplicable_key: if deny {
            InapplicableKey::Deny
        } else {
            InapplicableKey::Ignore
        },
        unmatched: if pass {
            Unmatched::Pass
        } else {
            Unmatched::Deny
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decision_equals_the_naive_implementation(
        plain in plain(),
        requests in vec((option::weighted(0.9, select(APIS.to_vec())), presented()), 12),
        policy in policy(),
        now in (9..15u64).prop_map(at),
    ) {
        let catalog = Arc::new(plain.build().unwrap());
        for (api, presented) in requests {
            let seen = seen(&catalog, api, presented, policy, now);
            prop_assert_eq!(seen, plain.says(api, presented, policy, now), "{:?}", presented);
        }
    }
}
