//! Findings that are logged when a version is loaded.

use std::fs;

use tower_subscription_key::FileStore;

use super::catalog;
use crate::log::Log;

/// Opens and reloads a catalog with the given number of APIs that no key opens, and
/// returns what was logged.
fn logged(apis: usize, log_findings: Option<bool>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.toml");
    let key = "264a41411c0b43e782f483eb6f3eaeab";
    let subscription =
        format!("[[subscriptions]]\nid = 's'\nscope = '/apis/open'\nprimary_key = '{key}'\n");
    let apis: String = (0..apis).map(|n| catalog(&format!("api{n}"))).collect();
    fs::write(&path, format!("{}{apis}{subscription}", catalog("open"))).unwrap();
    let (log, _capturing) = Log::capture();
    let builder = FileStore::builder(&path).watch(false);
    let builder = match log_findings {
        Some(log_findings) => builder.log_findings(log_findings),
        None => builder,
    };
    let store = builder.open_blocking().unwrap();
    store.reload_blocking().unwrap();
    let log = log.text();
    assert!(!log.contains(&key[..8]), "{log}");
    log
}

fn count(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn findings_of_each_loaded_version_are_logged_if_asked_for() {
    let log = logged(1, Some(true));
    let finding = "warning[api-unreachable]: API \"api0\": ";
    assert_eq!(count(&log, finding), 2, "{log}");
    assert_eq!(count(&log, "has more findings"), 0, "{log}");
    for log_findings in [None, Some(false)] {
        let log = logged(1, log_findings);
        assert_eq!(count(&log, "WARN"), 0, "{log}");
    }
}

#[test]
fn findings_beyond_twenty_are_counted() {
    let log = logged(33, Some(true));
    assert_eq!(count(&log, "warning[api-unreachable]"), 2 * 20, "{log}");
    assert_eq!(count(&log, "more=13"), 2, "{log}");
}
