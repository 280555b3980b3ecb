//! The control plane example as a process: its flags, output and exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

mod process;

use std::os::unix::fs::PermissionsExt;

use process::{Plane, curl, run};
use tempfile::TempDir;

const CATALOG: &str = r#"
[[apis]]
id = "echo"
path = "/echo"

[[subscriptions]]
id = "contoso"
scope = "/apis/echo"
primary_key = "the key of contoso"
"#;

#[test]
fn printed_commands_when_pasted_work() {
    let folder = TempDir::new().unwrap();
    let mut plane = Plane::start(&folder, &[]);
    let text = plane.rest_of_stdout();
    let page = text
        .lines()
        .find(|line| line.contains("/#token="))
        .unwrap()
        .trim();
    assert!(
        page.starts_with(&format!("{}/#token=", plane.url)),
        "{page}"
    );
    assert!(text.contains("jane@contoso.example"));
    let answers: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("curl "))
        .map(curl)
        .collect();
    let [api, product, member, subscription, let_in, denied] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    for made in [api, product, member, subscription] {
        assert!(made.contains("\"properties\""), "{made}");
    }
    assert!(let_in.contains(r#""access":{"api":"try-echo","product":"try","subscription":"try","key":"primary","scope":"/products/try","owner":null}"#), "{let_in}");
    assert!(denied.contains("missing subscription key"), "{denied}");
    assert!(folder.path().join("control-plane.db").exists());
}

#[test]
fn request_without_a_token_gets_a_challenge_and_the_envelope() {
    let folder = TempDir::new().unwrap();
    let mut plane = Plane::start(&folder, &["--token", "abc", "--owner-token", "jane=x=y"]);
    let whoami = format!(
        "{}/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/v/whoami?api-version=2024-05-01",
        plane.url
    );
    let refused = curl(&format!("curl -i {whoami}"));
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(
        refused.to_lowercase().contains("www-authenticate: bearer "),
        "{refused}"
    );
    assert!(
        refused.contains(r#"{"error":{"code":"Unauthorized","#),
        "{refused}"
    );
    assert_eq!(
        curl(&format!("curl {whoami} -H 'Authorization: Bearer abc'")),
        r#"{"role":"publisher","id":"publisher"}"#
    );
    assert_eq!(
        curl(&format!("curl {whoami} -H 'Authorization: Bearer x=y'")),
        r#"{"role":"owner","id":"jane"}"#
    );
    assert!(curl(&format!("curl -i {}/", plane.url)).starts_with("HTTP/1.1 200 "));
    assert!(!plane.rest_of_stdout().contains("jane@contoso.example"));
}

#[test]
fn token_of_the_environment_is_taken_and_not_repeated() {
    let folder = TempDir::new().unwrap();
    let mut plane = Plane::start_with(&folder, &[], |command| {
        command.env("CONTROL_PLANE_TOKEN", "a-secret-of-the-environment");
    });
    let text = plane.rest_of_stdout();
    assert!(
        !text.contains("a-secret-of-the-environment") && !text.contains("jane@"),
        "{text}"
    );
    let line = text.lines().find(|line| line.starts_with("curl ")).unwrap();
    let answer = curl(&format!(
        "export CONTROL_PLANE_TOKEN=a-secret-of-the-environment; {line}"
    ));
    assert!(answer.contains("\"properties\""), "{answer}");
}

#[test]
fn catalog_is_imported_into_an_empty_database_only() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("catalog.toml"), CATALOG).unwrap();
    let plane = Plane::start(&folder, &["--catalog", "catalog.toml"]);
    let call = format!(
        "curl {}/echo -H 'Ocp-Apim-Subscription-Key: the key of contoso'",
        plane.gateway
    );
    assert!(curl(&call).contains("\"subscription\":\"contoso\""));
    let (code, stderr) = plane.terminate();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let again = Plane::start(&folder, &["--catalog", "catalog.toml"]);
    let (code, stderr) = again.terminate();
    assert_eq!(code, Some(0));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.contains("catalog.toml") && stderr.contains("not empty"),
        "{stderr}"
    );
}

