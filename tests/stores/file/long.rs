//! Long JSON files, which are read in parts.

use std::fs;
use std::sync::{Arc, Mutex};

use tower_subscription_key::store::file::{FileError, FileStore, FileStoreBuilder};

use super::default;

fn long_catalog(entry: impl Fn(usize) -> String) -> String {
    let entries: Vec<String> = (0..LONG_CATALOG).map(entry).collect();
    format!(
        "{{\"apis\":[{{\"id\":\"echo\",\"path\":\"/echo\"}}],\"subscriptions\":[\n{}\n]}}",
        entries.join(",\n")
    )
}

const LONG_CATALOG: usize = 50_000;

fn plain_entry(n: usize) -> String {
    format!(r#"{{"id":"s{n}","scope":"/apis","primary_key":"{n:032}"}}"#)
}

fn open_long(
    text: &str,
    mode: impl FnOnce(FileStoreBuilder) -> FileStoreBuilder,
) -> Result<FileStore, FileError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.json");
    fs::write(&path, text).unwrap();
    mode(FileStore::builder(&path)).watch(false).open_blocking()
}

#[test]
fn long_load_reports_its_progress() {
    let text = long_catalog(plain_entry);
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sender = Arc::clone(&reports);
    let mode = |builder: FileStoreBuilder| {
        builder.on_progress(move |progress| sender.lock().unwrap().push(progress))
    };
    let store = open_long(&text, mode).unwrap();
    assert_eq!(store.catalog().subscription_count(), LONG_CATALOG);
    let reports = reports.lock().unwrap();
    assert!(reports.len() >= 3, "{reports:?}");
    assert!(reports.is_sorted_by_key(|progress| (progress.read, progress.entries)));
    let length = text.len() as u64;
    assert!(reports.iter().all(|progress| progress.length == length));
    assert_eq!(reports.last().unwrap().read, length);
}

#[test]
fn long_catalog_keeps_its_order_and_entries() {
    // Each entry contains text that looks like the start of other entries.
    let entry = |n| {
        let metadata = r#"{"a":[{"id":"x"},{"id":"y"}],"b":"},{\"id\":"}"#;
        format!(r#"{{"id":"s{n}","scope":"/apis/echo","metadata":{metadata},"primary_key":"{n}"}}"#)
    };
    for entry in [&plain_entry as &dyn Fn(usize) -> String, &entry] {
        let store = open_long(&long_catalog(entry), default).unwrap();
        let catalog = store.catalog();
        let ids = catalog.subscriptions().map(|s| s.id().to_owned());
        assert!(ids.eq((0..LONG_CATALOG).map(|n| format!("s{n}"))));
    }
}

#[test]
fn issues_in_a_long_catalog_have_their_positions() {
    let entry = |n| match n {
        45_000 => r#"{"id":"s45000","scope":"/nope","primary_key":"k"}"#.to_owned(),
        // Text that looks like a boundary between two parts of the file.
        49_000 => plain_entry(1),
        _ => plain_entry(n),
    };
    let error = open_long(&long_catalog(entry), default).unwrap_err();
    let document = error.document().unwrap();
    let lines: Vec<usize> = document.issues().iter().map(|i| i.line()).collect();
    assert_eq!(lines, [45_002, 49_002, 49_002], "{error}");
}
