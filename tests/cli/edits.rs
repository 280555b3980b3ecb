use crate::support::{CATALOG, Home, KEY};

/// The lines that only the first text has, and those that only the second has.
fn changed(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    let only = |one: &[&str], other: &[&str]| {
        let missing = one.iter().filter(|line| !other.contains(line));
        missing.map(|line| (*line).to_owned()).collect()
    };
    (only(&before, &after), only(&after, &before))
}

#[test]
fn new_entries_go_after_the_last_of_their_kind() {
    let home = Home::new();
    home.run(&[
        "apis",
        "add",
        "invoices",
        "--path",
        "/invoices",
        "--header",
        "X-Key",
    ])
    .expect(0);
    let added = "path = \"/orders\"\n\n[[apis]]\nid = \"invoices\"\npath = \"/invoices\"\nkey_names = { header = \"X-Key\" }\n\n[[products]]";
    assert!(home.text().contains(added), "{}", home.text());
}

#[test]
fn undo_of_each_addition_gives_the_old_bytes_back() {
    for words in [
        vec!["apis", "add", "invoices", "--path", "/invoices"],
        vec![
            "products",
            "add",
            "gold",
            "--api",
            "orders",
            "--published",
            "false",
        ],
        vec![
            "create",
            "--scope",
            "/products/starter",
            "--id",
            "new",
            "--owner",
            "bob",
        ],
        vec!["grant", "contoso", "/apis/orders"],
        vec!["suspend", "contoso"],
        vec![
            "subscriptions",
            "set",
            "contoso",
            "--name",
            "Contoso Ltd.",
            "--metadata",
            "n=5",
        ],
        vec!["subscriptions", "set", "contoso", "--owner", "jane"],
        vec!["apis", "set", "orders", "--subscription-required", "false"],
        vec!["apis", "set", "orders", "--path", "/o", "--query", "k"],
        vec![
            "products", "set", "starter", "--api", "echo", "--api", "orders",
        ],
        vec!["products", "set", "starter", "--published", "false"],
    ] {
        let home = Home::new();
        let ran = home.run(&words).expect(0);
        assert_ne!(home.text(), CATALOG, "{words:?}");
        home.shell(ran.undo()).expect(0);
        assert_eq!(home.text(), CATALOG, "{words:?}");
    }
}

#[test]
fn change_touches_only_its_own_line() {
    let home = Home::new();
    home.run(&["subscriptions", "set", "contoso", "--expires", "2098-01-01"])
        .expect(0);
    let (old, new) = changed(CATALOG, &home.text());
    assert_eq!(old, ["expires_at = \"2099-01-01T00:00:00Z\""]);
    assert_eq!(new, ["expires_at = \"2098-01-01T00:00:00Z\""]);
    let home = Home::new();
    home.run(&[
        "products", "set", "starter", "--api", "echo", "--api", "orders",
    ])
    .expect(0);
    assert!(
        home.text().contains("\"echo\",\n  \"orders\", # the first")
            || home.text().contains("\"echo\", # the first"),
        "{}",
        home.text()
    );
    assert!(home.text().contains("# the first"));
}

#[test]
fn regenerated_key_replaces_the_text_and_keeps_the_comment() {
    let home = Home::new();
    let ran = home
        .run(&[
            "regenerate",
            "contoso",
            "primary",
            "--grace",
            "1h",
            "--json",
        ])
        .expect(0);
    let text = home.text();
    assert!(!text.contains(KEY), "{text}");
    assert!(
        text.contains("primary_key = { sha256 = \"") && text.contains("\" } # to be hashed"),
        "{text}"
    );
    assert!(
        text.contains("retired_keys = [{ slot = \"primary\", sha256 = \""),
        "{text}"
    );
    let json = ran.json();
    assert_eq!(
        (&json["id"], &json["slot"]),
        (&"contoso".into(), &"primary".into())
    );
    assert!(json["replaced_key_expires_at"].is_string());
    let explain = ["explain", "--path", "/echo", "--key-stdin"];
    home.run_with(&explain, KEY).expect(0);
    home.run_with(&explain, json["key"].as_str().unwrap())
        .expect(0);
    home.run(&["regenerate", "contoso", "primary"]).expect(0);
    home.run_with(&explain, KEY).expect(1);
    assert!(!home.text().contains("retired_keys"));
}

