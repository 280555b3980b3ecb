use serde_json::{Value, json};

use crate::support::{Home, KEY};

/// One case for each reason: what is added to the catalog, and the request.
const FILE: &str = r#"
[[apis]]
id = "echo"
path = "/echo"
key_names = { header = "X-Api-Key", query = "api_key" }

[[apis]]
id = "orders"
path = "/orders"

[[products]]
id = "starter"
apis = ["echo"]

[[subscriptions]]
id = "good"
scope = "/products/starter"
primary_key = "good-key"

[[subscriptions]]
id = "off"
scope = "/products/starter"
state = "suspended"
primary_key = "off-key"

[[subscriptions]]
id = "asked"
scope = "/products/starter"
state = "submitted"
primary_key = "asked-key"

[[subscriptions]]
id = "early"
scope = "/products/starter"
not_before = "2090-01-01T00:00:00Z"
primary_key = "early-key"

[[subscriptions]]
id = "over"
scope = "/products/starter"
expires_at = "2020-01-01T00:00:00Z"
primary_key = "over-key"

[[subscriptions]]
id = "gone"
scope = "/products/starter"
state = "expired"
expires_at = "2020-01-01T00:00:00Z"
primary_key = "gone-key"

[[subscriptions]]
id = "stale"
scope = "/products/starter"
primary_key = { value = "stale-key", expires_at = "2020-01-01T00:00:00Z" }

[[subscriptions]]
id = "wide"
scope = "/apis"
primary_key = "wide-key"
"#;

fn home() -> Home {
    Home::with("c.toml", FILE)
}

fn explain(home: &Home, path: &str, key: &str) -> Value {
    let ran = home.run_with(&["explain", "--path", path, "--key-stdin", "--json"], key);
    let json = ran.json();
    assert_eq!(ran.code, i32::from(json["outcome"] == "denied"), "{json}");
    json
}

#[test]
fn access_names_what_a_handler_sees() {
    let json = explain(&home(), "/echo/1", "good-key");
    for (field, value) in [
        ("outcome", json!("access")),
        ("told", json!(null)),
        ("reason", json!(null)),
        ("api", json!("echo")),
        ("product", json!("starter")),
        ("subscription", json!("good")),
        ("slot", json!("primary")),
        ("scope", json!("/products/starter")),
        ("cures", json!([])),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
    assert!(
        json["steps"]
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["holds"] == true)
    );
}

#[test]
fn each_reason_is_named_with_its_cause_and_cure() {
    for (path, key, reason, told) in [
        ("/echo", "", "empty", "missing"),
        ("/echo", "no-such-key", "unknown", "invalid"),
        ("/echo", "off-key", "inactive", "invalid"),
        ("/echo", "asked-key", "inactive", "invalid"),
        ("/echo", "early-key", "not_yet_valid", "invalid"),
        ("/echo", "over-key", "subscription_expired", "invalid"),
        ("/echo", "gone-key", "inactive", "invalid"),
        ("/echo", "stale-key", "key_expired", "invalid"),
        ("/orders", "good-key", "out_of_scope", "invalid"),
        ("/ordres", "good-key", "no_such_api", "invalid"),
        ("/ordres", "wide-key", "no_such_api", "invalid"),
        (
            "/echo/%2e%2e/orders",
            "good-key",
            "ambiguous_path",
            "invalid",
        ),
    ] {
        let json = explain(&home(), path, key);
        assert_eq!(json["outcome"], "denied", "{path} {key}");
        assert_eq!(json["reason"], reason, "{path} {key}");
        assert_eq!(json["told"], told, "{path} {key}");
        assert!(
            !json["cures"].as_array().unwrap().is_empty(),
            "{path} {key}"
        );
        assert!(json["product"].is_null() && json["scope"].is_null());
    }
    let long = explain(&home(), "/echo", &"x".repeat(300));
    assert_eq!(long["reason"], "malformed");
}

#[test]
fn missing_key_names_the_header_and_the_parameter_of_the_api() {
    let ran = home().run(&["explain", "--path", "/echo"]).expect(1);
    assert!(
        ran.out.contains("`X-Api-Key`") && ran.out.contains("`api_key`"),
        "{ran:?}"
    );
    let ran = home()
        .run(&["explain", "--api", "orders", "--json"])
        .expect(1);
    assert_eq!(ran.json()["reason"], "missing");
    assert!(
        ran.out.contains("`Ocp-Apim-Subscription-Key`") && ran.out.contains("`subscription-key`")
    );
}

