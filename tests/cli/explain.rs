use std::sync::Arc;

use serde_json::{Value, json};
use tower_subscription_key::access::{self, DenialReason, Question};
use tower_subscription_key::catalog::{Api, Catalog};
use tower_subscription_key::key::Presented;

use crate::support::{Home, KEY};

use crate::stories::CATALOG;

fn home() -> Home {
    Home::with("c.toml", CATALOG)
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
        "{CATALOG}\n[[products]]\nid = \"free\"\napis = [\"orders\"]\nsubscription_required = false\n"
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

#[test]
fn replaced_key_after_its_grace_period_is_named_with_its_cures() {
    let home = home();
    let json = explain(&home, "/echo", "retired-key");
    assert_eq!(json["reason"], "key_expired");
    let ran = home.run_with(
        &["explain", "--path", "/echo", "--key-stdin"],
        "retired-key",
    );
    for part in [
        "the replaced primary key ended at 2020-01-01T00:00:00Z",
        "send the primary key that replaced it",
        "regenerate rotated primary --expires none",
    ] {
        assert!(ran.out.contains(part), "{part}: {ran:?}");
    }
}

#[test]
fn request_with_two_keys_is_named_with_its_cure() {
    let catalog = Catalog::builder().api(Api::new("echo", "/echo")).build();
    let question = Question::for_path(Arc::new(catalog.unwrap()), "/echo");
    let explanation = access::explain(question.with_key(Presented::Ambiguous), Some("/echo"));
    assert_eq!(explanation.reason(), Some(DenialReason::AmbiguousKey));
    let text = explanation.to_string();
    assert!(
        text.contains("more than one key") && text.contains("send one key only"),
        "{text}"
    );
}

#[test]
fn command_of_a_cure_works_with_ids_that_look_like_flags() {
    let text = "[[apis]]
id = \"-x\"
path = \"/x\"
[[products]]
id = \"-p\"
[[subscriptions]]
id = \"--s\"
scope = \"/products/-p\"
primary_key = \"some-key\"
";
    let words = ["explain", "--path", "/x", "--key-stdin", "--json"];
    let cures = |home: &Home| home.run_with(&words, "some-key").json()["cures"].clone();
    let all = cures(&Home::with("c.toml", text));
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    for cure in all.as_array().unwrap() {
        let home = Home::with("c.toml", text);
        home.shell(cure["command"].as_str().unwrap()).expect(0);
        home.run_with(&words, "some-key").expect(0);
    }
}
