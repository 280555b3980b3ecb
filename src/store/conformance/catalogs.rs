use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::catalog::{
    Api, Catalog, CatalogError, KeySlot, Metadata, Product, Scope, State, Subscription,
    SubscriptionKey,
};
use crate::key::{KeyDigest, KeyHeader, KeyQuery};

/// A key of the catalog, and its owner.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) digest: KeyDigest,
    pub(super) subscription: Subscription,
    pub(super) slot: KeySlot,
}

impl Expected {
    /// The key in words that give nothing of it away.
    pub(super) fn name(&self) -> String {
        format!("the {} key of `{}`", self.slot, self.subscription.id())
    }
}

/// All keys of a catalog.
pub(super) fn keys_of(catalog: &Catalog) -> Vec<Expected> {
    let expected = |subscription: Subscription| {
        let keys: Vec<_> = subscription
            .keys()
            .map(|(slot, key)| (slot, *key.digest()))
            .collect();
        keys.into_iter().map(move |(slot, digest)| Expected {
            digest,
            subscription: subscription.clone(),
            slot,
        })
    };
    catalog.subscriptions().flat_map(expected).collect()
}

/// Digests of no key: unrelated ones, the extremes, and ones that differ from a key in one bit.
pub(super) fn strangers(keys: &[Expected]) -> Vec<KeyDigest> {
    let flipped = |key: &Expected, bit: usize| {
        let mut bytes = *key.digest.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        KeyDigest::from_bytes(bytes)
    };
    let every_bit = keys.iter().take(1);
    let every_bit = every_bit.flat_map(|key| (0..256).map(move |bit| flipped(key, bit)));
    let some_bits = keys
        .iter()
        .flat_map(|key| [0, 63, 64, 128, 255].map(|bit| flipped(key, bit)));
    let fixed = [
        KeyDigest::from_bytes([0; 32]),
        KeyDigest::from_bytes([0xff; 32]),
        KeyDigest::of(""),
        KeyDigest::of("an unknown key"),
    ];
    fixed
        .into_iter()
        .chain(every_bit)
        .chain(some_bits)
        .filter(|digest| keys.iter().all(|key| key.digest != *digest))
        .collect()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// In 2001, in 2100, and at the end of 9999, which catalogs use for "never".
const PAST: u64 = 1_000_000_000;
const FUTURE: u64 = 4_102_444_800;
const NEVER: u64 = 253_402_300_799;

fn metadata(value: Value) -> Metadata {
    match value {
        Value::Object(values) => values.into(),
        _ => Metadata::default(),
    }
}

/// A subscription with two keys, made from its id, and still without scopes.
fn bare(id: &str) -> Subscription {
    Subscription::new(id)
        .with_primary_key(key(id, 1))
        .with_secondary_key(key(id, 2))
}

fn pair(id: &str) -> Subscription {
    bare(id).with_scope(Scope::Api("echo".into()))
}

fn key(id: &str, number: u8) -> SubscriptionKey {
    SubscriptionKey::from_digest(KeyDigest::of(format!("conformance {id} {number}")))
}

fn apis() -> Vec<Api> {
    let mut orders = Api::new("orders", "/orders")
        .with_display_name("Orders API")
        .with_metadata(metadata(json!({ "tier": "internal", "weight": 3 })));
    if let (Ok(header), Ok(query)) = (KeyHeader::new("X-Orders-Key"), KeyQuery::new("orders_key")) {
        orders = orders.with_key_header(header).with_key_query(query);
    }
    vec![
        Api::new("echo", "/echo"),
        orders,
        Api::new("größe 1.0_b~c", "/orders/gr%C3%B6%C3%9Fe").with_subscription_required(false),
        Api::new("rest", ""),
    ]
}

fn products() -> Vec<Product> {
    vec![
        Product::new("starter").with_apis(["echo"]),
        Product::new("bundle")
            .with_display_name("Everything, \"together\"")
            .with_apis(["orders", "echo"])
            .with_published(false)
            .with_metadata(metadata(json!({ "calls_per_minute": 5 }))),
        Product::new("open")
            .with_apis(["rest"])
            .with_subscription_required(false),
        Product::new("empty"),
    ]
}

fn subscriptions() -> Vec<Subscription> {
    let mut all: Vec<_> = State::ALL
        .into_iter()
        .map(|state| pair(&format!("state-{state}")).with_state(state))
        .collect();
    all.extend(with_scopes());
    all.extend(with_dates());
    all.extend(with_texts());
    all.extend(with_few_or_odd_keys());
    all
}

fn with_scopes() -> [Subscription; 4] {
    [
        bare("scope-service").with_scope(Scope::Service),
        bare("scope-all-apis").with_scope(Scope::AllApis),
        bare("scope-product").with_scope(Scope::Product("starter".into())),
        bare("scope-many")
            .with_scope(Scope::Product("bundle".into()))
            .with_scope(Scope::Api("größe 1.0_b~c".into()))
            .with_scope(Scope::Product("starter".into()))
            .with_scope(Scope::AllApis),
    ]
}

fn with_dates() -> [Subscription; 6] {
    let ending = |id: &str, first: u64, second: u64| {
        pair(id)
            .with_primary_key(key(id, 1).with_expiry(at(first)))
            .with_secondary_key(key(id, 2).with_expiry(at(second)))
    };
    [
        pair("date-over").with_expiry(at(PAST)),
        pair("date-not-yet").with_not_before(at(FUTURE)),
        pair("date-within")
            .with_not_before(at(PAST))
            .with_expiry(at(FUTURE)),
        pair("date-never").with_expiry(at(NEVER)),
        ending("date-first-key-over", PAST, FUTURE),
        ending("date-second-key-over", NEVER, PAST),
    ]
}

fn with_texts() -> [Subscription; 3] {
    [
        pair("text owned")
            .with_owner("jane@contoso.example")
            .with_display_name("Contoso, \"the\" first \\ 中文 🦀"),
        pair(&"ü".repeat(256)).with_owner("o".repeat(300)),
        pair("text-metadata").with_metadata(metadata(json!({
            "calls_per_minute": 5,
            "negative": -7,
            "large": 9_007_199_254_740_991_u64,
            "half": 0.5,
            "on": true,
            "empty": "",
            "text": "ß \u{0} \" \\ \n",
            "list": [1, "two", [3]],
            "nested": { "a": { "b": { "c": [] } } },
        }))),
    ]
}

fn with_few_or_odd_keys() -> Vec<Subscription> {
    let one = |id: &str| Subscription::new(id).with_scope(Scope::Service);
    let near = |last: u8| {
        let mut bytes = [0xa5; 32];
        bytes[31] = last;
        SubscriptionKey::from_digest(KeyDigest::from_bytes(bytes))
    };
    vec![
        one("key-only-first").with_primary_key("conformance only first"),
        one("key-only-second").with_secondary_key("conformance only second"),
        one("key-lengths")
            .with_primary_key(SubscriptionKey::new("k"))
            .with_secondary_key(SubscriptionKey::new("K".repeat(256))),
        one("key-bytes").with_primary_key(SubscriptionKey::new([0x80, 0xff, 0xfe, 0x7e])),
        one("key-near-1").with_primary_key(near(0)),
        one("key-near-2")
            .with_primary_key(near(1))
            .with_secondary_key(near(0x80)),
    ]
}

/// The catalog that every store of the suite begins with.
pub(super) fn first() -> Result<Catalog, CatalogError> {
    build(apis(), products(), subscriptions())
}

/// The catalog that [`first`] is changed into.
///
/// | subscription | is |
/// |---|---|
/// | `scope-service` | removed |
/// | `scope-all-apis` | given another first key |
/// | `state-active` | suspended |
/// | `state-suspended` | active again |
/// | `scope-product` | moved to another product |
/// | `key-only-first` | removed, its key given to `key-only-second` |
/// | `added` | new |
pub(super) fn second() -> Result<Catalog, CatalogError> {
    let mut apis = apis();
    apis.push(Api::new("added", "/added"));
    let mut products = products();
    products.push(Product::new("added").with_apis(["added"]));
    let mut subscriptions: Vec<_> = subscriptions()
        .into_iter()
        .filter_map(|subscription| match subscription.id() {
            "scope-service" | "key-only-first" => None,
            "scope-all-apis" => Some(subscription.with_primary_key("conformance another")),
            "state-active" => Some(subscription.with_state(State::Suspended)),
            "state-suspended" => Some(subscription.with_state(State::Active)),
            "scope-product" => Some(
                pair("scope-product")
                    .with_scope(Scope::Product("added".into()))
                    .with_metadata(metadata(json!({ "moved": true }))),
            ),
            "key-only-second" => Some(subscription.with_primary_key("conformance only first")),
            _ => Some(subscription),
        })
        .collect();
    subscriptions.push(pair("added").with_scope(Scope::Product("added".into())));
    build(apis, products, subscriptions)
}

fn build(
    apis: Vec<Api>,
    products: Vec<Product>,
    subscriptions: Vec<Subscription>,
) -> Result<Catalog, CatalogError> {
    let mut builder = Catalog::builder();
    for api in apis {
        builder = builder.api(api);
    }
    for product in products {
        builder = builder.product(product);
    }
    for subscription in subscriptions {
        builder = builder.subscription(subscription);
    }
    builder.build()
}
