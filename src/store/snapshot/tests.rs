#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::catalog::{Api, Scope, Subscription};

fn catalog(subscription: &str) -> Catalog {
    let subscription = Subscription::new(subscription)
        .with_scope(Scope::AllApis)
        .with_primary_key("264a41411c0b43e782f483eb6f3eaeab");
    Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .subscription(subscription)
        .build()
        .unwrap()
}

struct Place {
    directory: tempfile::TempDir,
    file: SnapshotFile,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let file = SnapshotFile::new(directory.path().join("snapshot")).with_source("here");
    Place { directory, file }
}

#[test]
fn saved_catalog_is_loaded_with_its_time_and_no_other_file_is_left() {
    let Place { directory, file } = place();
    assert!(file.load().unwrap().is_none());
    file.save(&catalog("one")).unwrap();
    let before = SystemTime::now();
    let saved_at = file.save(&catalog("two")).unwrap();
    let snapshot = file.load().unwrap().unwrap();
    assert!(snapshot.catalog().subscription("two").is_some());
    assert_eq!(snapshot.saved_at(), saved_at);
    assert!(saved_at >= before);
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn snapshot_contains_no_key_and_only_its_owner_reads_it() {
    let Place { file, .. } = &place();
    file.save(&catalog("one")).unwrap();
    let content = fs::read_to_string(file.path()).unwrap();
    assert!(!content.contains("264a4141"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn snapshot_that_is_cut_or_altered_anywhere_is_refused() {
    let Place { file, .. } = &place();
    file.save(&catalog("one")).unwrap();
    let content = fs::read(file.path()).unwrap();
    for end in 0..content.len() {
        fs::write(file.path(), &content[..end]).unwrap();
        let loaded = file.load();
        assert!(matches!(loaded, Err(SnapshotError::Broken { .. })), "{end}");
    }
    for at in 0..content.len() {
        let mut altered = content.clone();
        altered[at] ^= 1;
        fs::write(file.path(), altered).unwrap();
        let loaded = file.load();
        assert!(matches!(loaded, Err(SnapshotError::Broken { .. })), "{at}");
    }
}

#[test]
fn file_that_is_no_snapshot_is_refused() {
    let Place { directory, file } = place();
    for foreign in ["", "{}", "\n\n\n", "[[apis]]\nid = 'a'\npath = '/'\n"] {
        fs::write(file.path(), foreign).unwrap();
        let loaded = file.load();
        assert!(
            matches!(loaded, Err(SnapshotError::Broken { .. })),
            "{foreign}"
        );
    }
    let folder = SnapshotFile::new(directory.path());
    assert!(matches!(folder.load(), Err(SnapshotError::Read { .. })));
}

#[test]
fn snapshot_of_another_source_or_kind_is_refused() {
    let Place { file, .. } = &place();
    file.save(&catalog("one")).unwrap();
    for other in [
        file.clone().with_source("there"),
        SnapshotFile::new(file.path()),
        file.clone().of_kind(SnapshotKind::Cache),
    ] {
        let loaded = other.load();
        assert!(
            matches!(loaded, Err(SnapshotError::OtherSource { .. })),
            "{other:?}"
        );
    }
    let content = fs::read_to_string(file.path()).unwrap();
    assert!(!content.contains("here"), "{content}");
}

/// Writes the snapshot with other text in its header, and a trailer that fits.
fn with_header(file: &SnapshotFile, from: &str, to: &str) {
    let content = fs::read_to_string(file.path()).unwrap();
    let hashed: Vec<&str> = content.split_inclusive('\n').take(2).collect();
    let hashed = hashed.concat().replacen(from, to, 1);
    let sha256 = format::hex(Sha256::new_with_prefix(&hashed));
    fs::write(
        file.path(),
        format!("{hashed}{{\"sha256\":\"{sha256}\"}}\n"),
    )
    .unwrap();
}

#[test]
fn header_of_the_next_version_is_read_if_its_format_is_the_same() {
    let Place { file, .. } = &place();
    file.save(&catalog("one")).unwrap();
    with_header(file, "{\"format\":1", "{\"colour\":\"red\",\"format\":1");
    assert!(file.load().unwrap().is_some());
    with_header(file, "\"format\":1", "\"format\":2");
    let error = file.load().unwrap_err();
    assert!(matches!(
        error,
        SnapshotError::NewerFormat { format: 2, .. }
    ));
}

#[test]
fn snapshot_that_is_too_old_or_of_the_future_is_refused() {
    let Place { file, .. } = &place();
    let hour = Duration::from_secs(3600);
    let bounded = file.clone().with_max_age(hour);
    for (saved_at, is_used) in [
        (SystemTime::now() - hour / 2, true),
        (SystemTime::now() - 2 * hour, false),
        (SystemTime::now() + 2 * hour, false),
    ] {
        file.save_as_of(&catalog("one"), saved_at, &Confirmed::new())
            .unwrap();
        match bounded.load() {
            Ok(Some(_)) => assert!(is_used),
            Err(SnapshotError::TooOld { .. }) => assert!(!is_used),
            other => panic!("{other:?}"),
        }
        assert!(file.load().unwrap().is_some());
    }
}

#[test]
fn failed_save_leaves_the_file_as_it_was() {
    let Place { directory, file } = place();
    let nowhere = SnapshotFile::new(directory.path().join("no/snapshot"));
    let save = || nowhere.save(&catalog("one")).unwrap_err();
    assert!(matches!(save(), SnapshotError::Write { .. }));
    // The same text, so that it is reported once.
    let text = |error| crate::store::replica::describe(&error);
    assert_eq!(text(save()), text(save()));
    // A folder in its place cannot be replaced by a file.
    fs::create_dir(file.path()).unwrap();
    assert!(file.save(&catalog("two")).is_err());
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
}
