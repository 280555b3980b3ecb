//! Whatever a filter or a body holds, the answer is one of the documented ones.

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Ask, Plane, get};

fn word() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "name",
        "displayName",
        "scope",
        "state",
        "ownerId",
        "eq",
        "ne",
        "and",
        "or",
        "(",
        ")",
        ",",
        "contains(",
        "substringof(",
        "'x'",
        "''",
        "'",
        "'/products/a'",
        "'active'",
        " ",
    ];
    prop_oneof![
        prop::sample::select(WORDS).prop_map(str::to_owned),
        any::<char>().prop_map(String::from)
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "(/apis|/products|/)?[a-z/;=.]{0,10}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4).prop_map(|map| json!(map))
        ]
    })
}

fn properties() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "displayName",
        "scope",
        "scopes",
        "ownerId",
        "state",
        "primaryKey",
        "secondaryKey",
        "primaryKeySha256",
        "keyPrefix",
        "expirationDate",
        "notBefore",
        "metadata",
        "description",
        "termsAccepted",
        "allowTracing",
        "path",
        "terms",
        "subscriptionsLimit",
        "subscriptionRequired",
        "subscriptionKeyParameterNames",
        "protocols",
        "other",
    ];
    prop::collection::btree_map(prop::sample::select(NAMES), value(), 0..6)
        .prop_map(|map| json!({ "properties": map }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn filter_any_is_answered_or_refused_as_a_filter(words in prop::collection::vec(word(), 0..12)) {
        let filter = words.join(" ");
        let encoded: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let reply = Runtime::new().unwrap().block_on(async {
            Plane::in_memory().send(get("/subscriptions").query(&format!("$filter={encoded}"))).await
        });
        match reply.status.as_u16() {
            200 => {}
            400 => prop_assert_eq!(reply.targets(), ["$filter"]),
            status => prop_assert!(false, "{} {}", status, reply.text),
        }
    }

    #[test]
    fn body_any_is_taken_or_refused_with_its_fields(body in properties(), path in prop::sample::select(["/subscriptions/a", "/products/a", "/apis/a"].as_slice())) {
        Runtime::new().unwrap().block_on(async {
            let plane = Plane::in_memory();
            let reply = plane.send(Ask::new("PUT", path).json(&body)).await;
            match reply.status.as_u16() {
                201 => {
                    let again = plane.send(get(path)).await;
                    prop_assert_eq!(again.status, 200);
                }
                400 => {
                    prop_assert_eq!(reply.code(), "ValidationError");
                    prop_assert!(!reply.targets().is_empty());
                    prop_assert_eq!(plane.send(get(path)).await.status, 404);
                }
                status => prop_assert!(false, "{} {}", status, reply.text),
            }
            Ok(())
        })?;
    }

    #[test]
    fn body_any_bytes_are_refused_or_taken(body in prop::collection::vec(any::<u8>(), 1..64)) {
        Runtime::new().unwrap().block_on(async {
            let ask = Ask::new("PATCH", "/subscriptions/master").header("content-type", "application/json").body(body);
            let reply = Plane::in_memory().send(ask).await;
            prop_assert!(matches!(reply.status.as_u16(), 200 | 400), "{}", reply.text);
            Ok(())
        })?;
    }
}
