//! Catalog files that change in every way that files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch::Receiver;
use tower_subscription_key::store::StoreStatus;
use tower_subscription_key::store::file::{FileError, FileStore, FileStoreBuilder};

/// Long enough for any machine. Nothing waits that long unless it fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// A catalog with one API, whose id tells versions apart.
fn catalog(api: &str) -> String {
    format!("[[apis]]\nid = \"{api}\"\npath = \"/{api}\"\n")
}

const BROKEN: &str = "[[apis]]\nid = \"one\"\npath = \"/one\"\ncolour = \"red\"\n";

/// A way to watch.
type Mode = fn(FileStoreBuilder) -> FileStoreBuilder;

const POLLED: Mode = |builder| {
    let often = Duration::from_millis(50);
    builder.notifications(false).poll_interval(often)
};

/// Notifications and polling, and each alone.
fn modes() -> [Mode; 3] {
    let notified: Mode = |builder| builder.poll_interval(Duration::from_secs(3600));
    [|builder| builder, POLLED, notified]
}

/// For changes that show only when the file is looked at.
fn polled_modes() -> [Mode; 2] {
    [|builder| builder, POLLED]
}

fn default(builder: FileStoreBuilder) -> FileStoreBuilder {
    builder
}

struct Watched {
    directory: TempDir,
    path: PathBuf,
    store: FileStore,
    statuses: Receiver<StoreStatus>,
}

impl Watched {
    /// A store on a file that holds `catalog("one")`.
    fn new(mode: Mode) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("catalog.toml");
        fs::write(&path, catalog("one")).unwrap();
        Self::open(directory, path, mode)
    }

    fn open(directory: TempDir, path: PathBuf, mode: Mode) -> Self {
        let store = mode(FileStore::builder(&path)).open_blocking().unwrap();
        let statuses = store.watch_status();
        assert_eq!(store.status().version(), 1);
        Self {
            directory,
            path,
            store,
            statuses,
        }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn until(&mut self, what: &str, fits: impl Fn(&StoreStatus) -> bool) -> StoreStatus {
        let wait = self.statuses.wait_for(|status| fits(status));
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(status) => status.unwrap().clone(),
            Err(_) => panic!("not {what}: {:?}", self.store.status()),
        }
    }

    /// Waits until that API is live and nothing is wrong.
    async fn until_live(&mut self, api: &str) {
        let store = self.store.clone();
        let is_live = |status: &StoreStatus| {
            status.last_error().is_none() && store.catalog().api(api).is_some()
        };
        self.until(&format!("live: {api}"), is_live).await;
    }

    /// Waits until the file is refused, and checks that the catalog is not.
    async fn until_refused(&mut self, why: &str) {
        let is_refused =
            |status: &StoreStatus| status.last_error().is_some_and(|error| error.contains(why));
        let version = self.store.status().version();
        let status = self.until(&format!("refused: {why}"), is_refused).await;
        assert_eq!(status.version(), version);
        assert!(self.store.catalog().api("one").is_some());
    }
}

fn rename_over(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

#[tokio::test]
async fn file_written_in_place_is_live() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        fs::write(&watched.path, catalog("two")).unwrap();
        watched.until_live("two").await;
        assert_eq!(watched.store.status().version(), 2);
        assert!(watched.store.catalog().api("one").is_none());
    }
}

#[tokio::test]
async fn file_renamed_over_is_live() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        for api in ["two", "six", "ten"] {
            rename_over(&watched.path, &catalog(api));
            watched.until_live(api).await;
        }
        assert_eq!(watched.store.status().version(), 4);
    }
}

#[tokio::test]
async fn last_of_many_similar_changes_is_live() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        let before = fs::metadata(&watched.path).unwrap().modified().unwrap();
        for n in 100..200 {
            fs::write(&watched.path, catalog(&n.to_string())).unwrap();
            let file = fs::File::options().write(true).open(&watched.path).unwrap();
            file.set_modified(before).unwrap();
        }
        watched.until_live("199").await;
    }
}

#[tokio::test]
async fn invalid_file_changes_nothing_until_it_is_valid() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        fs::write(&watched.path, BROKEN).unwrap();
        watched
            .until_refused("catalog.toml:4:1: API \"one\": unknown field `colour`")
            .await;
        fs::write(&watched.path, catalog("two")).unwrap();
        watched.until_live("two").await;
        assert_eq!(watched.store.status().version(), 2);
    }
}