#[test]
fn every_command_of_a_cure_lets_the_caller_in() {
    let mut commands = 0;
    for (path, subscription, key) in [
        ("/echo", "off", "off-key"),
        ("/echo", "asked", "asked-key"),
        ("/echo", "early", "early-key"),
        ("/echo", "over", "over-key"),
        ("/echo", "gone", "gone-key"),
        ("/echo", "stale", "stale-key"),
        ("/orders", "good", "good-key"),
        ("/invoices", "wide", "wide-key"),
    ] {
        let cures = explain(&home(), path, key)["cures"].clone();
        for command in cures
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|cure| cure["command"].as_str())
        {
            let home = home();
            assert!(command.starts_with("subscription-key "), "{command}");
            home.shell(command).expect(0);
            let words = ["explain", "--path", path, "--subscription", subscription];
            let ran = home.run(&words);
            assert_eq!(ran.code, 0, "{command}: {ran:?}");
            commands += 1;
        }
    }
    assert!(commands >= 10, "{commands}");
}

#[test]
fn api_in_no_product_is_the_answer_and_its_command_the_cure() {
    let home = home();
    let ran = home
        .run_with(
            &["explain", "--path", "/orders/7", "--key-stdin"],
            "good-key",
        )
        .expect(1);
    assert!(
        ran.out.contains("API \"orders\" is in no product"),
        "{ran:?}"
    );
    let command = "subscription-key products set starter --api echo --api orders";
    assert!(ran.out.contains(command), "{ran:?}");
    home.shell(command).expect(0);
    home.run_with(
        &["explain", "--path", "/orders/7", "--key-stdin"],
        "good-key",
    )
    .expect(0);
}

#[test]
fn second_obstacle_is_named_too() {
    let ran = home()
        .run_with(&["explain", "--path", "/orders", "--key-stdin"], "off-key")
        .expect(1);
    assert!(
        ran.out.contains("second obstacle") && ran.out.contains("/products/starter"),
        "{ran:?}"
    );
}

#[test]
fn ignored_key_is_explained_and_denied_if_asked() {
    let text = format!(
        "{FILE}\n[[products]]\nid = \"free\"\napis = [\"orders\"]\nsubscription_required = false\n"
    );
    let home = Home::with("c.toml", &text);
    let json = explain(&home, "/orders", "good-key");
    assert_eq!(
        (&json["outcome"], &json["reason"]),
        (&json!("access"), &json!("out_of_scope"))
    );
    assert_eq!(
        (&json["product"], &json["subscription"]),
        (&json!("free"), &json!(null))
    );
    let deny = [
        "explain",
        "--path",
        "/orders",
        "--key-stdin",
        "--inapplicable-key",
        "deny",
    ];
    home.run_with(&deny, "good-key").expect(1);
    let anonymous = home
        .run(&["explain", "--path", "/orders", "--json"])
        .expect(0)
        .json();
    assert_eq!(anonymous["reason"], json!(null));
}

#[test]
fn unmatched_path_passes_only_if_asked() {
    let home = home();
    home.run(&["explain", "--path", "/x"]).expect(1);
    let json = home
        .run(&["explain", "--path", "/x", "--unmatched", "pass", "--json"])
        .expect(0)
        .json();
    assert_eq!(json["outcome"], "unmatched");
}

#[test]
fn command_repeats_the_catalog_flag() {
    let home = home();
    let path = home.path();
    let path = path.to_str().unwrap();
    let words = [
        "explain",
        "--path",
        "/echo",
        "--subscription",
        "off",
        "--catalog",
        path,
    ];
    let ran = home.run(&words).expect(1);
    assert!(
        ran.out
            .contains(&format!("subscription-key --catalog {path} activate off")),
        "{ran:?}"
    );
}

#[test]
fn time_of_the_request_can_be_given() {
    let home = home();
    let words = [
        "explain",
        "--path",
        "/echo",
        "--subscription",
        "early",
        "--at",
        "2091-01-01",
    ];
    home.run(&words).expect(0);
}

#[test]
fn unknown_ids_offer_near_ones() {
    let home = home();
    let ran = home
        .run(&["explain", "--path", "/echo", "--subscription", "godo"])
        .expect(1);
    assert!(
        ran.err.contains("\"good\"") && ran.out.is_empty(),
        "{ran:?}"
    );
    let ran = home.run(&["explain", "--api", "order"]).expect(1);
    assert!(ran.err.contains("\"orders\""), "{ran:?}");
    let ran = home.run(&["grant", "good", "/products/startr"]).expect(1);
    assert!(ran.err.contains("/products/starter"), "{ran:?}");
}

#[test]
fn output_never_holds_the_key() {
    let ran = home()
        .run_with(&["explain", "--path", "/echo", "--key-stdin"], KEY)
        .expect(1);
    assert!(!ran.out.contains(&KEY[..8]) && !ran.err.contains(&KEY[..8]));
}