#[test]
fn line_ends_and_a_missing_last_one_stay() {
    let crlf = CATALOG.replace('\n', "\r\n");
    let home = Home::with("c.toml", &crlf);
    let ran = home.run(&["create", "--scope", "/apis/echo"]).expect(0);
    assert_eq!(
        home.text().matches('\n').count(),
        home.text().matches("\r\n").count()
    );
    home.shell(ran.undo()).expect(0);
    assert_eq!(home.text(), crlf);
    let home = Home::with("c.toml", CATALOG.trim_end());
    let ran = home.run(&["create", "--scope", "/apis/echo"]).expect(0);
    assert!(!home.text().ends_with('\n'));
    home.shell(ran.undo()).expect(0);
    assert_eq!(home.text(), CATALOG.trim_end());
}

#[test]
fn interleaved_tables_stay_where_they_are() {
    let text = "[[apis]]\nid = \"a\"\npath = \"/a\"\n\n[[subscriptions]]\nid = \"s\"\nscope = \"/apis/a\"\n\n[subscriptions.primary_key]\nvalue = \"key-of-s\"\n\n[[apis]]\nid = \"b\"\npath = \"/b\"\n\n[apis.metadata]\ntier = 1\n\n[subscriptions.metadata]\nplan = \"x\" # why\n";
    for words in [
        vec!["apis", "add", "c", "--path", "/c"],
        vec!["create", "--scope", "/apis", "--id", "new"],
        vec!["suspend", "s"],
        vec!["apis", "set", "b", "--name", "B"],
    ] {
        let home = Home::with("c.toml", text);
        let ran = home.run(&words).expect(0);
        home.shell(ran.undo()).expect(0);
        assert_eq!(home.text(), text, "{words:?}");
    }
    let home = Home::with("c.toml", text);
    home.run(&["regenerate", "s", "primary"]).expect(0);
    assert!(!home.text().contains("key-of-s"), "{}", home.text());
    home.run(&["check"]).expect(0);
    let home = Home::with("c.toml", text);
    home.run(&["subscriptions", "remove", "s", "--yes"])
        .expect(0);
    assert_eq!(
        home.text(),
        "[[apis]]\nid = \"a\"\npath = \"/a\"\n\n[[apis]]\nid = \"b\"\npath = \"/b\"\n\n[apis.metadata]\ntier = 1\n"
    );
}

#[test]
fn json_keeps_its_style() {
    for text in [
        "{\n  \"apis\": [\n    {\n      \"id\": \"a\",\n      \"path\": \"/a\"\n    }\n  ],\n  \"products\": [],\n  \"subscriptions\": []\n}\n",
        "{\n\t\"apis\": [\n\t\t{ \"id\": \"a\", \"path\": \"/a\" }\n\t]\n}\n",
        "{\"apis\":[{\"id\":\"a\",\"path\":\"/a\"}],\"products\":[],\"subscriptions\":[]}",
        "{\"apis\":[{\"id\":\"a\",\"path\":\"/a\"}]}",
    ] {
        for words in [
            vec!["apis", "add", "b", "--path", "/b"],
            vec!["products", "add", "p", "--api", "a"],
            vec!["create", "--scope", "/apis", "--id", "new"],
            vec!["apis", "set", "a", "--name", "A \"quoted\" name"],
        ] {
            let home = Home::with("c.json", text);
            let ran = home.run(&words).expect(0);
            home.run(&["check"]);
            assert!(serde_json::from_str::<serde_json::Value>(&home.text()).is_ok());
            home.shell(ran.undo()).expect(0);
            assert_eq!(home.text(), text, "{words:?}");
        }
    }
    let home = Home::with(
        "c.json",
        "{\n  \"apis\": [\n    {\n      \"id\": \"a\",\n      \"path\": \"/a\"\n    }\n  ]\n}\n",
    );
    home.run(&["apis", "add", "b", "--path", "/b"]).expect(0);
    assert_eq!(
        home.text(),
        "{\n  \"apis\": [\n    {\n      \"id\": \"a\",\n      \"path\": \"/a\"\n    },\n    {\n      \"id\": \"b\",\n      \"path\": \"/b\"\n    }\n  ]\n}\n"
    );
}

