use std::fs;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

const GOOD: &str = "[[apis]]\nid = \"one\"\npath = \"/one\"\n";
const BROKEN: &str = "[[apis]]\nid = \"one\"\npath = \"/one\"\ncolour = \"red\"\n";

struct Place {
    _directory: TempDir,
    path: PathBuf,
    shared: Shared,
    statuses: watch::Receiver<FileStatus>,
}

/// A good file that was opened, and nobody who watches it.
fn place() -> Place {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalog.toml");
    fs::write(&path, GOOD).unwrap();
    let (shared, _) = Shared::open(&path, OnProgress::default()).unwrap();
    let statuses = shared.subscribe();
    Place {
        _directory: directory,
        path,
        shared,
        statuses,
    }
}

impl Place {
    /// Looks; whether anything was told.
    fn tells(&mut self) -> bool {
        self.shared.look();
        let tells = self.statuses.has_changed().unwrap();
        self.statuses.mark_unchanged();
        tells
    }

    fn error(&self) -> String {
        self.shared.status().last_error.unwrap().to_string()
    }
}

#[test]
fn the_same_refused_content_is_told_once() {
    let mut place = place();
    assert!(!place.tells());
    fs::write(&place.path, BROKEN).unwrap();
    assert!(place.tells());
    assert!(place.error().contains("unknown field"));
    for _ in 0..3 {
        let beside = place.path.with_extension("new");
        fs::write(&beside, BROKEN).unwrap();
        fs::rename(&beside, &place.path).unwrap();
        assert!(!place.tells());
    }
    fs::write(&place.path, GOOD).unwrap();
    assert!(place.tells());
    assert!(place.shared.status().last_error.is_none());
    fs::write(&place.path, BROKEN).unwrap();
    assert!(place.tells());
}

#[test]
fn a_file_that_stays_away_is_told_once() {
    let mut place = place();
    fs::remove_file(&place.path).unwrap();
    assert!(place.tells());
    assert!(place.error().contains("the file is gone"));
    for _ in 0..3 {
        assert!(!place.tells());
    }
}

/// However long it takes until somebody compares it.
#[test]
fn the_stamp_of_a_file_that_has_just_changed_is_not_relied_on() {
    let place = place();
    let file = fs::File::options().write(true).open(&place.path).unwrap();
    let begun = Instant::now();
    let patience = Duration::from_secs(60);
    loop {
        file.set_modified(SystemTime::now()).unwrap();
        // On a machine that is busy it may be old by the time it is read.
        if place.shared.look() == Outcome::Done(None) {
            break;
        }
        assert!(begun.elapsed() < patience);
    }
    // That is a change too, which is relied on when it is old enough itself.
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    file.set_modified(long_ago).unwrap();
    let stamp = Stamp::of(&place.path);
    while place.shared.look() == Outcome::Done(None) {
        assert!(begun.elapsed() < 2 * patience);
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(place.shared.look(), Outcome::Done(Some(stamp)));
}
