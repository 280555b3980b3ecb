use crate::support::{CATALOG, Home};

#[test]
fn findings_are_lines_with_their_places() {
    let home = Home::new();
    let ran = home.run(&["check"]).expect(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(
        lines[0].starts_with("catalog.toml:7:1: warning[api-unreachable]: API \"orders\": "),
        "{ran:?}"
    );
    assert!(
        lines[1].starts_with(
            "catalog.toml:21:15: note[plaintext-key]: subscription \"contoso\", primary_key: "
        ),
        "{ran:?}"
    );
    assert_eq!(lines.len(), 2);
    home.run(&["check", "--deny-warnings"]).expect(1);
    let allowed = [
        "check",
        "--deny-warnings",
        "--allow",
        "api-unreachable",
        "--allow",
        "plaintext-key",
    ];
    assert!(home.run(&allowed).expect(0).out.is_empty());
    home.run(&["check", "--allow", "no-such-code"]).expect(2);
}

#[test]
fn findings_as_json_have_all_fields() {
    let json = Home::new().run(&["check", "--json"]).expect(0).json();
    let finding = &json.as_array().unwrap()[0];
    for field in [
        "code", "level", "entity", "field", "line", "column", "message", "advice",
    ] {
        assert!(finding.get(field).is_some(), "{field}: {finding}");
    }
    assert_eq!(
        (&finding["line"], &finding["column"]),
        (&7.into(), &1.into())
    );
}

#[test]
fn problems_are_errors_and_all_of_them_are_shown() {
    let text = CATALOG
        .replace("apis = [\n  \"echo\",", "apis = [\n  \"ecko\",")
        .replace(
            "scope = \"/products/starter\"",
            "scop = \"/products/starter\"",
        );
    let home = Home::with("c.toml", &text);
    let ran = home.run(&["check"]).expect(1);
    assert!(
        ran.out.lines().all(|line| line.contains(": error[")),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("ecko") && ran.out.contains("`scop`"),
        "{ran:?}"
    );
    let json = home.run(&["check", "--json"]).expect(1).json();
    assert_eq!(json.as_array().unwrap().len(), ran.out.lines().count());
    assert!(
        json.as_array()
            .unwrap()
            .iter()
            .all(|finding| finding["level"] == "error")
    );
}

#[test]
fn weak_keys_are_found_in_every_format() {
    for (name, text) in [
        (
            "c.toml",
            "[[apis]]\nid = 'a'\npath = '/a'\n[[subscriptions]]\nid = 's'\nscope = '/apis'\nprimary_key = 'secret'\n",
        ),
        (
            "c.json",
            "{\"apis\":[{\"id\":\"a\",\"path\":\"/a\"}],\"subscriptions\":[{\"id\":\"s\",\"scope\":\"/apis\",\"primary_key\":{\"value\":\"secret\"}}]}",
        ),
        (
            "c.yaml",
            "apis: [{id: a, path: /a}]\nsubscriptions: [{id: s, scope: /apis, primary_key: secret}]\n",
        ),
    ] {
        let ran = Home::with(name, text).run(&["check"]).expect(0);
        assert!(ran.out.contains("warning[weak-key]"), "{ran:?}");
        assert!(!ran.out.contains("secret"), "{ran:?}");
    }
}
