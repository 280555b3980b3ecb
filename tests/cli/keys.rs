use std::process::{Command, Stdio};

use crate::support::{Home, KEY, Ran, bare};

const SHA256: &str = "f78f8ffb4a240e7d5638126b58447258e6e598519fbe415b22dedcdc7c1c7149";

fn with(words: &[&str], stdin: &str) -> Ran {
    Ran::of(bare(words).write_stdin(stdin).output().unwrap())
}

#[test]
fn hash_prints_the_digest_of_one_line() {
    for stdin in [KEY.to_owned(), format!("{KEY}\n"), format!("{KEY}\r\n")] {
        assert_eq!(with(&["hash"], &stdin).expect(0).out, format!("{SHA256}\n"));
    }
    let json = with(&["hash", "--json"], KEY).expect(0).json();
    assert_eq!(json, serde_json::json!({ "sha256": SHA256 }));
    let two = with(&["hash"], "one\ntwo\n").expect(2);
    assert!(!two.err.contains("two"), "{two:?}");
}

#[test]
fn hash_refuses_what_no_client_can_send() {
    for stdin in ["", "  key", "${KEY}", &"x".repeat(257)] {
        let ran = with(&["hash"], stdin).expect(1);
        assert!(ran.out.is_empty() && !ran.err.contains("xxx"), "{ran:?}");
    }
}

#[test]
fn generate_prints_a_new_key_each_time() {
    let one = with(&["generate"], "").expect(0).out;
    let other = with(&["generate"], "").expect(0).out;
    assert_eq!(one.trim().len(), 32);
    assert_ne!(one, other);
    let json = with(&["generate", "--prefix", "acme", "--json"], "")
        .expect(0)
        .json();
    let key = json["key"].as_str().unwrap();
    assert!(key.starts_with("acme_") && key.len() == "acme_".len() + 36);
    assert_eq!(
        with(&["hash"], key).out.trim(),
        json["sha256"].as_str().unwrap()
    );
    with(&["generate", "--prefix", "acme_"], "").expect(2);
}

#[test]
fn keys_are_taken_from_standard_input_one_a_line() {
    let home = Home::new();
    let add = ["subscriptions", "add", "fabrikam", "--scope", "/apis/echo"];
    home.run_with(&add, "one-two-three\nfour-five-six\n")
        .expect(0);
    let shown = home
        .run(&["subscriptions", "show", "fabrikam", "--json"])
        .expect(0)
        .json();
    assert_eq!(shown["keys"].as_array().unwrap().len(), 2);
    for (key, code) in [("one-two-three", 0), ("four-five-six", 0), ("seven", 1)] {
        home.run_with(&["explain", "--path", "/echo", "--key-stdin"], key)
            .expect(code);
    }
    let three = ["subscriptions", "add", "x", "--scope", "/apis"];
    home.run_with(&three, "a\nb\nc\n").expect(2);
    assert!(!home.text().contains("one-two-three"));
}

#[test]
fn digests_are_taken_instead_of_keys() {
    let home = Home::with("c.toml", "[[apis]]\nid = 'echo'\npath = '/echo'\n");
    let add = [
        "subscriptions",
        "add",
        "moved",
        "--scope",
        "/apis",
        "--digests",
    ];
    home.run_with(&add, SHA256).expect(0);
    home.run_with(&["explain", "--path", "/echo", "--key-stdin"], KEY)
        .expect(0);
    home.run_with(
        &["subscriptions", "add", "x", "--scope", "/apis", "--digests"],
        "abc",
    )
    .expect(1);
}

#[test]
fn keys_that_cannot_be_printed_end_with_3_and_the_record_exists() {
    let home = Home::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin("subscription-key"))
        .args([
            "create",
            "--scope",
            "/apis/echo",
            "--id",
            "new",
            "--catalog",
        ])
        .arg(home.path())
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped())
        .output();
    let ran = Ran::of(output.unwrap()).expect(3);
    assert!(ran.err.contains("regenerate"), "{ran:?}");
    home.run(&["subscriptions", "show", "new"]).expect(0);
}

#[test]
fn reader_that_has_left_ends_the_tool_quietly() {
    let home = Home::new();
    let ran = home.shell("subscription-key completions zsh | head -n 1");
    assert!(ran.err.is_empty(), "{ran:?}");
}
