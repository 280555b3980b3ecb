//! Catalogs in several files, and keys in separate files.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tower_subscription_key::store::{StoreStatus, SubscriptionStore};
use tower_subscription_key::{FileStore, KeyDigest};

use crate::remote::within;

const CATALOG: &str = r#"
[[apis]]
id = "echo"
path = "/echo"

[[subscriptions]]
id = "contoso"
scope = "/apis/echo"
primary_key = { file = "secret/key" }
"#;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory }
    }

    /// A directory with a catalog and the given key in `secret/key`.
    fn with_key(key: &str) -> Self {
        let place = Self::new();
        place.write("catalog.toml", CATALOG);
        fs::create_dir(place.path("secret")).unwrap();
        place.write("secret/key", key);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    async fn open(&self) -> FileStore {
        FileStore::open(self.path("catalog.toml")).await.unwrap()
    }
}

async fn is_known(store: &FileStore, key: &str) -> bool {
    let Ok(owner) = store.find(&KeyDigest::of(key)).await;
    owner.is_some()
}

async fn until(store: &FileStore, what: impl Fn(&StoreStatus) -> bool) -> StoreStatus {
    let mut status = store.watch_status();
    within(status.wait_for(|status| what(status)))
        .await
        .unwrap()
        .clone()
}

async fn until_version(store: &FileStore, version: u64) {
    let is_there = |status: &StoreStatus| status.version() == version;
    assert_eq!(until(store, is_there).await.last_error(), None);
}

#[tokio::test]
async fn replaced_key_file_is_live() {
    let place = Place::with_key("the-first-key-of-contoso\n");
    let store = place.open().await;
    assert!(is_known(&store, "the-first-key-of-contoso").await);
    place.write("secret/new", "the-second-key-of-contoso\n");
    fs::rename(place.path("secret/new"), place.path("secret/key")).unwrap();
    until_version(&store, 2).await;
    assert!(is_known(&store, "the-second-key-of-contoso").await);
    assert!(!is_known(&store, "the-first-key-of-contoso").await);
    // The same with a write in place.
    place.write("secret/key", "the-third-key-of-contoso");
    until_version(&store, 3).await;
    assert!(is_known(&store, "the-third-key-of-contoso").await);
}

fn publish(volume: &Path, version: &str, key: &str) {
    fs::create_dir(volume.join(version)).unwrap();
    fs::write(volume.join(version).join("key"), key).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[tokio::test]
async fn key_file_in_a_kubernetes_secret_is_followed_through_its_swaps() {
    let place = Place::new();
    place.write("catalog.toml", CATALOG);
    let volume = place.path("secret");
    fs::create_dir(&volume).unwrap();
    publish(&volume, "..2026_1", "the-first-key-of-contoso");
    symlink("..data/key", volume.join("key")).unwrap();
    let store = place.open().await;
    for (number, key) in [
        (2, "the-second-key-of-contoso"),
        (3, "the-third-key-of-contoso"),
    ] {
        publish(&volume, &format!("..2026_{number}"), key);
        until_version(&store, number).await;
        assert!(is_known(&store, key).await);
        let old = volume.join(format!("..2026_{}", number - 1));
        fs::remove_dir_all(old).unwrap();
    }
}

#[tokio::test]
async fn deleted_key_file_is_reported_and_its_last_key_used() {
    let place = Place::with_key("the-first-key-of-contoso");
    let store = place.open().await;
    fs::remove_file(place.path("secret/key")).unwrap();
    let status = until(&store, |status| status.last_error().is_some()).await;
    let error = status.last_error().unwrap();
    assert!(error.contains("catalog.toml:9:"), "{error}");
    assert!(is_known(&store, "the-first-key-of-contoso").await);
    place.write("secret/key", "the-first-key-of-contoso");
    let status = until(&store, |status| status.last_error().is_none()).await;
    assert_eq!(status.version(), 1);
}

#[tokio::test]
async fn key_file_that_is_touched_makes_no_new_version() {
    let place = Place::with_key("the-first-key-of-contoso");
    let store = place.open().await;
    place.write("secret/key", "the-first-key-of-contoso");
    place.write("catalog.toml", &CATALOG.replace("contoso", "fabrikam"));
    until(&store, |_| {
        store.catalog().subscription("fabrikam").is_some()
    })
    .await;
    assert_eq!(store.status().version(), 2);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn key_file_is_not_used_before_its_writer_closes_it() {
    let place = Place::with_key("the-first-key-of-contoso");
    let store = place.open().await;
    // The thread watches the key file's folder only after it has read the file.
    place.write("secret/key", "the-second-key-of-contoso");
    until_version(&store, 2).await;
    let mut file = fs::File::create(place.path("secret/key")).unwrap();
    file.write_all(b"the-half-of-a-key").unwrap();
    // Far longer than the settle time.
    tokio::time::sleep(Duration::from_millis(700)).await;
    file.write_all(b"-and-its-other-half").unwrap();
    drop(file);
    until_version(&store, 3).await;
    assert!(is_known(&store, "the-half-of-a-key-and-its-other-half").await);
}

const APIS: &str = "apis: [{ id: echo, path: /echo }]\nproducts: [{ id: starter, apis: [echo] }]\n";

fn subscription(id: &str) -> String {
    format!(
        "[[subscriptions]]\nid = '{id}'\nscope = '/products/starter'\nprimary_key = 'the-only-key-of-{id}'\n"
    )
}

#[tokio::test]
async fn several_files_are_one_catalog_and_each_is_watched() {
    let place = Place::new();
    let names = ["apis.yaml", "subscriptions.toml"];
    place.write(names[0], APIS);
    place.write(names[1], &subscription("contoso"));
    let store = FileStore::open_all(names.map(|name| place.path(name))).await;
    let store = store.unwrap();
    assert!(is_known(&store, "the-only-key-of-contoso").await);
    place.write(names[1], &subscription("fabrikam"));
    until_version(&store, 2).await;
    assert!(is_known(&store, "the-only-key-of-fabrikam").await);
    place.write(names[0], &APIS.replace("/echo", "/other"));
    until_version(&store, 3).await;
    assert_eq!(store.catalog().api("echo").unwrap().path(), "/other");

    // The product that the other file refers to is gone.
    place.write(names[0], &APIS.replace("starter", "gold"));
    let status = until(&store, |status| status.last_error().is_some()).await;
    let error = status.last_error().unwrap();
    assert!(error.contains("subscriptions.toml:3:"), "{error}");
    assert!(is_known(&store, "the-only-key-of-fabrikam").await);
}

#[tokio::test]
async fn no_file_at_all_is_refused() {
    let error = FileStore::open_all([] as [&Path; 0]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no catalog file was given: name at least one"
    );
}