#[tokio::test]
async fn file_as_it_was_before_makes_no_new_version() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        fs::write(&watched.path, BROKEN).unwrap();
        watched.until_refused("unknown field").await;
        fs::write(&watched.path, catalog("one")).unwrap();
        watched.until_live("one").await;
        assert_eq!(watched.store.status().version(), 1);
    }
}

#[tokio::test]
async fn file_cut_in_the_middle_is_not_used() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        let whole = format!(
            "{}[[products]]\nid = \"p\"\napis = [\"two\"]\n",
            catalog("two")
        );
        let half = &whole[..whole.len() - 4];
        fs::write(&watched.path, half).unwrap();
        watched.until_refused("this is not TOML").await;
        fs::write(&watched.path, &whole).unwrap();
        watched.until_live("two").await;
        assert_eq!(watched.store.status().version(), 2);
    }
}

#[tokio::test]
async fn emptied_file_is_refused() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        fs::write(&watched.path, "").unwrap();
        watched
            .until_refused("catalog.toml:1:1: a catalog without APIs")
            .await;
        fs::write(&watched.path, catalog("two")).unwrap();
        watched.until_live("two").await;
    }
}

#[tokio::test]
async fn deleted_file_is_reported_and_its_last_version_used() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        fs::remove_file(&watched.path).unwrap();
        watched
            .until_refused("the file is gone; the last version stays in use")
            .await;
        fs::write(&watched.path, catalog("one")).unwrap();
        watched.until_live("one").await;
        assert_eq!(watched.store.status().version(), 1);
        fs::remove_file(&watched.path).unwrap();
        watched.until_refused("the file is gone").await;
        fs::write(&watched.path, catalog("two")).unwrap();
        watched.until_live("two").await;
        assert_eq!(watched.store.status().version(), 2);
    }
}

#[tokio::test]
async fn directory_in_place_of_the_file_is_refused() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        fs::remove_file(&watched.path).unwrap();
        fs::create_dir(&watched.path).unwrap();
        watched.until_refused("not a regular file").await;
        fs::remove_dir(&watched.path).unwrap();
        fs::write(&watched.path, catalog("two")).unwrap();
        watched.until_live("two").await;
    }
}

#[tokio::test]
async fn parent_directory_created_again_is_followed() {
    for mode in polled_modes() {
        let directory = TempDir::new().unwrap();
        let parent = directory.path().join("config");
        let path = parent.join("catalog.toml");
        fs::create_dir(&parent).unwrap();
        fs::write(&path, catalog("one")).unwrap();
        let mut watched = Watched::open(directory, path, mode);
        for api in ["one", "two"] {
            fs::remove_dir_all(&parent).unwrap();
            let gone = |status: &StoreStatus| status.last_error().is_some();
            watched.until("gone", gone).await;
            fs::create_dir(&parent).unwrap();
            fs::write(&watched.path, catalog(api)).unwrap();
            watched.until_live(api).await;
        }
    }
}

#[tokio::test]
async fn change_before_the_watching_begins_is_live() {
    for mode in polled_modes() {
        let mut watched = Watched::new(mode);
        // The thread may or may not watch by now.
        fs::write(&watched.path, catalog("two")).unwrap();
        watched.until_live("two").await;
    }
}

#[tokio::test]
async fn touched_file_makes_no_new_version() {
    for mode in modes() {
        let mut watched = Watched::new(mode);
        let file = fs::File::options()
            .append(true)
            .open(&watched.path)
            .unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
        drop(file);
        fs::write(&watched.path, catalog("two")).unwrap();
        watched.until_live("two").await;
        assert_eq!(watched.store.status().version(), 2);
    }
}

