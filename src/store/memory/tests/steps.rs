//! What can befall a store.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::catalog::{Api, Product, Scope, State, Subscription, SubscriptionKey};

pub(super) const APIS: [&str; 3] = ["a0", "a1", "a2"];
const PRODUCTS: [&str; 3] = ["p0", "p1", "p2"];
pub(super) const SUBSCRIPTIONS: [&str; 4] = ["s0", "s1", "s2", "s3"];
pub(super) const KEYS: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

pub(super) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(100)
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    PutSubscription(Subscription),
    RemoveSubscription(&'static str),
    PutApi(Api),
    RemoveApi(&'static str),
    PutProduct(Product),
    RemoveProduct(&'static str),
    /// Another catalog altogether, with what of it may be.
    Replace(Vec<Step>),
    /// Keep this version, and put it back later.
    Keep,
    PutBack,
    Pack,
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::AllApis),
        Just(Scope::Service),
        select(APIS.to_vec()).prop_map(|id| Scope::Api(id.into())),
        select(PRODUCTS.to_vec()).prop_map(|id| Scope::Product(id.into())),
    ]
}

prop_compose! {
    fn subscription()(
        id in prop_oneof![30 => select(SUBSCRIPTIONS.to_vec()), 1 => Just("s/0")],
        scopes in vec(scope(), 0..4),
        keys in (
            option::weighted(0.8, select(KEYS.to_vec())),
            option::weighted(0.5, select(KEYS.to_vec())),
        ),
        too_long in prop::bool::weighted(0.02),
        state in prop_oneof![4 => Just(State::Active), 1 => Just(State::Suspended)],
        end in option::weighted(0.3, prop_oneof![Just(now()), Just(UNIX_EPOCH + Duration::from_secs(200))]),
    ) -> Subscription {
        let mut subscription = Subscription::new(id).with_state(state);
        for scope in scopes {
            subscription = subscription.with_scope(scope);
        }
        if let Some(key) = keys.0 {
            let key = SubscriptionKey::new(key);
            subscription = subscription.with_primary_key(end.map_or(key.clone(), |end| key.with_expiry(end)));
        }
        if let Some(key) = keys.1 {
            subscription = subscription.with_secondary_key(key);
        }
        if too_long {
            subscription = subscription.with_secondary_key(&*"k".repeat(257));
        }
        subscription
    }
}

fn api() -> impl Strategy<Value = Api> {
    let path = prop_oneof![
        20 => select(vec!["/a0", "/a1", "/a1/x", "/a2/", "", "/"]),
        1 => Just("relative"),
    ];
    (select(APIS.to_vec()), path, any::<bool>())
        .prop_map(|(id, path, required)| Api::new(id, path).with_subscription_required(required))
}

fn product() -> impl Strategy<Value = Product> {
    let apis = subsequence(APIS.to_vec(), 0..=2);
    (select(PRODUCTS.to_vec()), apis, any::<bool>()).prop_map(|(id, apis, open)| {
        Product::new(id)
            .with_apis(apis)
            .with_subscription_required(!open)
    })
}

pub(super) fn change() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => subscription().prop_map(Step::PutSubscription),
        4 => select(SUBSCRIPTIONS.to_vec()).prop_map(Step::RemoveSubscription),
        3 => api().prop_map(Step::PutApi),
        1 => select(APIS.to_vec()).prop_map(Step::RemoveApi),
        3 => product().prop_map(Step::PutProduct),
        1 => select(PRODUCTS.to_vec()).prop_map(Step::RemoveProduct),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => change(),
        1 => vec(change(), 8).prop_map(Step::Replace),
        2 => Just(Step::Keep),
        2 => Just(Step::PutBack),
        2 => Just(Step::Pack),
    ]
}
