//! Suggestions for misspelled names, and positions.

use tower_subscription_key::catalog::{Entity, EntityKind, Field, KeySlot};
use tower_subscription_key::document::{Format, Positions, parse};

use crate::{assert_issues, issues};

#[test]
fn near_matches_of_states_scopes_and_fields_are_offered() {
    let with = |fields: &str| {
        format!(
            "apis: [{{id: orders, path: /}}]\nproducts: [{{id: starter}}]\nsubscriptions:\n- {{id: s, primary_key: k, {fields}}}"
        )
    };
    for (fields, expected) in [
        ("scope: /, state: Suspended", "did you mean `suspended`?"),
        ("scope: /, state: canceled", "did you mean `cancelled`?"),
        ("scope: starter", "did you mean `/products/starter`?"),
        ("scope: orders", "did you mean `/apis/orders`?"),
        (
            "scopes: [/products/startr]",
            "did you mean `/products/starter`?",
        ),
        ("scope: /apis/order", "did you mean `/apis/orders`?"),
        (
            "scope: /, expires: 2027-01-01T00:00:00Z",
            "unknown field `expires`: ",
        ),
        ("scope: /, meta_data: {}", "did you mean `metadata`?"),
    ] {
        let issues = issues(Format::Yaml, with(fields));
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert!(issues[0].contains(expected), "{fields}: {issues:?}");
    }
    // Anything else in the place of a scope could be a key.
    let issues = issues(Format::Yaml, with("scope: 264a41411c0b43e7"));
    assert!(!issues[0].contains("264a"), "{issues:?}");
}

#[test]
fn null_is_absent_wherever_a_field_is_optional() {
    let json = r#"{"format": null, "products": null,
        "apis": [{"id": "a", "path": "/", "display_name": null, "subscription_required": null,
                  "key_names": {"header": null, "query": "k"}, "metadata": null}],
        "subscriptions": [{"id": "s", "scope": null, "scopes": ["/"], "owner": null, "state": null,
            "primary_key": {"value": "k", "sha256": null, "env": null, "file": null, "expires_at": null},
            "secondary_key": null, "retired_keys": null, "not_before": null, "expires_at": null}]}"#;
    let catalog = parse(json, Format::Json).unwrap();
    assert!(catalog.subscription("s").unwrap().owner().is_none());
    let yaml = "apis: [{id: a, path: /, display_name: ~, metadata: }]\nproducts:\n";
    assert!(parse(yaml, Format::Yaml).is_ok());
    // What is required is missing if it is null.
    assert_issues(
        Format::Json,
        r#"{"apis": [{"id": null, "path": null}]}"#,
        &[
            "1:11: API number 1: `id` is missing",
            "1:11: API number 1: `path` is missing",
        ],
    );
}

#[test]
fn issue_has_a_subject_a_field_a_span_and_advice() {
    let text = "[[apis]]\nid = \"a\"\npath = \"/\"\nkey_names = { header = \"X Key\" }\n";
    let error = parse(text, Format::Toml).unwrap_err();
    let [issue] = error.issues() else {
        panic!("{error}")
    };
    assert_eq!(issue.subject(), Some("API \"a\""));
    assert_eq!(issue.field(), Some("key_names, header"));
    assert_eq!(&text[issue.span()], "\"X Key\"");
    assert_eq!(issue.message(), "this is not a header name");
    assert!(issue.advice().unwrap().contains("X-Api-Key"));
    assert_eq!(issue.file(), None);
}

#[test]
fn positions_of_a_good_document_are_the_same_in_every_format() {
    let json = r#"{"apis": [{"id": "a", "path": "/"}], "subscriptions": [
  {"id": "s", "scopes": ["/", "/apis"], "primary_key": {"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}]}"#;
    let yaml = "apis:\n- {id: a, path: /}\nsubscriptions:\n- id: s\n  scopes: [/, /apis]\n  primary_key: k";
    let toml = "[[apis]]\nid = 'a'\npath = '/'\n[[subscriptions]]\nid = 's'\nscopes = ['/', '/apis']\nprimary_key = 'k'";
    let s = Entity::new(EntityKind::Subscription, 0, "s");
    let fields = [
        Field::Id,
        Field::Scope(1),
        Field::Key(KeySlot::Primary),
        Field::Metadata,
    ];
    for (text, format, expected) in [
        (json, Format::Json, [(2, 10), (2, 31), (2, 56), (2, 3)]),
        (yaml, Format::Yaml, [(4, 7), (5, 15), (6, 16), (4, 3)]),
        (toml, Format::Toml, [(5, 6), (6, 16), (7, 15), (4, 1)]),
    ] {
        let positions = Positions::of(text, format).unwrap();
        let found = fields.map(|field| {
            let found = positions.find(&s, field).unwrap();
            (found.line, found.column)
        });
        assert_eq!(found, expected, "{format:?}");
        let other = Entity::new(EntityKind::Subscription, 1, "t");
        assert!(positions.find(&other, Field::Id).is_none());
    }
}