#[test]
fn yaml_is_read_and_not_edited() {
    let text = "apis:\n- {id: a, path: /a}\n";
    let home = Home::with("c.yaml", text);
    home.run(&["apis", "list"]).expect(0);
    let ran = home.run(&["apis", "add", "b", "--path", "/b"]).expect(1);
    assert!(
        ran.err.contains("YAML") && ran.err.contains("export"),
        "{ran:?}"
    );
    assert_eq!(home.text(), text);
    let toml = home.run(&["export", "--format", "toml"]).expect(0).out;
    let edited = Home::with("c.toml", &toml);
    edited.run(&["apis", "add", "b", "--path", "/b"]).expect(0);
}

#[test]
fn key_of_an_unset_variable_stays_a_reference() {
    let text = "[[apis]]\nid = \"a\"\npath = \"/a\"\n\n[[subscriptions]]\nid = \"s\"\nscope = \"/apis\"\nprimary_key = { env = \"NO_SUCH_KEY\" }\n";
    let home = Home::with("c.toml", text);
    home.run(&["suspend", "s"]).expect(0);
    assert!(
        home.text()
            .contains("primary_key = { env = \"NO_SUCH_KEY\" }\nstate = \"suspended\"")
    );
    home.run(&["check"]).expect(1);
    home.run(&["check", "--env-unset-ok"]).expect(0);
    let ran = home
        .run(&["regenerate", "s", "primary", "--grace", "1h"])
        .expect(1);
    assert!(ran.err.contains("--grace"), "{ran:?}");
    home.run(&["regenerate", "s", "primary"]).expect(0);
    assert!(!home.text().contains("NO_SUCH_KEY"));
}

#[test]
fn refused_change_leaves_the_file_and_standard_output_alone() {
    for (words, cause) in [
        (vec!["activate", "contoso"], "active"),
        (vec!["revoke", "contoso", "/products/starter"], "last"),
        (vec!["apis", "add", "echo", "--path", "/x"], "exists"),
        (vec!["apis", "add", "x", "--path", "/echo"], "echo"),
        (vec!["products", "remove", "starter"], "contoso"),
        (vec!["suspend", "contos"], "contoso"),
        (vec!["create", "--scope", "/products/startr"], "starter"),
        (
            vec!["create", "--scope", "/apis", "--id", "contoso"],
            "exists",
        ),
    ] {
        let home = Home::new();
        let mut words = words;
        words.push("--json");
        let ran = home.run(&words).expect(1);
        assert!(
            ran.out.is_empty() && ran.err.contains(cause),
            "{words:?}: {ran:?}"
        );
        assert_eq!(home.text(), CATALOG);
    }
}

#[test]
fn removal_takes_subscriptions_along_if_asked() {
    let home = Home::new();
    home.run(&["products", "remove", "starter", "--with-subscriptions"])
        .expect(0);
    assert!(!home.text().contains("contoso") && !home.text().contains("starter"));
}

#[test]
fn states_follow_their_transitions() {
    let home = Home::new();
    for (command, state) in [
        ("suspend", "suspended"),
        ("activate", "active"),
        ("cancel", "cancelled"),
        ("activate", "active"),
    ] {
        let json = home.run(&[command, "contoso", "--json"]).expect(0).json();
        assert_eq!(json["state"], state, "{command}");
    }
    assert_eq!(home.text(), CATALOG);
    let submitted = CATALOG.replace("expires_at =", "state = \"submitted\"\nexpires_at =");
    let home = Home::with("c.toml", &submitted);
    let ran = home
        .run(&["reject", "contoso", "--comment", "not now"])
        .expect(0);
    assert!(ran.err.contains("--comment"), "{ran:?}");
    assert!(home.text().contains("state = \"rejected\""));
}
