//! What Linux reports: when a program closes a file.

use std::io::Write;
use std::os::fd::AsRawFd;

use super::*;

#[tokio::test]
async fn writer_that_pauses_between_two_valid_halves_is_waited_for() {
    for mode in [modes()[0], modes()[2]] {
        let mut watched = Watched::new(mode);
        let mut file = fs::File::create(&watched.path).unwrap();
        file.write_all(catalog("half").as_bytes()).unwrap();
        file.flush().unwrap();
        // Far longer than the settle time.
        tokio::time::sleep(Duration::from_millis(700)).await;
        file.write_all(catalog("two").as_bytes()).unwrap();
        drop(file);
        watched.until_live("two").await;
        assert!(watched.store.catalog().api("half").is_some());
        assert_eq!(watched.store.status().version(), 2);
    }
}

#[tokio::test]
async fn writer_that_never_closes_is_reported_and_not_used() {
    let mut watched = Watched::new(default);
    let mut file = fs::File::create(&watched.path).unwrap();
    file.write_all(catalog("two").as_bytes()).unwrap();
    watched
        .until_refused("a program has been writing this file for 10")
        .await;
    assert_eq!(watched.store.status().version(), 1);
    drop(file);
    watched.until_live("two").await;
}

#[tokio::test]
async fn hard_link_to_a_complete_file_is_used_at_once() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        let sibling = watched.sibling("sibling.toml");
        fs::write(&sibling, catalog("two")).unwrap();
        fs::remove_file(&watched.path).unwrap();
        fs::hard_link(&sibling, &watched.path).unwrap();
        fs::remove_file(&sibling).unwrap();
        watched.until_live("two").await;
    }
}

/// Like a single mounted file that is replaced outside the mount.
#[tokio::test]
async fn file_without_a_name_is_reported() {
    let directory = TempDir::new().unwrap();
    let real = directory.path().join("real.toml");
    fs::write(&real, catalog("one")).unwrap();
    let file = fs::File::open(&real).unwrap();
    let path = directory.path().join("catalog.toml");
    let mounted = format!("/proc/self/fd/{}", file.as_raw_fd());
    std::os::unix::fs::symlink(mounted, &path).unwrap();
    let mut watched = Watched::open(directory, path, POLLED);
    fs::remove_file(&real).unwrap();
    watched.until_refused("mount its folder instead").await;
    // It is checked again, and is unchanged.
    watched.statuses.mark_unchanged();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!watched.statuses.has_changed().unwrap());
}

/// The threads and the notification handles of this process.
fn held() -> (usize, usize) {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        let name = fs::read_to_string(task.ok()?.path().join("comm")).ok()?;
        (name.trim() == "file-store-watc").then_some(())
    });
    let handles = fs::read_dir("/proc/self/fd").unwrap().filter_map(|handle| {
        let target = fs::read_link(handle.ok()?.path()).ok()?;
        target.to_str()?.contains("inotify").then_some(())
    });
    (names.count(), handles.count())
}

#[test]
fn stores_opened_one_after_the_other_hold_few_threads_and_handles() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalog.toml");
    fs::write(&path, catalog("one")).unwrap();
    for _ in 0..1000 {
        drop(FileStore::builder(&path).open_blocking().unwrap());
    }
    let (threads, handles) = held();
    assert!(threads < 100, "{threads}");
    assert!(handles <= 1, "{handles}");
}
