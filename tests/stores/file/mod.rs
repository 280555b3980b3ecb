//! Catalog files that change in every possible way.

mod findings;
#[cfg(target_os = "linux")]
mod linux;
mod long;
#[cfg(unix)]
mod unix;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch::Receiver;
use tower_subscription_key::store::StoreStatus;
use tower_subscription_key::store::file::{FileError, FileStore, FileStoreBuilder};

/// Long enough for any machine. Only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A catalog with one API. Its id identifies the version.
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

/// For changes that only polling detects.
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
    /// A store for a file that contains `catalog("one")`.
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

    fn sibling(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn until(&mut self, what: &str, fits: impl Fn(&StoreStatus) -> bool) -> StoreStatus {
        let wait = self.statuses.wait_for(|status| fits(status));
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(status) => status.unwrap().clone(),
            Err(_) => panic!("not {what}: {:?}", self.store.status()),
        }
    }

    /// Waits until the given API is live and the store has no error.
    async fn until_live(&mut self, api: &str) {
        let store = self.store.clone();
        let is_live = |status: &StoreStatus| {
            status.last_error().is_none() && store.catalog().api(api).is_some()
        };
        self.until(&format!("live: {api}"), is_live).await;
    }

    /// Waits until the file is rejected, and checks that the catalog is kept.
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

#[test]
fn open_of_unusable_file_returns_the_cause() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let message = |name: &str| {
        let error = FileStore::builder(path(name)).open_blocking().unwrap_err();
        let message = error.to_string();
        let file = path(name).display().to_string();
        message.replace(&file, "FILE")
    };
    assert_eq!(message("none.toml"), "FILE: there is no such file");
    assert_eq!(
        message("a.ini"),
        "FILE: a catalog file ends in `.toml`, `.json`, `.yaml` or `.yml`"
    );
    fs::create_dir(path("dir.toml")).unwrap();
    assert_eq!(message("dir.toml"), "FILE: not a regular file");
    fs::write(path("a.json"), r#"{"apis": [{"path": ""}, {"id": "a"}]}"#).unwrap();
    assert_eq!(
        message("a.json"),
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
    // A second, watching store detects the change that this one ignores.
    let (directory, path) = (TempDir::new().unwrap(), watched.path.clone());
    let mut watching = Watched::open(directory, path, default);
    fs::write(&watched.path, catalog("two")).unwrap();
    watching.until_live("two").await;
    assert_eq!(watched.store.status().version(), 1);

    let status = watched.store.reload().await.unwrap();
    assert_eq!(status.version(), 2);
    assert!(watched.store.catalog().api("two").is_some());
    // The same content counts too: a file that it refers to may have changed.
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
