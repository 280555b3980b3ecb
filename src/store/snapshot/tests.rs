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
fn what_was_saved_last_is_loaded_with_its_time_and_nothing_else_is_left() {
    let Place { directory, file } = place();
    assert!(file.load().unwrap().is_none());
    file.save(&catalog("one")).unwrap();
    let before = SystemTime::now();
    // As a crash would leave it.
    fs::write(file.beside().unwrap(), "half").unwrap();
    let saved_at = file.save(&catalog("two")).unwrap();
    let snapshot = file.load().unwrap().unwrap();
    assert!(snapshot.catalog().subscription("two").is_some());
    assert_eq!(snapshot.saved_at(), saved_at);
    assert!(saved_at >= before);
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn the_file_holds_no_key_and_is_the_owners_alone() {
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
fn a_file_that_is_cut_off_or_altered_anywhere_is_refused() {
    let Place { file, .. } = &place();
    file.save(&catalog("one")).unwrap();
    let content = fs::read(file.path()).unwrap();
    for end in 0..content.len() {
        fs::write(file.path(), &content[..end]).unwrap();
        assert!(
            matches!(file.load(), Err(SnapshotError::Broken { .. })),
            "{end}"
        );
    }
    for at in 0..content.len() {
        let mut altered = content.clone();
        altered[at] ^= 1;
        fs::write(file.path(), altered).unwrap();
        assert!(
            matches!(file.load(), Err(SnapshotError::Broken { .. })),
            "{at}"
        );
    }
}

#[test]
fn a_file_of_something_else_is_refused() {
    let Place { directory, file } = place();
    for foreign in ["", "{}", "\n\n\n", "[[apis]]\nid = 'a'\npath = '/'\n"] {
        fs::write(file.path(), foreign).unwrap();
        assert!(
            matches!(file.load(), Err(SnapshotError::Broken { .. })),
            "{foreign}"
        );
    }
    file.save(&catalog("one")).unwrap();
    let other = file.clone().with_source("there");
    assert!(matches!(
        other.load(),
        Err(SnapshotError::OtherSource { .. })
    ));
    let in_the_way = SnapshotFile::new(directory.path());
    assert!(matches!(in_the_way.load(), Err(SnapshotError::Read { .. })));
}

#[test]
fn a_file_that_is_too_old_is_refused_and_so_is_one_of_the_future() {
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
        let loaded = bounded.load();
        match loaded {
            Ok(Some(_)) => assert!(is_used),
            Err(SnapshotError::TooOld { .. }) => assert!(!is_used),
            other => panic!("{other:?}"),
        }
        assert!(file.load().unwrap().is_some());
    }
}

#[test]
fn a_save_that_fails_leaves_the_file_as_it_was() {
    let Place { directory, file } = place();
    let nowhere = SnapshotFile::new(directory.path().join("no/snapshot"));
    assert!(matches!(
        nowhere.save(&catalog("one")),
        Err(SnapshotError::Write { .. })
    ));
    file.save(&catalog("one")).unwrap();
    // Something in the way that is no file.
    fs::create_dir(file.beside().unwrap()).unwrap();
    assert!(matches!(
        file.save(&catalog("two")),
        Err(SnapshotError::Write { .. })
    ));
    let kept = file.load().unwrap().unwrap();
    assert!(kept.catalog().subscription("one").is_some());
}
