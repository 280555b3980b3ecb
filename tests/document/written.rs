use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::FORMATS;
use tower_subscription_key::MemoryStore;
use tower_subscription_key::catalog::{
    Api, Catalog, KeySlot, Product, Scope, State, Subscription, SubscriptionKey,
};
use tower_subscription_key::document::{Format, owner_to_json, parse, parse_owner, write};
use tower_subscription_key::key::{KeyDigest, KeyHeader, KeyQuery};

/// Arbitrary text: quotes, control characters, astral characters, empty text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,8}", any::<String>()]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn metadata() -> impl Strategy<Value = Map<String, Value>> {
    vec((text(), json_value()), 0..3).prop_map(|members| members.into_iter().collect())
}

/// Years 0 to 9999, to the microsecond: so exactly a catalog keeps them.
fn time() -> impl Strategy<Value = SystemTime> {
    (-62_167_219_200_i64..253_402_300_799, 0..1_000_000_u32).prop_map(|(seconds, micros)| {
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let base = if seconds < 0 {
            UNIX_EPOCH - whole
        } else {
            UNIX_EPOCH + whole
        };
        base + Duration::from_micros(micros.into())
    })
}

prop_compose! {
    fn api(index: usize)(
        name in option::of("\\PC{0,9}"),
        slashes in "/{0,2}",
        required: bool,
        header in option::of("[A-Za-z-]{1,9}"),
        query in option::of(text().prop_filter("a name", |name| !name.is_empty())),
        metadata in metadata(),
    ) -> Api {
        let mut api = Api::new(format!("api \"{index}\""), format!("/a{index}{slashes}"))
            .with_subscription_required(required)
            .with_metadata(metadata);
        if let Some(name) = name {
            api = api.with_display_name(name);
        }
        // Some names are reserved: `TE` is one.
        if let Some(Ok(header)) = header.map(|name| KeyHeader::new(&name)) {
            api = api.with_key_header(header);
        }
        if let Some(query) = query {
            api = api.with_key_query(KeyQuery::new(&query).unwrap());
        }
        api
    }
}

prop_compose! {
    fn product(index: usize)(
        name in option::of("\\PC{0,9}"),
        apis in vec(0..2_usize, 0..3),
        open in any::<bool>(),
        published: bool,
        metadata in metadata(),
    ) -> Product {
        let product = Product::new(format!("product {index}"))
            .with_apis(apis.into_iter().map(|api| format!("api \"{api}\"")))
            // An API is in at most one open product.
            .with_subscription_required(index > 0 || !open)
            .with_published(published)
            .with_metadata(metadata);
        match name {
            Some(name) => product.with_display_name(name),
            None => product,
        }
    }
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Service),
        Just(Scope::AllApis),
        (0..2_usize).prop_map(|api| Scope::Api(format!("api \"{api}\""))),
        (0..2_usize).prop_map(|product| Scope::Product(format!("product {product}"))),
    ]
}

fn key(name: String) -> impl Strategy<Value = SubscriptionKey> {
    option::of(time()).prop_map(move |end| {
        let key = SubscriptionKey::new(&name);
        match end {
            Some(end) => key.with_expiry(end),
            None => key,
        }
    })
}

prop_compose! {
    fn subscription(index: usize)(
        name in option::of("\\PC{0,9}"),
        owner in option::of(text()),
        scopes in vec(scope(), 1..4),
        state in proptest::sample::select(State::ALL.to_vec()),
        keys in (key(format!("p{index}")), key(format!("s{index}")), 0..3),
        times in (option::of(time()), option::of(time())),
        metadata in metadata(),
    ) -> Subscription {
        let mut subscription = Subscription::new(format!("subscription {index}é\\"))
            .with_state(state)
            .with_metadata(metadata);
        for scope in scopes {
            subscription = subscription.with_scope(scope);
        }
        let (primary, secondary, which) = keys;
        if which != 1 {
            subscription = subscription.with_primary_key(primary);
        }
        if which != 2 {
            subscription = subscription.with_secondary_key(secondary);
        }
        if let Some(name) = name {
            subscription = subscription.with_display_name(name);
        }
        if let Some(owner) = owner {
            subscription = subscription.with_owner(owner);
        }
        if let Some(start) = times.0 {
            subscription = subscription.with_not_before(start);
        }
        if let Some(end) = times.1 {
            subscription = subscription.with_expiry(end);
        }
        subscription
    }
}

prop_compose! {
    fn catalog()(
        apis in (api(0), api(1)),
        products in (product(0), product(1)),
        subscriptions in (subscription(0), subscription(1), subscription(2)),
    ) -> Catalog {
        Catalog::builder()
            .api(apis.0)
            .api(apis.1)
            .product(products.0)
            .product(products.1)
            .subscription(subscriptions.0)
            .subscription(subscriptions.1)
            .subscription(subscriptions.2)
            .build()
            .unwrap()
    }
}