#[test]
fn catalog_with_a_key_in_a_file_is_imported() {
    let folder = TempDir::new().unwrap();
    let catalog = CATALOG.replace("\"the key of contoso\"", "{ file = \"contoso.key\" }");
    assert!(catalog.contains("contoso.key"));
    std::fs::write(folder.path().join("catalog.toml"), catalog).unwrap();
    std::fs::write(folder.path().join("contoso.key"), "the key of contoso\n").unwrap();
    let plane = Plane::start(&folder, &["--catalog", "catalog.toml"]);
    let call = format!(
        "curl {}/echo -H 'Ocp-Apim-Subscription-Key: the key of contoso'",
        plane.gateway
    );
    assert!(curl(&call).contains("\"subscription\":\"contoso\""));
    assert_eq!(plane.terminate().0, Some(0));
}

#[test]
fn catalog_that_is_broken_is_refused_with_its_name_and_line() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("broken.toml"), "\nx = \n").unwrap();
    let (code, stdout, stderr) = run(&folder, &["--catalog", "broken.toml"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.starts_with("broken.toml:2:"), "{stderr}");
}

#[test]
fn key_file_is_made_for_its_owner_and_another_key_is_refused() {
    let folder = TempDir::new().unwrap();
    let plane = Plane::start(&folder, &["--recoverable-keys", "key"]);
    let key = folder.path().join("key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(plane.terminate().0, Some(0));
    assert_eq!(
        Plane::start(&folder, &["--recoverable-keys", "key"])
            .terminate()
            .0,
        Some(0)
    );
    let flags = [
        "--listen",
        "127.0.0.1:0",
        "--gateway",
        "127.0.0.1:0",
        "--recoverable-keys",
    ];
    let (code, stdout, stderr) = run(&folder, &[&flags[..], &["other"]].concat());
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("encryption key"), "{stderr}");
    std::fs::write(&key, "not a key").unwrap();
    let (code, _, stderr) = run(&folder, &[&flags[..], &["key"]].concat());
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("64 hex digits") && !stderr.contains("not a key"),
        "{stderr}"
    );
}

#[test]
fn failure_to_start_is_1_with_a_sentence() {
    let folder = TempDir::new().unwrap();
    for flags in [
        &["--database", "/nonexistent/folder/keys.db"][..],
        &["--database", "postgres://nobody:hunter2@127.0.0.1:1/none"],
        &[
            "--listen",
            "127.0.0.1:0",
            "--gateway",
            "127.0.0.1:0",
            "--catalog",
            "absent.toml",
        ],
    ] {
        let (code, stdout, stderr) = run(&folder, flags);
        assert_eq!(
            (code, stdout.as_str()),
            (Some(1), ""),
            "{flags:?}: {stderr}"
        );
        assert!(
            stderr.contains(": ") && !stderr.contains("hunter2"),
            "{flags:?}: {stderr}"
        );
    }
}

#[test]
fn wrong_usage_is_2_with_the_usage_and_without_tokens() {
    let folder = TempDir::new().unwrap();
    for flags in [
        &["--colour"][..],
        &["extra"],
        &["--listen", "localhost"],
        &["--owner-token", "no-equals-hunter2"],
        &["--owner-token", "=hunter2"],
        &["--token", ""],
        &["--token", "hunter2", "--owner-token", "jane=hunter2"],
        &["--token"],
    ] {
        let (code, stdout, stderr) = run(&folder, flags);
        assert_eq!(
            (code, stdout.as_str()),
            (Some(2), ""),
            "{flags:?}: {stderr}"
        );
        assert!(
            stderr.contains("Usage: control_plane") && !stderr.contains("hunter2"),
            "{flags:?}: {stderr}"
        );
    }
    assert!(!folder.path().join("control-plane.db").exists());
    let (code, stdout, _) = run(&folder, &["--help"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("--recoverable-keys"));
}
