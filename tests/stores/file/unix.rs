//! Links, permissions and pipes.

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
        rename_over(&watched.sibling("two/real.toml"), &catalog("ten"));
        watched.until_live("ten").await;
        swap_link(&watched.path, watched.sibling("six/real.toml"));
        watched.until_live("six").await;
        rename_over(&watched.sibling("six/real.toml"), &catalog("new"));
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
