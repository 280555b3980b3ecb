use serde_json::{Value, json};

use super::super::support::Place;

/// Each reason that a decision on a catalog can have: the path, the key (`-`: none),
/// the subscription of the key, the reason, and what is named as the cause.
const REASONS: &str = "\
/echo|-||missing|no key
/echo|||empty|is empty
/echo|no-such-key||unknown|no subscription has this key
/echo|off-key|off|inactive|suspended
/echo|asked-key|asked|inactive|submitted
/echo|turned-down-key|turned-down|inactive|rejected
/echo|given-up-key|given-up|inactive|cancelled
/echo|gone-key|gone|inactive|expired
/echo|early-key|early|not_yet_valid|2090-01-01
/echo|over-key|over|subscription_expired|2020-01-01
/echo|stale-key|stale|key_expired|2020-01-01
/orders/7|good-key|good|out_of_scope|is in no product
/ordres|good-key|good|no_such_api|the closest is \"/orders\"
/invoices|wide-key|wide|no_such_api|belongs to no API
/echo/%2e%2e/orders|good-key|good|ambiguous_path|once it is cleaned up";

pub(crate) fn reasons() -> impl Iterator<Item = [&'static str; 5]> {
    REASONS.lines().map(|line| {
        let fields: Vec<&str> = line.split('|').collect();
        fields.try_into().unwrap()
    })
}

pub(crate) fn explain(place: &Place, path: &str, key: &str) -> Value {
    let words = match key {
        "-" => vec!["explain", "--path", path, "--json"],
        _ => vec!["explain", "--path", path, "--json", "--key-stdin"],
    };
    let ran = place.run_with(&words, key);
    let json = ran.json();
    assert_eq!(ran.code, i32::from(json["outcome"] == "denied"), "{json}");
    json
}

pub(crate) fn key_gets_in_after_the_command_that_the_explanation_offers(place: &Place) {
    let words = ["explain", "--path", "/orders/7", "--key-stdin"];
    let denied = place.run_with(&words, "good-key").expect(1);
    assert!(
        denied.out.contains("API \"orders\" is in no product"),
        "{denied:?}"
    );
    let command = "subscription-key products set starter --api echo --api orders";
    assert!(denied.out.contains(command), "{denied:?}");
    place.shell(command).expect(0);
    place.run_with(&words, "good-key").expect(0);
}

pub(crate) fn each_reason_is_named_with_cause_and_cure(place: &Place) {
    for [path, key, subscription, reason, cause] in reasons() {
        let json = explain(place, path, key);
        let told = if matches!(reason, "missing" | "empty") {
            "missing"
        } else {
            "invalid"
        };
        let expected = [json!("denied"), json!(reason), json!(told)];
        assert_eq!(
            ["outcome", "reason", "told"].map(|field| json[field].clone()),
            expected
        );
        let found = json["subscription"].as_str().unwrap_or_default();
        assert_eq!(found, subscription, "{json}");
        assert!(json["product"].is_null() && json["scope"].is_null());
        let cures = json["cures"].as_array().unwrap();
        assert!(
            cures
                .iter()
                .all(|cure| !cure["text"].as_str().unwrap().is_empty())
        );
        assert!(!cures.is_empty(), "{json}");
        let words = match key {
            "-" => vec!["explain", "--path", path],
            _ => vec!["explain", "--path", path, "--key-stdin"],
        };
        let text = place.run_with(&words, key).expect(1).out;
        assert!(
            text.contains(cause) && text.contains("to let it in"),
            "{cause}: {text}"
        );
        assert!(key.len() < 2 || !text.contains(key), "{text}");
    }
    let long = explain(place, "/echo", &"x".repeat(300));
    assert_eq!(
        (&long["reason"], &long["told"]),
        (&json!("malformed"), &json!("invalid"))
    );
}

pub(crate) fn command_repeats_the_flag_and_works_as_it_stands(place: &Place) {
    let (flag, value) = place.flag();
    let words = [
        "explain",
        "--path",
        "/echo",
        "--subscription",
        "off",
        flag,
        value,
    ];
    let denied = place.run(&words).expect(1);
    let command = format!("subscription-key {flag} {value} activate off");
    assert!(denied.out.contains(&command), "{denied:?}");
    place.shell(&command).expect(0);
    place.run(&words).expect(0);
}

pub(crate) fn every_command_of_a_cure_lets_the_caller_in(new: &dyn Fn() -> Place) {
    let place = new();
    let mut commands = 0;
    for [path, key, subscription, ..] in reasons() {
        for cure in explain(&place, path, key)["cures"].as_array().unwrap() {
            let Some(command) = cure["command"].as_str() else {
                continue;
            };
            assert!(command.starts_with("subscription-key "), "{command}");
            let place = new();
            place.shell(command).expect(0);
            let words = ["explain", "--path", path, "--subscription", subscription];
            let ran = place.run(&words);
            assert_eq!(ran.code, 0, "{command}: {ran:?}");
            commands += 1;
        }
    }
    assert!(commands >= 12, "{commands}");
}
