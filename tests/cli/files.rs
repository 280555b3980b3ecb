use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

use crate::support::{CATALOG, Home, Ran, bare};

fn names(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.folder()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn mode_link_and_folder_stay_as_they_are() {
    let home = Home::new();
    let link = home.folder().join("link.toml");
    symlink("catalog.toml", &link).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(home.path()).unwrap();
    home.run(&["suspend", "contoso", "--catalog", "link.toml"])
        .expect(0);
    assert!(
        fs::symlink_metadata(&link)
            .unwrap()
            .file_type()
            .is_symlink()
    );
    let after = fs::metadata(home.path()).unwrap();
    assert_eq!(
        (before.mode(), before.uid(), before.gid()),
        (after.mode(), after.uid(), after.gid())
    );
    assert_ne!(before.ino(), after.ino());
    assert!(home.text().contains("suspended"));
    assert_eq!(
        names(&home),
        [".catalog.toml.lock", "catalog.toml", "link.toml"]
    );
}

#[test]
fn owner_and_group_stay_if_the_tool_may_keep_them() {
    let home = Home::new();
    if std::os::unix::fs::chown(home.path(), Some(12), Some(34)).is_err() {
        return;
    }
    home.run(&["suspend", "contoso"]).expect(0);
    let after = fs::metadata(home.path()).unwrap();
    assert_eq!((after.uid(), after.gid()), (12, 34));
}

#[test]
fn what_cannot_be_written_or_read_ends_with_3() {
    let home = Home::new();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o444)).unwrap();
    let ran = home.run(&["suspend", "contoso"]).expect(3);
    assert!(ran.err.contains("read-only"), "{ran:?}");
    assert_eq!(home.text(), CATALOG);
    let home = Home::new();
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o555)).unwrap();
    home.run(&["suspend", "contoso"]).expect(3);
    assert_eq!(
        (home.text(), names(&home)),
        (CATALOG.to_owned(), vec!["catalog.toml".to_owned()])
    );
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = Home::empty("none.toml");
    for words in [
        vec!["apis", "list"],
        vec!["suspend", "x"],
        vec!["create", "--scope", "/apis"],
        vec!["check"],
    ] {
        home.run(&words).expect(3);
    }
    assert!(names(&home).is_empty());
}

#[test]
fn broken_file_ends_with_1_and_its_place() {
    let home = Home::with("c.toml", "[[apis]]\nid = \"a\"\npth = \"/a\"\n");
    let ran = home.run(&["apis", "list"]).expect(1);
    assert!(ran.err.contains("c.toml:3:"), "{ran:?}");
    home.run(&["suspend", "x"]).expect(1);
}

#[test]
fn first_api_makes_the_file() {
    for name in ["new.toml", "new.json"] {
        let home = Home::empty(name);
        home.run(&["apis", "add", "echo", "--path", "/echo"])
            .expect(0);
        home.run(&["apis", "add", "orders", "--path", "/orders"])
            .expect(0);
        home.run(&["create", "--scope", "/apis"]).expect(0);
        let listed = home.run(&["apis", "list", "--json"]).expect(0).json();
        let ids: Vec<&str> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|api| api["id"].as_str())
            .collect();
        assert_eq!(ids, ["echo", "orders"]);
    }
}

#[test]
fn first_api_of_a_file_is_undone_by_removing_the_file() {
    let home = Home::empty("new.toml");
    let ran = home
        .run(&["apis", "add", "echo", "--path", "/echo"])
        .expect(0);
    assert_eq!(home.text(), "[[apis]]\nid = \"echo\"\npath = \"/echo\"\n");
    home.shell(ran.undo()).expect(0);
    assert!(!home.path().exists());
}

#[test]
fn concurrent_edits_lose_nothing() {
    let home = Home::new();
    let tool = assert_cmd::cargo::cargo_bin("subscription-key");
    let children: Vec<_> = (0..8)
        .map(|n| {
            let id = format!("s{n}");
            Command::new(&tool)
                .args(["create", "--scope", "/apis/echo", "--id", &id, "--catalog"])
                .arg(home.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let listed = home
        .run(&["subscriptions", "list", "--json"])
        .expect(0)
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 9);
}

#[test]
fn killed_edit_leaves_the_old_file_or_the_new_one() {
    let home = Home::new();
    let tool = assert_cmd::cargo::cargo_bin("subscription-key");
    for n in 0..20 {
        let before = home.text();
        let mut child = Command::new(&tool)
            .args([
                "create",
                "--scope",
                "/apis/echo",
                "--id",
                &format!("k{n}"),
                "--catalog",
            ])
            .arg(home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // At another moment of the edit in each round.
        for _ in 0..n {
            let _ = child.try_wait().unwrap();
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let after = home.text();
        assert!(
            after == before || after.contains(&format!("\"k{n}\"")),
            "{after}"
        );
        home.run(&["subscriptions", "list"]).expect(0);
    }
    home.run(&["suspend", "contoso"]).expect(0);
    let shown: Vec<String> = names(&home)
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(shown, ["catalog.toml"]);
}

#[test]
fn nothing_waits_for_standard_input_that_was_not_asked_for() {
    let home = Home::new();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("subscription-key"))
        .args([
            "products",
            "remove",
            "starter",
            "--with-subscriptions",
            "--catalog",
        ])
        .arg(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its standard input stays open.
    assert!(child.wait().unwrap().success());
}

#[test]
fn export_reads_back_as_the_same_catalog() {
    let home = Home::new();
    let before = home
        .run(&["subscriptions", "list", "--json"])
        .expect(0)
        .json();
    for name in ["out.toml", "out.json", "out.yaml"] {
        home.run(&["export", "--output", name]).expect(0);
        let listed = home
            .run(&["subscriptions", "list", "--json", "--catalog", name])
            .expect(0)
            .json();
        assert_eq!(listed, before, "{name}");
        let text = fs::read_to_string(home.folder().join(name)).unwrap();
        assert!(!text.contains("264a4141"), "{name}");
    }
    bare(&["export", "--catalog", "/no/such.toml"])
        .assert()
        .code(3);
}

#[test]
fn yaml_catalog_with_an_unset_variable_is_not_imported() {
    let text = "apis: [{id: a, path: /a}]
subscriptions: [{id: s, scope: /apis, primary_key: {env: NO_SUCH_KEY}}]
";
    let home = Home::with("c.yaml", text);
    let words = ["import", "catalog", "c.yaml", "--catalog", "new.toml"];
    let ran = home.run(&words).expect(1);
    assert!(ran.err.contains("NO_SUCH_KEY"), "{ran:?}");
    let set = home
        .tool(&words)
        .env("NO_SUCH_KEY", "a-key-of-the-environment")
        .output();
    Ran::of(set.unwrap()).expect(0);
}
