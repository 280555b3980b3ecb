//! Bounds on what a broken document costs.

use tower_subscription_key::document::{Format, Source, parse, parse_all};

use crate::{Machine, assert_issues, issues};

/// A JSON document with that many subscriptions, each with those fields.
fn document(subscriptions: usize, fields: impl Fn(usize) -> String) -> String {
    let entries: Vec<String> = (0..subscriptions)
        .map(|n| {
            format!(
                r#"{{"id": "s{n}", "scope": "/", "primary_key": "k{n}"{}}}"#,
                fields(n)
            )
        })
        .collect();
    let entries = entries.join(",\n");
    format!("{{\"apis\": [{{\"id\": \"a\", \"path\": \"/\"}}],\n\"subscriptions\": [\n{entries}]}}")
}

#[test]
fn issues_beyond_a_thousand_are_counted() {
    let text = document(3_500, |_| r#", "plan": 1"#.into());
    let error = parse(text, Format::Json).unwrap_err();
    assert_eq!((error.issues().len(), error.more()), (1_000, 2_500));
    assert_eq!(error.to_string().lines().last(), Some("and 2500 more"));
    let summary = error.summary();
    assert!(
        summary.starts_with("3:49: subscription \"s0\": unknown field"),
        "{summary}"
    );
    assert!(summary.ends_with("(and 3499 more problems)"), "{summary}");
}

#[test]
fn broken_rules_beyond_a_thousand_are_counted_too() {
    let text =
        document(3_500, |_| String::new()).replace("\"scope\": \"/\"", "\"scope\": \"/apis/b\"");
    let error = parse(text, Format::Json).unwrap_err();
    assert_eq!((error.issues().len(), error.more()), (1_000, 2_500));
}

#[test]
fn one_mistake_in_a_long_document_is_found_at_its_place() {
    // Long enough to be read in parts.
    let subscriptions = 45_000;
    for n in [0, 31_415, 44_999] {
        let text = document(subscriptions, |m| {
            if m == n {
                r#", "stat": 1"#.into()
            } else {
                String::new()
            }
        });
        assert!(text.len() > 2 << 20);
        let line = n + 3;
        let expected =
            format!("subscription \"s{n}\": unknown field `stat`: did you mean `state`?");
        let error = parse(text, Format::Json).unwrap_err();
        let [issue] = error.issues() else {
            panic!("{error}")
        };
        assert_eq!(issue.line(), line);
        assert!(issue.to_string().ends_with(&expected), "{issue}");
    }
}

#[test]
fn mistakes_between_far_entries_are_found_at_their_places() {
    let text = document(60_000, |_| String::new()).replace("\"k59999\"", "\"k7\"");
    let error = parse(text, Format::Json).unwrap_err();
    let [issue] = error.issues() else {
        panic!("{error}")
    };
    assert_eq!((issue.line(), issue.column()), (60_002, 47));
    assert!(
        issue
            .message()
            .contains("already the primary key of subscription \"s7\"")
    );
}

#[test]
fn list_of_anything_but_tables_is_one_issue() {
    for (list, noun) in [
        ("apis", "API"),
        ("products", "product"),
        ("subscriptions", "subscription"),
    ] {
        let text = format!(r#"{{"{list}": [{}0]}}"#, "0,".repeat(1 << 20));
        let expected = format!(
            "1:{}: {noun} number 1: must be a table, not a number",
            list.len() + 7
        );
        let issues = issues(Format::Json, text);
        assert!(issues.contains(&expected), "{issues:?}");
        assert!(issues.len() <= 2);
    }
}

#[test]
fn huge_entry_is_refused_without_a_description() {
    let zeros = "0,".repeat(1 << 20);
    let text = document(1, |_| format!(r#", "metadata": {{"a": [{zeros}0]}}"#));
    assert_issues(
        Format::Json,
        text,
        &["3:1: something in this entry is wrong, and it is too large"],
    );
}

#[test]
fn entry_of_unknown_fields_is_cut_short() {
    let fields: String = (0..5_000).map(|n| format!(r#", "zz{n}": 1"#)).collect();
    let issues = issues(Format::Json, document(1, |_| fields.clone()));
    assert_eq!(issues.len(), 65);
    assert!(
        issues
            .iter()
            .any(|issue| issue.contains("too many other problems"))
    );
}

#[test]
fn anchors_of_yaml_are_counted_like_aliases() {
    // Every anchor keeps all that is inside it.
    let nested = (0..40).fold(format!("[{}0]", "0,".repeat(100_000)), |inner, n| {
        format!("[&a{n} {inner}]")
    });
    let text = format!("apis: [{{id: a, path: /, metadata: {{m: {nested}}}}}]");
    let issues = issues(Format::Yaml, text);
    assert_eq!(issues.len(), 1);
    assert!(
        issues[0].contains("aliases and anchors make this document too large"),
        "{issues:?}"
    );
}

#[test]
fn text_of_ids_in_messages_is_bounded() {
    let id = "x".repeat(1 << 20);
    let text = format!(
        r#"{{"apis": [{{"id": "{id}", "path": "/", "colour": 1}}], "products": [{{"id": "p", "apis": ["{id}y"]}}]}}"#
    );
    let error = parse(text, Format::Json).unwrap_err();
    assert!(
        error.to_string().len() < 5_000,
        "{}",
        error.to_string().len()
    );
}

#[test]
fn compressed_answer_is_named_as_such() {
    let error = parse(b"\x1f\x8b\x08\x00", Format::Json).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1:1: this is compressed (gzip), not text"
    );
}

#[test]
fn several_documents_are_one_catalog_and_issues_name_theirs() {
    let apis = Source::new("apis.yaml", Format::Yaml, b"apis:\n- {id: a, path: /a}\n");
    let products = Source::new(
        "p.toml",
        Format::Toml,
        b"[[products]]\nid = 'p'\napis = ['a']\n",
    );
    let good = br#"{"subscriptions": [{"id": "s", "scope": "/products/p", "primary_key": "k"}]}"#;
    let keys = Source::new("keys.json", Format::Json, good);
    let catalog = parse_all(&[apis, products, keys], &Machine).unwrap();
    assert_eq!(catalog.subscription_count(), 1);
    assert!(catalog.product("p").is_some());

    let bad = br#"{"subscriptions": [{"id": "s", "scope": "/products/q", "primary_key": "k"}]}"#;
    let keys = Source::new("keys.json", Format::Json, bad);
    let again = Source::new(
        "more.yaml",
        Format::Yaml,
        b"apis:\n- id: a\n  path: /b\n- id: b\n  path: c\n",
    );
    let error = parse_all(&[apis, products, keys, again], &Machine).unwrap_err();
    let begins: Vec<String> = error
        .issues()
        .iter()
        .map(|issue| {
            format!(
                "{}:{}:{}",
                issue.file().unwrap().display(),
                issue.line(),
                issue.column()
            )
        })
        .collect();
    assert_eq!(
        begins,
        ["keys.json:1:41", "more.yaml:2:7", "more.yaml:5:9"],
        "{error}"
    );
    assert_eq!(format!("{error:?}"), error.to_string());
}
