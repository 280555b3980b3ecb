use crate::support::{Home, KEY, Ran, bare};

/// A folder with a catalog, and its contents in a new SQLite database.
fn imported() -> Home {
    let home = Home::new();
    on(&home, &["import", "catalog", "catalog.toml"]).expect(0);
    home
}

fn on(home: &Home, words: &[&str]) -> Ran {
    let mut tool = bare(words);
    tool.current_dir(home.folder());
    tool.args(["--database", "keys.db"]);
    Ran::of(tool.output().unwrap())
}

fn explain(home: &Home, key: &str) -> Ran {
    let mut tool = bare(&[
        "explain",
        "--path",
        "/echo",
        "--key-stdin",
        "--database",
        "keys.db",
    ]);
    Ran::of(
        tool.current_dir(home.folder())
            .write_stdin(key)
            .output()
            .unwrap(),
    )
}

#[test]
fn only_an_import_makes_a_database() {
    let home = Home::new();
    for words in [
        vec!["apis", "list"],
        vec!["status"],
        vec!["apis", "add", "x", "--path", "/x"],
    ] {
        on(&home, &words).expect(3);
    }
    on(&home, &["import", "catalog", "catalog.toml", "--dry-run"]).expect(0);
    assert!(!home.folder().join("keys.db").exists());
}

#[test]
fn imported_catalog_decides_as_the_file_does() {
    let home = imported();
    explain(&home, KEY).expect(0);
    let listed = on(&home, &["apis", "list", "--json"]).expect(0).json();
    assert_eq!(
        listed,
        home.run(&["apis", "list", "--json"]).expect(0).json()
    );
    // The same content again changes nothing.
    let again = on(&home, &["import", "catalog", "catalog.toml", "--json"])
        .expect(0)
        .json();
    assert_eq!(again["imported"]["apis"], 0);
}

#[test]
fn commands_change_the_database_and_are_audited() {
    let home = imported();
    let created = on(
        &home,
        &[
            "create",
            "--scope",
            "/apis/echo",
            "--id",
            "new",
            "--json",
            "--caller",
            "tests",
        ],
    )
    .expect(0)
    .json();
    let key = created["primary_key"].as_str().unwrap();
    explain(&home, key).expect(0);
    on(&home, &["suspend", "new"]).expect(0);
    explain(&home, key).expect(1);
    on(&home, &["suspend", "new"]).expect(1);
    let audit = on(&home, &["audit", "--record", "subscriptions/new", "--json"]).expect(0);
    assert!(!audit.out.contains(key), "{audit:?}");
    let entries = audit.json();
    let entries = entries.as_array().unwrap();
    let operations: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["operation"].as_str().unwrap(),
                entry["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        operations,
        [
            ("suspend", "refused"),
            ("suspend", "accepted"),
            ("create", "accepted")
        ]
    );
    assert_eq!(entries[2]["caller"]["id"], "tests");
    assert!(
        entries[0]["caller"]["id"]
            .as_str()
            .unwrap()
            .starts_with("cli:")
    );
    on(&home, &["replicas"]).expect(0);
    let status = on(&home, &["status", "--json"]).expect(0).json();
    assert_eq!(
        (&status["status"], &status["apis"]),
        (&"ok".into(), &2.into())
    );
}

#[test]
fn what_only_a_database_keeps_is_set_and_shown() {
    let home = imported();
    let set = [
        "products",
        "set",
        "starter",
        "--terms",
        "Be kind",
        "--subscriptions-limit",
        "1",
    ];
    on(&home, &set).expect(0);
    let shown = on(&home, &["products", "show", "starter", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        (&shown["terms"], &shown["subscriptions_limit"]),
        (&"Be kind".into(), &1.into())
    );
    // Contoso is the one.
    let second = on(&home, &["create", "--scope", "/products/starter"]).expect(1);
    assert!(second.err.contains("--subscriptions-limit"), "{second:?}");
    on(&home, &["cancel", "contoso"]).expect(0);
    on(
        &home,
        &["create", "--scope", "/products/starter", "--id", "next"],
    )
    .expect(0);
    on(&home, &["activate", "contoso"]).expect(1);
    let shown = on(&home, &["subscriptions", "show", "next", "--json"]).expect(0);
    assert!(
        shown.json()["started_at"].is_string() && !shown.out.contains("sha256"),
        "{shown:?}"
    );
    let near = on(&home, &["subscriptions", "show", "nex"]).expect(1);
    assert!(near.err.contains("\"next\""), "{near:?}");
}

#[test]
fn import_into_a_database_resolves_variables_or_reports_them() {
    let home = Home::new();
    let kong = "services: [{name: s, routes: [{name: r, paths: [/r]}], plugins: [{name: key-auth}]}]
consumers: [{username: set, keyauth_credentials: [{key: $SET_KEY}]}, {username: unset, keyauth_credentials: [{key: $NOT_SET}]}]
";
    std::fs::write(home.folder().join("kong.yaml"), kong).unwrap();
    let mut tool = bare(&[
        "import",
        "kong",
        "kong.yaml",
        "--database",
        "keys.db",
        "--json",
    ]);
    let ran = tool
        .current_dir(home.folder())
        .env("SET_KEY", "key-of-the-environment")
        .output();
    let json = Ran::of(ran.unwrap()).expect(0).json();
    assert_eq!(json["imported"]["subscriptions"], 1);
    assert!(
        json["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .any(|out| out["id"] == "unset")
    );
    let listed = on(&home, &["subscriptions", "list", "--json"])
        .expect(0)
        .json();
    let ids: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["id"].as_str())
        .collect();
    assert!(ids.contains(&"set") && !ids.contains(&"unset"), "{ids:?}");
    // A file keeps both as references.
    home.run(&["import", "kong", "kong.yaml", "--catalog", "new.toml"])
        .expect(0);
    let text = std::fs::read_to_string(home.folder().join("new.toml")).unwrap();
    assert!(
        text.contains("{ env = \"SET_KEY\" }") && text.contains("{ env = \"NOT_SET\" }"),
        "{text}"
    );
}

#[test]
fn import_that_conflicts_writes_nothing_unless_it_replaces() {
    let home = imported();
    let changed = crate::support::CATALOG.replace("path = \"/orders\"", "path = \"/orders2\"");
    std::fs::write(home.folder().join("other.toml"), changed).unwrap();
    let ran = on(&home, &["import", "catalog", "other.toml"]).expect(1);
    assert!(
        ran.err.contains("\"orders\"") && ran.out.is_empty(),
        "{ran:?}"
    );
    on(
        &home,
        &["import", "catalog", "other.toml", "--replace", "--dry-run"],
    )
    .expect(0);
    assert!(
        !on(&home, &["apis", "list"])
            .expect(0)
            .out
            .contains("/orders2")
    );
    on(&home, &["import", "catalog", "other.toml", "--replace"]).expect(0);
    assert!(
        on(&home, &["apis", "list"])
            .expect(0)
            .out
            .contains("/orders2")
    );
}

#[test]
fn database_without_an_answer_ends_with_3_and_shows_no_password() {
    // A port that takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://jane:hunter2@127.0.0.1:{port}/keys");
    let ran = Ran::of(bare(&["status", "--database", &url]).output().unwrap()).expect(3);
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
    drop(silent);
    let ran = Ran::of(bare(&["status", "--database", &url]).output().unwrap()).expect(3);
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
}
