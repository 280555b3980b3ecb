//! A catalog that changes while it is served.

use std::fs;

use super::process::Echo;
use super::*;

const KEY: [(&str, &str); 1] = [(HEADER, PRIMARY)];

fn status(echo: &Echo) -> u16 {
    echo.get("/echo", &KEY).status()
}

#[test]
fn a_change_is_live_soon_and_told() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    assert_eq!(status(&echo), 200);

    let suspended = CATALOG.replace(
        "id = \"contoso\"",
        "id = \"contoso\"\nstate = \"suspended\"",
    );
    fs::write(echo.catalog(), &suspended).unwrap();
    echo.until(|echo| status(echo) == 401);
    assert_eq!(echo.told(), "reloaded, version 2");

    // Renamed over it, as editors and deployments do.
    let beside = echo.catalog().with_extension("new");
    fs::write(&beside, CATALOG).unwrap();
    fs::rename(&beside, echo.catalog()).unwrap();
    echo.until(|echo| status(echo) == 200);
    assert_eq!(echo.told(), "reloaded, version 3");
}

#[test]
fn a_broken_file_changes_nothing_and_is_told() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let path = echo.catalog().display().to_string();

    let broken = format!(
        "{CATALOG}\n[[subscriptions]]\nid = \"new\"\nscope = \"/apis/none\"\nprimary_key = \"k\"\nstat = 1\n"
    );
    let line = CATALOG.lines().count() + 4;
    fs::write(echo.catalog(), &broken).unwrap();
    assert!(echo.told().starts_with(&format!("{path}:{line}:")));
    assert!(echo.told().starts_with(&format!("{path}:{}:", line + 2)));
    assert_eq!(echo.told(), "kept the last good version, 1");
    assert_eq!(status(&echo), 200);

    fs::write(echo.catalog(), "").unwrap();
    assert!(echo.told().starts_with(&path));
    assert_eq!(echo.told(), "kept the last good version, 1");
    assert_eq!(status(&echo), 200);

    fs::remove_file(echo.catalog()).unwrap();
    assert!(echo.told().starts_with(&path));
    assert_eq!(echo.told(), "kept the last good version, 1");
    assert_eq!(status(&echo), 200);

    fs::write(echo.catalog(), CATALOG.replace(PRIMARY, "another")).unwrap();
    assert_eq!(echo.told(), "reloaded, version 2");
    assert_eq!(status(&echo), 401);
}
