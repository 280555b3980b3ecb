use serde_json::json;

use super::super::support::Place;
use super::CATALOG;
use super::changes::record;
use super::explaining::{explain, reasons};

pub(crate) fn lists_are_filtered_and_in_the_order_of_the_catalog(place: &Place) {
    let ids = |words: &[&str]| {
        let listed = place.run(words).expect(0).json();
        let ids = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["id"].clone());
        ids.filter(|id| id != "master").collect::<Vec<_>>()
    };
    let all = [
        "good",
        "off",
        "asked",
        "turned-down",
        "given-up",
        "early",
        "over",
        "gone",
        "stale",
        "rotated",
        "wide",
    ];
    assert_eq!(ids(&["subscriptions", "list", "--json"]), all);
    for (flag, value, expected) in [
        ("--owner", "jane", &["good"][..]),
        ("--owner", "nobody", &[]),
        ("--state", "suspended", &["off"]),
        ("--state", "expired", &["over", "gone"]),
        ("--scope", "/apis", &["wide"]),
    ] {
        assert_eq!(
            ids(&["subscriptions", "list", flag, value, "--json"]),
            expected,
            "{value}"
        );
    }
    assert_eq!(ids(&["apis", "list", "--json"]), ["echo", "orders"]);
    assert_eq!(ids(&["products", "list", "--json"]), ["starter"]);
    let table = place
        .run(&["subscriptions", "list", "--owner", "jane"])
        .expect(0)
        .out;
    assert!(
        table.starts_with("ID  ") && table.lines().count() == 2,
        "{table}"
    );
}

pub(crate) fn refusal_has_a_sentence_a_code_and_no_output(place: &Place) {
    for (words, code, sentence) in [
        (&["subscriptions", "show", "godo"][..], 1, "\"good\""),
        (&["suspend", "godo"], 1, "\"good\""),
        (&["apis", "show", "order"], 1, "\"orders\""),
        (
            &["grant", "good", "/products/startr"],
            1,
            "\"/products/starter\"",
        ),
        (
            &["explain", "--path", "/echo", "--subscription", "godo"],
            1,
            "\"good\"",
        ),
        (&["explain", "--api", "order"], 1, "\"orders\""),
        (&["apis", "add", "echo", "--path", "/x"], 1, "`apis set`"),
        (&["apis", "add", "x", "--path", "/echo"], 1, "--path"),
        (
            &["products", "remove", "starter", "--yes"],
            1,
            "`--with-subscriptions`",
        ),
        (
            &["approve", "good"],
            1,
            "is active and does not become active",
        ),
        (&["activate", "over"], 1, "--expires"),
        (&["import", "catalog", "none.toml"], 3, "none.toml"),
        (&["create", "--scope", "starter"], 2, "--scope"),
    ] {
        let ran = place.run(words).expect(code);
        assert!(
            ran.err.contains(sentence) && ran.out.is_empty(),
            "{words:?}: {ran:?}"
        );
    }
    assert_eq!(record(place, "subscriptions", "good")["state"], "active");
}

pub(crate) fn exported_catalog_decides_alike_when_it_is_imported(place: &Place) {
    for name in ["out.toml", "out.json", "out.yaml"] {
        place.run(&["export", "--output", name]).expect(0);
        for [path, key, ..] in reasons().filter(|[_, key, ..]| *key != "-") {
            let here = explain(place, path, key);
            let words = [
                "explain",
                "--path",
                path,
                "--json",
                "--key-stdin",
                "--catalog",
                name,
            ];
            let there = place.run_with(&words, key).json();
            assert_eq!(here["reason"], there["reason"], "{name} {path} {key}");
        }
    }
}

pub(crate) fn dry_run_or_conflict_imports_nothing(place: &Place) {
    let other = CATALOG.replace("path = \"/orders\"", "path = \"/o\"");
    place.write("other.toml", &other);
    let import = ["import", "catalog", "other.toml", "--replace", "--dry-run"];
    let conflict = place.run(&import[..3]).expect(1);
    assert!(
        conflict.err.contains("\"orders\"")
            && conflict.err.contains("--replace")
            && conflict.out.is_empty(),
        "{conflict:?}"
    );
    place.run(&import).expect(0);
    assert_eq!(record(place, "apis", "orders")["path"], "/orders");
    place.run(&import[..4]).expect(0);
    assert_eq!(record(place, "apis", "orders")["path"], "/o");
    // The same content again changes nothing.
    let again = place
        .run(&["import", "catalog", "other.toml", "--json"])
        .expect(0)
        .json();
    let imported = &again["imported"];
    assert_eq!(
        (&imported["apis"], &imported["subscriptions"]),
        (&json!(0), &json!(0))
    );
}
