//! The command line and its output.

use std::io::{BufRead, Read};
use std::net::TcpListener;
use std::process::Command;

use super::process::{Answer, Echo, command, run};
use super::*;

#[test]
fn help_is_no_error() {
    for flag in ["--help", "-h"] {
        let (code, stdout, stderr) = run(&[flag]);
        assert_eq!((code, &*stderr), (Some(0), ""));
        for flag in [
            "--catalog",
            "--listen",
            "--strip",
            "--inapplicable-key",
            "--unmatched",
        ] {
            assert!(stdout.contains(flag), "{flag}");
        }
    }
}

#[test]
fn invalid_arguments_are_reported_with_the_usage_before_the_catalog_is_read() {
    for arguments in [
        &["--nonsense"][..],
        &["--catalogue", "x"],
        &["nonsense"],
        &["-x"],
        &["--catalog"],
        &["--listen"],
        &["--listen", "3000"],
        &["--listen", "127.0.0.1"],
        &["--listen", "127.0.0.1:65536"],
        &["--listen="],
        &["--strip=yes"],
        &["--inapplicable-key", "refuse"],
        &["--inapplicable-key"],
        &["--unmatched", "Deny"],
        &["--unmatched="],
    ] {
        let arguments = [&["--catalog", "is-not-there.toml"][..], arguments].concat();
        let (code, stdout, stderr) = run(&arguments);
        assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains("Usage: "), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("is-not-there"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn invalid_catalog_is_reported_with_all_its_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.toml");
    let path = file.to_str().unwrap();

    let (code, stdout, stderr) = run(&["--catalog", path]);
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains(path), "{stderr}");

    let text =
        "[[apis]]\nid = \"a/b\"\npath = \"/a\"\n\n[[products]]\nid = \"p\"\napis = [\"c\"]\n";
    std::fs::write(&file, text).unwrap();
    let (code, stdout, stderr) = run(&[&format!("--catalog={path}")]);
    assert_eq!((code, &*stdout), (Some(1), ""));
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with(&format!("{path}:2:")), "{stderr}");
    assert!(lines[1].starts_with(&format!("{path}:7:")), "{stderr}");
}

#[test]
fn address_in_use_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, stdout, stderr) = run(&["--listen", &address]);
    assert_eq!((code, &*stdout), (Some(1), ""));
    let sentence = format!("cannot listen on {address}: ");
    assert!(stderr.starts_with(&sentence), "{stderr}");
}

#[test]
fn catalog_in_any_format_is_served() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "c.json",
            r#"{"apis": [{"id": "json", "path": "", "subscription_required": false}]}"#,
        ),
        (
            "c.yaml",
            "apis:\n  - id: yaml\n    path: ''\n    subscription_required: false\n",
        ),
        (
            "c.toml",
            "[[apis]]\nid = 'toml'\npath = ''\nsubscription_required = false\n",
        ),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let echo = Echo::start(command().arg("--catalog").arg(&path));
        let id = name.strip_prefix("c.").unwrap();
        assert_eq!(echo.get("/", &[]).seen()["access"]["api"], id);
    }
}

fn has_curl() -> bool {
    let curl = Command::new("curl").arg("--version").output();
    cfg!(unix) && curl.is_ok_and(|curl| curl.status.success())
}

/// Runs the printed line. Without `curl`, sends the same request directly.
fn paste(echo: &Echo, line: &str) -> Answer {
    if has_curl() {
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("{line} --silent --show-error --noproxy '*'"));
        let output = shell.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {stderr}");
        return Answer::read(output.stdout);
    }
    let quoted: Vec<_> = line.split('"').skip(1).step_by(2).collect();
    let origin = format!("http://{}", echo.address);
    let target = quoted[0].strip_prefix(&origin).unwrap();
    let headers: Vec<_> = quoted[1..]
        .iter()
        .map(|header| header.split_once(": ").unwrap())
        .collect();
    echo.get(target, &headers)
}

#[test]
fn printed_command_works() {
    let printed = include_str!("../../examples/echo/try.txt").lines().count();
    let mut echo = Echo::start(&mut command());
    let lines = echo.stdout.by_ref().lines().map(Result::unwrap);
    let lines: Vec<_> = lines.take(1 + printed).collect();
    assert_eq!(lines[0], "");
    let curls = lines.iter().filter(|line| line.starts_with("  curl "));

    let answers: Vec<_> = curls
        .map(|line| {
            let answer = paste(&echo, line);
            match answer.status() {
                200 => answer.access(),
                _ => answer.body,
            }
        })
        .collect();
    let contoso = |api: &str, key: &str| {
        format!("{api} starter contoso {key} /products/starter jane@contoso.example")
    };
    assert_eq!(
        answers,
        [
            &contoso("echo", "primary"),
            &contoso("echo", "secondary"),
            &contoso("orders", "primary"),
            MISSING,
            INVALID,
            "weather trial - - - -",
            "weather - operations primary / -",
        ]
    );
}

#[cfg(unix)]
#[test]
fn process_on_a_signal_exits_with_0() {
    for signal in ["-INT", "-TERM"] {
        let mut echo = Echo::with_catalog(CATALOG, &[]);
        // An open connection does not delay the exit.
        let _idle = std::net::TcpStream::connect(&echo.address).unwrap();
        let id = echo.process.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status();
        assert!(kill.unwrap().success());
        assert_eq!(echo.process.wait().unwrap().code(), Some(0), "{signal}");
    }
}