fn assert_equal(one: &Catalog, other: &Catalog) {
    assert!(one.apis().eq(other.apis()), "{one:?}\n{other:?}");
    assert!(one.products().eq(other.products()), "{one:?}\n{other:?}");
    let one: Vec<_> = one.subscriptions().collect();
    let other: Vec<_> = other.subscriptions().collect();
    assert_eq!(one, other);
}

proptest! {
    #[test]
    fn written_catalog_reads_back_equal_in_every_format(catalog in catalog()) {
        for format in FORMATS {
            let Ok(written) = write(&catalog, format) else {
                prop_assert_eq!(format, Format::Toml);
                continue;
            };
            let read = parse(&written, format);
            prop_assert!(read.is_ok(), "{:?}\n{}", read, written);
            assert_equal(&read.unwrap(), &catalog);
        }
    }

    #[test]
    fn written_owner_reads_back_equal(subscription in subscription(0)) {
        for (slot, _) in subscription.keys() {
            let written = owner_to_json(Some((&subscription, slot)));
            let read = parse_owner(written).unwrap();
            prop_assert_eq!(read, Some((subscription.clone(), slot)));
        }
    }
}

#[test]
fn key_is_written_as_its_digest() {
    let subscription = Subscription::new("contoso")
        .with_scope(Scope::Service)
        .with_primary_key("test")
        .with_secondary_key(SubscriptionKey::new("other").with_expiry(UNIX_EPOCH));
    let catalog = Catalog::builder()
        .api(Api::new("echo", "/"))
        .subscription(subscription)
        .build()
        .unwrap();
    let written = write(&catalog, Format::Json).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(
        written,
        json!({
            "format": 1,
            "apis": [{ "id": "echo", "path": "/" }],
            "products": [],
            "subscriptions": [{
                "id": "contoso",
                "scope": "/",
                "primary_key": {
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
                },
                "secondary_key": {
                    "sha256": KeyDigest::of("other").to_hex(),
                    "expires_at": "1970-01-01T00:00:00Z"
                },
            }],
        })
    );
}

#[test]
fn unpacked_changes_are_written() {
    let of = |id: &str| {
        Subscription::new(id)
            .with_scope(Scope::AllApis)
            .with_primary_key(id)
    };
    let catalog = Catalog::builder()
        .api(Api::new("echo", "/"))
        .subscription(of("gone"))
        .build();
    let store = MemoryStore::new(catalog.unwrap());
    store.remove_subscription("gone");
    store.put_subscription(of("new")).unwrap();
    let read = parse(write(&store.catalog(), Format::Json).unwrap(), Format::Json).unwrap();
    let ids: Vec<_> = read.subscriptions().map(|s| s.id().to_owned()).collect();
    assert_eq!(ids, ["new"]);
}

#[test]
fn owner_answer_that_is_incomplete_is_refused() {
    assert_eq!(owner_to_json(None), r#"{"format":1,"subscription":null}"#);
    assert_eq!(parse_owner(r#"{"subscription":null}"#), Ok(None));
    let contoso = r#"{ "id": "c", "scope": "/", "primary_key": "p" }"#;
    let good = format!(r#"{{ "subscription": {contoso}, "slot": "primary" }}"#);
    let (subscription, slot) = parse_owner(good).unwrap().unwrap();
    assert_eq!((subscription.id(), slot), ("c", KeySlot::Primary));
    for (document, expected) in [
        ("", "this is not JSON"),
        ("null", "must be a table"),
        ("[]", "must be a table"),
        ("{}", "`subscription` is missing"),
        (r#"{ "error": "gone" }"#, "`subscription` is missing"),
        (
            r#"{ "subscription": null, "slot": "primary" }"#,
            "there is no subscription",
        ),
        (
            r#"{ "subscription": {}, "slot": "primary" }"#,
            "`id` is missing",
        ),
        (
            &format!(r#"{{ "subscription": {contoso} }}"#),
            "`slot` is missing",
        ),
        (
            &format!(r#"{{ "subscription": {contoso}, "slot": "both" }}"#),
            "a slot is",
        ),
        (
            &format!(r#"{{ "subscription": {contoso}, "slot": "secondary" }}"#),
            "no secondary key",
        ),
        (
            r#"{ "subscription": { "id": "a/b", "scope": "/", "primary_key": "p" }, "slot": "primary" }"#,
            "an id must not contain",
        ),
        (
            r#"{ "subscription": { "id": "a", "scope": "/", "primary_key": "p", "secondary_key": "p" }, "slot": "primary" }"#,
            "two of its keys are the same",
        ),
        (
            r#"{ "subscription": { "id": "a", "scope": "/", "primary_key": { "env": "HOME" } }, "slot": "primary" }"#,
            "only a local catalog file can take a key",
        ),
    ] {
        let issues = parse_owner(document).unwrap_err().to_string();
        assert!(issues.contains(expected), "{document}: {issues}");
    }
}
