//! Long documents that are read in parts, and documents of other versions.
#![allow(clippy::unwrap_used, clippy::panic)]

mod agreement;

use crate::document::{Format, parse, parse_machine, parse_owner, read_machine};

/// What a version after this one might write: fields that are not known here, at
/// every level.
const NEXT_VERSION: &str = r#"{"format": 1, "groups": [{"id": "g"}],
    "apis": [{"id": "a", "path": "/", "protocols": ["https"]}],
    "products": [{"id": "p", "apis": ["a"], "terms": null}],
    "subscriptions": [{"id": "s", "scope": "/products/p", "tags": {"a": [1]},
        "primary_key": {"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "hint": "ends"}}]}"#;

#[test]
fn document_of_the_next_version_is_read_and_its_new_fields_reported() {
    let (catalog, ignored) = read_machine(NEXT_VERSION.as_bytes()).unwrap();
    assert_eq!(catalog.subscription("s").unwrap().keys().count(), 1);
    let ignored: Vec<&str> = ignored.iter().map(String::as_str).collect();
    let expected = [
        "`groups` in the document",
        "`hint` in subscriptions",
        "`protocols` in apis",
        "`tags` in subscriptions",
        "`terms` in products",
    ];
    assert_eq!(ignored, expected);
    // A person who writes that has made mistakes.
    assert_eq!(
        parse(NEXT_VERSION, Format::Json)
            .unwrap_err()
            .issues()
            .len(),
        5
    );
}

#[test]
fn document_of_a_higher_format_is_refused_for_that_alone() {
    let text = NEXT_VERSION.replace("\"format\": 1", "\"format\": 2");
    let error = parse_machine(text.as_bytes()).unwrap_err().to_string();
    let expected = "1:1: format: this document has format 2, and 1 is the highest that can be read";
    assert!(
        error.starts_with(expected) && error.lines().count() == 1,
        "{error}"
    );
    let error = parse("format = 2\nzones = []", Format::Toml).unwrap_err();
    assert!(error.to_string().contains("has format 2"), "{error}");
    for format in ["0", "\"1\"", "1.5", "-1"] {
        let text = NEXT_VERSION.replace("\"format\": 1", &format!("\"format\": {format}"));
        let error = parse_machine(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains("format: must be 1 or left out"),
            "{format}: {error}"
        );
    }
}

#[test]
fn owner_of_the_next_version_is_read_and_of_a_higher_format_refused() {
    let text = r#"{"format": 1, "cached_for": 5, "slot": "primary", "subscription":
        {"id": "s", "scope": "/", "tags": [], "primary_key": {"value": "k", "hint": "ends"}}}"#;
    let (subscription, _) = parse_owner(text).unwrap().unwrap();
    assert_eq!(subscription.id(), "s");
    let error = parse_owner(text.replace("\"format\": 1", "\"format\": 2")).unwrap_err();
    assert!(error.to_string().contains("has format 2"), "{error}");
    let unknown = r#"{"format": 2, "subscription": null}"#;
    assert!(parse_owner(unknown).is_err());
}
