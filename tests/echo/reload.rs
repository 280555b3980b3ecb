//! A catalog that changes while it is served.

use std::fs;
use std::io::Write;

use super::process::Echo;
use super::*;

const KEY: [(&str, &str); 1] = [(HEADER, PRIMARY)];

fn status(echo: &Echo) -> u16 {
    echo.get("/echo", &KEY).status()
}

/// Overwrites the file in one write, with text that is not shorter. If the file were
/// truncated first, a busy machine could read and report an empty file.
fn overwrite(echo: &Echo, text: &str) {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(echo.catalog())
        .unwrap();
    assert!(file.metadata().unwrap().len() <= text.len() as u64);
    assert_eq!(file.write(text.as_bytes()).unwrap(), text.len());
}

/// Renames a new file over it, like editors and deployments.
fn replace(echo: &Echo, text: &str) {
    let new = echo.catalog().with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, echo.catalog()).unwrap();
}

#[test]
fn catalog_change_is_live_and_logged() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    assert_eq!(status(&echo), 200);

    let suspended = CATALOG.replace(
        "id = \"contoso\"",
        "id = \"contoso\"\nstate = \"suspended\"",
    );
    overwrite(&echo, &suspended);
    echo.until(|echo| status(echo) == 401);
    assert_eq!(echo.stderr_line(), "reloaded, version 2");

    replace(&echo, CATALOG);
    echo.until(|echo| status(echo) == 200);
    assert_eq!(echo.stderr_line(), "reloaded, version 3");
}

#[test]
fn invalid_catalog_change_is_ignored_and_logged() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let path = echo.catalog().display().to_string();

    let broken = format!(
        "{CATALOG}\n[[subscriptions]]\nid = \"new\"\nscope = \"/apis/none\"\nprimary_key = \"k\"\nstat = 1\n"
    );
    let line = CATALOG.lines().count() + 4;
    overwrite(&echo, &broken);
    assert!(echo.stderr_line().starts_with(&format!("{path}:{line}:")));
    assert!(
        echo.stderr_line()
            .starts_with(&format!("{path}:{}:", line + 2))
    );
    assert_eq!(echo.stderr_line(), "kept the last good version, 1");
    assert_eq!(status(&echo), 200);

    fs::write(echo.catalog(), "").unwrap();
    assert!(echo.stderr_line().starts_with(&path));
    assert_eq!(echo.stderr_line(), "kept the last good version, 1");
    assert_eq!(status(&echo), 200);

    fs::remove_file(echo.catalog()).unwrap();
    assert!(echo.stderr_line().starts_with(&path));
    assert_eq!(echo.stderr_line(), "kept the last good version, 1");
    assert_eq!(status(&echo), 200);

    replace(&echo, &CATALOG.replace(PRIMARY, "another"));
    assert_eq!(echo.stderr_line(), "reloaded, version 2");
    assert_eq!(status(&echo), 401);
}
