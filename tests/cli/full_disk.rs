//! A disk that is full, as a limit on the size of files: writing beyond it fails.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Home, Ran};

/// More than the limit below.
fn long_catalog() -> String {
    let api = |n: usize| format!("[[apis]]\nid = \"a{n}\"\npath = \"/a{n}\" # as it is\n\n");
    (0..100).map(api).collect()
}

/// The tool with room for `blocks` of 512 bytes in each file. A write beyond them is
/// an error, or the end of the process.
fn limited(folder: &Path, blocks: usize, is_error: bool, words: &[&str]) -> std::process::Output {
    let signal = if is_error { "trap '' XFSZ; " } else { "" };
    let script = format!("{signal}ulimit -f {blocks} && exec \"$0\" \"$@\"");
    Command::new("dash")
        .args(["-c", &script])
        .arg(assert_cmd::cargo::cargo_bin("subscription-key"))
        .args(words)
        .current_dir(folder)
        .env_remove("SUBSCRIPTION_KEY_CATALOG")
        .env_remove("SUBSCRIPTION_KEY_DATABASE")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start dash: {error}: install it"))
}

/// The names and contents of all files but locks.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let kept = named.filter(|(name, _)| !name.ends_with(".lock"));
    let mut files: Vec<_> = kept
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn file_on_a_full_disk_stays_as_it_was() {
    let home = Home::with("catalog.toml", &long_catalog());
    let small = "[[apis]]\nid = \"one\"\npath = \"/one\"\n";
    fs::write(home.folder().join("small.toml"), small).unwrap();
    let before = files(home.folder());
    for words in [
        &["create", "--scope", "/apis", "--catalog", "catalog.toml"][..],
        &[
            "apis",
            "set",
            "a7",
            "--path",
            "/other",
            "--catalog",
            "catalog.toml",
        ],
        &["apis", "remove", "a7", "--yes", "--catalog", "catalog.toml"],
        &[
            "export",
            "--catalog",
            "catalog.toml",
            "--output",
            "new.json",
        ],
        &[
            "export",
            "--catalog",
            "catalog.toml",
            "--output",
            "small.toml",
        ],
        &["import", "catalog", "catalog.toml", "--catalog", "new.toml"],
        &[
            "import",
            "catalog",
            "catalog.toml",
            "--catalog",
            "small.toml",
        ],
    ] {
        let ran = Ran::of(limited(home.folder(), 1, true, words)).expect(3);
        assert!(ran.out.is_empty(), "{words:?}: {ran:?}");
        assert!(
            ran.err.contains("cannot write ") && ran.err.contains("too large"),
            "{ran:?}"
        );
        assert!(files(home.folder()) == before, "{words:?}");
    }
}

#[test]
fn file_stays_as_it_was_if_the_limit_ends_the_process() {
    let home = Home::with("catalog.toml", &long_catalog());
    let words = ["create", "--scope", "/apis", "--catalog", "catalog.toml"];
    let output = limited(home.folder(), 1, false, &words);
    assert!(output.status.signal().is_some(), "{output:?}");
    assert_eq!(home.text(), long_catalog());
    // The next edit removes the files that the process left behind.
    home.run(&words).expect(0);
    let names: Vec<String> = files(home.folder())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["catalog.toml"]);
}

#[test]
fn database_on_a_full_disk_keeps_its_content() {
    let home = Home::with("catalog.toml", &long_catalog());
    let subscription = |n: usize| {
        format!(
            "[[subscriptions]]\nid = \"s{n}\"\nscope = \"/apis\"\nprimary_key = \"key-{n:05}\"\n"
        )
    };
    let many = long_catalog() + &(0..3_000).map(subscription).collect::<String>();
    fs::write(home.folder().join("many.toml"), many).unwrap();
    let database = ["--database", "keys.db"];
    let on = |words: &[&str]| home.run(&[words, &database[..]].concat());
    on(&["import", "catalog", "catalog.toml"]).expect(0);
    let before = on(&["export"]).expect(0).out;
    // Enough to open a database (its shared memory has 32 KiB), not to import many.
    let blocks = 128;
    let words = [&["import", "catalog", "many.toml"][..], &database].concat();
    let ran = Ran::of(limited(home.folder(), blocks, true, &words)).expect(3);
    assert!(
        ran.out.is_empty() && ran.err.contains("database could not be"),
        "{ran:?}"
    );
    assert_eq!(on(&["export"]).expect(0).out, before);
    on(&["import", "catalog", "many.toml"]).expect(0);
    // Also for a new database: the next command completes an unfinished one.
    let words = ["import", "catalog", "many.toml", "--database", "new.db"];
    Ran::of(limited(home.folder(), blocks, true, &words)).expect(3);
    home.run(&words).expect(0);
}
