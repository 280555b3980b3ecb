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
    // The list above is complete.
    let fish = ran(&["completions", "fish"]).expect(0).out;
    let top = fish
        .lines()
        .filter(|line| line.contains("needs_command\" -f -a "));
    assert_eq!(top.count(), 19 + groups.len(), "{fish}");
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
fn completions_of_each_shell_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ran(&["completions", shell]).expect(0).out;
        assert!(
            script.contains("regenerate") && script.contains("grace"),
            "{shell}"
        );
    }
}

/// The tool on a terminal, which shows it standard output and error.
fn on_a_terminal(home: &Home, command: &str, no_color: bool) -> Ran {
    let tool = assert_cmd::cargo::cargo_bin("subscription-key");
    let command = format!("stty cols 80 rows 24; {} {command}", tool.display());
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]);
    script
        .current_dir(home.folder())
        .env("TERM", "xterm")
        .env_remove("NO_COLOR");
    if no_color {
        script.env("NO_COLOR", "1");
    }
    let output = script.stdin(std::process::Stdio::null()).output();
    Ran::of(output.unwrap_or_else(|error| {
        panic!("cannot start `script`: {error}: install it (Debian: bsdutils)")
    }))
}

#[test]
fn colours_appear_on_a_terminal_unless_they_are_not_wanted() {
    let home = Home::with("c.toml", "[[apis]]\nid = 'a'\npath = '/a'\n");
    for command in ["check --catalog c.toml", "suspend x --catalog c.toml"] {
        let coloured = on_a_terminal(&home, command, false);
        assert!(coloured.out.contains('\u{1b}'), "{coloured:?}");
        let plain = on_a_terminal(&home, command, true);
        assert!(
            !plain.out.contains('\u{1b}') && plain.code == coloured.code,
            "{plain:?}"
        );
        let words: Vec<&str> = command.split(' ').collect();
        let piped = home.run(&words);
        assert!(
            !piped.out.contains('\u{1b}') && !piped.err.contains('\u{1b}'),
            "{piped:?}"
        );
    }
}
