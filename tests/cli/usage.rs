use crate::support::{Home, KEY, Ran, bare};

fn ran(words: &[&str]) -> Ran {
    Ran::of(bare(words).output().unwrap())
}

#[test]
fn help_of_every_command_fits_a_screen() {
    let groups = ["apis", "products", "subscriptions"];
    let mut commands: Vec<Vec<&str>> = vec![vec![]];
    for command in [
        "check",
        "explain",
        "create",
        "regenerate",
        "suspend",
        "activate",
        "cancel",
        "approve",
        "reject",
        "grant",
        "revoke",
        "hash",
        "generate",
        "import",
        "export",
        "audit",
        "status",
        "replicas",
        "completions",
    ] {
        commands.push(vec![command]);
    }
    for group in groups {
        commands.push(vec![group]);
        for action in ["list", "show", "add", "set", "remove"] {
            commands.push(vec![group, action]);
        }
    }
    for command in commands {
        for flag in ["-h", "--help"] {
            let mut words = command.clone();
            words.push(flag);
            let help = ran(&words).expect(0).out;
            assert!(help.lines().count() <= 24, "{words:?}:\n{help}");
            let widest = help.lines().map(|line| line.chars().count()).max();
            assert!(widest.unwrap_or_default() <= 80, "{words:?}:\n{help}");
        }
    }
}

#[test]
fn wrong_usage_repeats_no_value() {
    for words in [
        vec!["create", "--scope", KEY],
        vec!["create", "--key", KEY],
        vec!["create", KEY],
        vec![KEY],
        vec!["hash", KEY],
        vec![
            "explain",
            "--path",
            "/echo?subscription-key=264a41411c0b43e782f483eb6f3eaeab",
        ],
        vec!["explain", "--path", "/echo", "--at", KEY],
        vec![
            "explain",
            "--path",
            "/echo",
            "--slot",
            KEY,
            "--subscription",
            "x",
        ],
        vec!["regenerate", "contoso", KEY],
        vec!["products", "add", "x", "--subscriptions-limit", KEY],
        vec!["products", "add", "x", "--published", KEY],
        vec!["apis", KEY],
        vec!["completions", KEY],
        vec!["subscriptions", "set", "x", "--unset", KEY],
    ] {
        let ran = ran(&words).expect(2);
        assert!(ran.out.is_empty(), "{words:?}: {ran:?}");
        assert!(
            !ran.err.is_empty() && !ran.err.contains(&KEY[..8]),
            "{words:?}: {ran:?}"
        );
    }
}

#[test]
fn target_is_one_catalog_or_one_database() {
    let neither = ran(&["apis", "list"]).expect(2);
    for way in [
        "--catalog",
        "--database",
        "SUBSCRIPTION_KEY_CATALOG",
        "SUBSCRIPTION_KEY_DATABASE",
    ] {
        assert!(neither.err.contains(way), "{neither:?}");
    }
    ran(&["apis", "list", "--catalog", "a.toml", "--database", "b.db"]).expect(2);
    let home = Home::new();
    let both = home
        .tool(&["apis", "list"])
        .env("SUBSCRIPTION_KEY_DATABASE", "b.db")
        .output();
    Ran::of(both.unwrap()).expect(2);
    // A flag wins over the environment, in any position.
    let path = home.path();
    let path = path.to_str().unwrap();
    for words in [
        ["--catalog", path, "apis", "list"],
        ["apis", "list", "--catalog", path],
    ] {
        let listed = bare(&words)
            .env("SUBSCRIPTION_KEY_DATABASE", "b.db")
            .output();
        assert!(Ran::of(listed.unwrap()).expect(0).out.contains("/orders"));
    }
}

#[test]
fn database_commands_refuse_a_file() {
    let home = Home::new();
    for command in ["audit", "status", "replicas"] {
        let ran = home.run(&[command]).expect(2);
        assert!(ran.err.contains("--database"), "{ran:?}");
    }
}

#[test]
fn unknown_command_offers_the_one_that_was_meant() {
    let ran = ran(&["explian"]).expect(2);
    assert!(ran.err.contains("`explain`"), "{ran:?}");
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            ran(&["completions", shell])
                .expect(0)
                .out
                .contains("regenerate"),
            "{shell}"
        );
    }
}

#[test]
fn colours_appear_only_on_a_terminal() {
    let ran = ran(&["apis", "list"]).expect(2);
    assert!(!ran.err.contains('\u{1b}'), "{ran:?}");
}