/// What Linux reports: when a program closes a file.
#[cfg(target_os = "linux")]
mod linux {
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
            let beside = watched.beside("beside.toml");
            fs::write(&beside, catalog("two")).unwrap();
            fs::remove_file(&watched.path).unwrap();
            fs::hard_link(&beside, &watched.path).unwrap();
            fs::remove_file(&beside).unwrap();
            watched.until_live("two").await;
        }
    }

    /// As a file that is mounted by itself and replaced outside.
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
        // It is looked at again, and is what it was.
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
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn swap_link(link: &Path, target: impl AsRef<Path>) {
        let new = link.with_file_name("swap.tmp");
        symlink(target, &new).unwrap();
        fs::rename(&new, link).unwrap();
    }

    #[tokio::test]
    async fn swapped_symlink_is_followed() {
        for mode in modes() {
            let directory = TempDir::new().unwrap();
            for api in ["one", "two", "six"] {
                let version = directory.path().join(api);
                fs::create_dir(&version).unwrap();
                fs::write(version.join("real.toml"), catalog(api)).unwrap();
            }
            let path = directory.path().join("catalog.toml");
            symlink("one/real.toml", &path).unwrap();
            let mut watched = Watched::open(directory, path, mode);
            swap_link(&watched.path, "two/real.toml");
            watched.until_live("two").await;
            // The target's own directory is watched now.
            rename_over(&watched.beside("two/real.toml"), &catalog("ten"));
            watched.until_live("ten").await;
            swap_link(&watched.path, watched.beside("six/real.toml"));
            watched.until_live("six").await;
            rename_over(&watched.beside("six/real.toml"), &catalog("new"));
            watched.until_live("new").await;
            assert_eq!(watched.store.status().version(), 5);
        }
    }

    #[tokio::test]
    async fn kubernetes_volume_is_followed_through_its_swaps() {
        for mode in modes() {
            let directory = TempDir::new().unwrap();
            let volume = directory.path().to_owned();
            let publish = |name: &str, text: &str| {
                let version = volume.join(name);
                fs::create_dir(&version).unwrap();
                fs::write(version.join("catalog.toml"), text).unwrap();
                swap_link(&volume.join("..data"), name);
            };
            publish("..2026_1", &catalog("one"));
            let path = volume.join("catalog.toml");
            symlink("..data/catalog.toml", &path).unwrap();
            let mut watched = Watched::open(directory, path, mode);
            for (name, api) in [("..2026_2", "two"), ("..2026_3", "six")] {
                publish(name, &catalog(api));
                watched.until_live(api).await;
            }
            fs::remove_dir_all(volume.join("..2026_1")).unwrap();
            publish("..2026_4", "[[apis]]\n");
            let refused = |status: &StoreStatus| status.last_error().is_some();
            let status = watched.until("refused", refused).await;
            assert!(
                status
                    .last_error()
                    .unwrap()
                    .to_string()
                    .contains("/catalog.toml:1:1: API number 1")
            );
            publish("..2026_5", &catalog("ten"));
            watched.until_live("ten").await;
            assert_eq!(watched.store.status().version(), 4);
        }
    }

    #[tokio::test]
    async fn dangling_symlink_is_reported_as_gone() {
        let directory = TempDir::new().unwrap();
        let real = directory.path().join("real.toml");
        fs::write(&real, catalog("one")).unwrap();
        let path = directory.path().join("catalog.toml");
        symlink(&real, &path).unwrap();
        let mut watched = Watched::open(directory, path, default);
        fs::remove_file(&real).unwrap();
        watched.until_refused("the file is gone").await;
        fs::write(&real, catalog("two")).unwrap();
        watched.until_live("two").await;
    }

    #[tokio::test]
    async fn unreadable_file_is_reported_until_it_is_readable() {
        for mode in polled_modes() {
            let mut watched = Watched::new(mode);
            let allow = |mode| fs::set_permissions(&watched.path, fs::Permissions::from_mode(mode));
            allow(0o000).unwrap();
            if fs::read(&watched.path).is_ok() {
                // The superuser may read anything.
                return;
            }
            watched.until_refused("ermission denied").await;
            fs::set_permissions(&watched.path, fs::Permissions::from_mode(0o600)).unwrap();
            watched.until_live("one").await;
        }
    }

    #[test]
    fn pipe_is_refused_without_waiting() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("pipe.toml");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            return;
        }
        let error = FileStore::builder(&path).open_blocking().unwrap_err();
        assert!(matches!(error, FileError::NotAFile { .. }), "{error}");
    }
}

#[test]
fn open_of_unusable_file_returns_the_cause() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let told = |name: &str| {
        let error = FileStore::builder(path(name)).open_blocking().unwrap_err();
        let message = error.to_string();
        let file = path(name).display().to_string();
        message.replace(&file, "FILE")
    };
    assert_eq!(told("none.toml"), "FILE: there is no such file");
    assert_eq!(
        told("a.ini"),
        "FILE: a catalog file ends in `.toml`, `.json`, `.yaml` or `.yml`"
    );
    fs::create_dir(path("dir.toml")).unwrap();
    assert_eq!(told("dir.toml"), "FILE: not a regular file");
    fs::write(path("a.json"), r#"{"apis": [{"path": ""}, {"id": "a"}]}"#).unwrap();
    assert_eq!(
        told("a.json"),
        "FILE:1:11: API number 1: `id` is missing: give it one, like `orders`\n\
         FILE:1:25: API \"a\": `path` is missing: give it a URL prefix like `/orders`, or an empty one for everything"
    );
}

