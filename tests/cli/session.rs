//! The session of the README.

use std::process::{Command, Stdio};

/// The block of the README with the session.
fn block() -> &'static str {
    let readme = include_str!("../../README.md");
    let begin = "```console\n$ export SUBSCRIPTION_KEY_CATALOG";
    let at = readme.find(begin).expect("the README has the session");
    let block = &readme[at + "```console\n".len()..];
    &block[..block.find("```").expect("the session ends")]
}

/// Keys and times differ from run to run.
fn normalised(text: &str) -> String {
    let word = |word: &str| {
        let is_key = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_time = word.len() >= 20 && word.starts_with("20") && word.ends_with('Z');
        match (is_key, is_time) {
            (true, _) => "KEY".to_owned(),
            (_, true) => "TIME".to_owned(),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n";
    text.lines().map(line).collect()
}

#[test]
fn session_of_the_readme_prints_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let tool = assert_cmd::cargo::cargo_bin("subscription-key");
    let path = format!("{}:/usr/bin:/bin", tool.parent().unwrap().display());
    let commands: Vec<&str> = block()
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    assert!(commands.len() >= 8, "{commands:?}");
    let script: String = commands
        .iter()
        .map(|command| format!("echo '$ {command}'\n{command}\n"))
        .collect();
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .current_dir(folder.path())
        .env("PATH", path)
        .env_remove("SUBSCRIPTION_KEY_DATABASE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "the last command: {output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (printed, shown) = (normalised(&printed), normalised(block()));
    // Names the first line that differs.
    for (printed, shown) in printed.lines().zip(shown.lines()) {
        assert_eq!(printed, shown);
    }
    assert_eq!(printed, shown);
}