#[tokio::test]
async fn invalid_json_file_is_explained() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalog.json");
    fs::write(&path, r#"{"apis": [{"id": "one", "path": "/one"}]}"#).unwrap();
    let mut watched = Watched::open(directory, path, default);
    let dangling =
        r#"{"apis": [{"id": "two", "path": ""}], "products": [{"id": "p", "apis": ["nope"]}]}"#;
    fs::write(&watched.path, dangling).unwrap();
    watched
        .until_refused("catalog.json:1:73: product \"p\", apis: there is no API \"nope\"")
        .await;
    fs::write(&watched.path, dangling.replace("nope", "two")).unwrap();
    watched.until_live("two").await;
}

#[test]
fn relative_path_is_reported_as_it_was_given() {
    let error = FileStore::builder("no/such/file.yaml")
        .open_blocking()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no/such/file.yaml: there is no such file"
    );
    assert!(matches!(error, FileError::Missing { .. }));
}

#[tokio::test]
async fn unwatched_file_is_read_by_reload_only() {
    let watched = Watched::new(|builder| builder.watch(false));
    // Whoever watches the same file sees what this one does not.
    let (directory, path) = (TempDir::new().unwrap(), watched.path.clone());
    let mut watching = Watched::open(directory, path, default);
    fs::write(&watched.path, catalog("two")).unwrap();
    watching.until_live("two").await;
    assert_eq!(watched.store.status().version(), 1);

    let status = watched.store.reload().await.unwrap();
    assert_eq!(status.version(), 2);
    assert!(watched.store.catalog().api("two").is_some());
    // The same content too: what it refers to may have changed.
    assert_eq!(watched.store.reload().await.unwrap().version(), 3);

    fs::write(&watched.path, BROKEN).unwrap();
    let error = watched.store.reload().await.unwrap_err();
    assert!(error.document().is_some());
    assert_eq!(watched.store.status().version(), 3);
    fs::remove_file(&watched.path).unwrap();
    let error = watched.store.reload_blocking().unwrap_err();
    assert!(matches!(error, FileError::Gone { .. }));
}

#[tokio::test]
async fn last_handle_dropped_ends_the_watching() {
    let watched = Watched::new(default);
    let Watched {
        store,
        mut statuses,
        ..
    } = watched;
    let clone = store.clone();
    drop(store);
    assert!(statuses.has_changed().is_ok());
    drop(clone);
    let closed = async { while statuses.changed().await.is_ok() {} };
    tokio::time::timeout(DEADLINE, closed).await.unwrap();
}

#[test]
fn open_without_runtime_works() {
    struct Thread(std::thread::Thread);
    impl std::task::Wake for Thread {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalog.yml");
    fs::write(&path, "apis: [{ id: one, path: /one }]").unwrap();
    let waker = std::sync::Arc::new(Thread(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut opening = std::pin::pin!(FileStore::open(&path));
    let store = loop {
        if let std::task::Poll::Ready(store) = opening.as_mut().poll(&mut context) {
            break store.unwrap();
        }
        std::thread::park();
    };
    assert!(store.catalog().api("one").is_some());
}

/// A JSON catalog that is read in parts.
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
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let mode = |builder: FileStoreBuilder| {
        builder.on_progress(move |progress| teller.lock().unwrap().push(progress))
    };
    let store = open_long(&text, mode).unwrap();
    assert_eq!(store.catalog().subscription_count(), LONG_CATALOG);
    let told = told.lock().unwrap();
    assert!(told.len() >= 3, "{told:?}");
    assert!(told.is_sorted_by_key(|progress| (progress.read, progress.entries)));
    let length = text.len() as u64;
    assert!(told.iter().all(|progress| progress.length == length));
    assert_eq!(told.last().unwrap().read, length);
}

#[test]
fn long_catalog_keeps_its_order_and_entries() {
    // Each entry looks as if others began in it.
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
        // As if it were between two parts of the file.
        49_000 => plain_entry(1),
        _ => plain_entry(n),
    };
    let error = open_long(&long_catalog(entry), default).unwrap_err();
    let document = error.document().unwrap();
    let lines: Vec<usize> = document.issues().iter().map(|i| i.line()).collect();
    assert_eq!(lines, [45_002, 49_002, 49_002], "{error}");
}
