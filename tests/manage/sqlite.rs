//! Tests of SQLite files only.

use tower_subscription_key::SqlStore;
use tower_subscription_key::manage::Manage;
use tower_subscription_key::store::Origin;

use crate::replica::{opens, until};
use crate::support::*;

#[tokio::test]
async fn store_starts_from_its_snapshot_while_the_database_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("keys.db");
    let target = database.to_str().unwrap();
    let snapshot = folder.path().join("snapshot");
    let manage = Manage::open(target).await.unwrap();
    add_starter(&manage).await;
    let key = subscribe(&manage, "contoso").await.primary_key.unwrap();
    let builder = || SqlStore::builder(target).keep_snapshot(&snapshot);
    let store = builder().open().await.unwrap();
    until(|| async { store.status().saved_at().is_some() }).await;
    drop((store, manage));
    // A file that is not a database cannot be read.
    std::fs::rename(&database, folder.path().join("away")).unwrap();
    std::fs::create_dir(&database).unwrap();
    let store = builder().open().await.unwrap();
    assert_eq!(store.status().origin(), Some(Origin::Snapshot));
    assert!(opens(&store, "echo", &key));
    assert!(store.status().last_error().is_some());
    assert!(SqlStore::open(target).await.is_err());
}

#[tokio::test]
async fn database_that_went_back_is_reported_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (target, backup) = (path("keys.db"), path("backup.db"));
    let manage = Manage::open(&target).await.unwrap();
    add_starter(&manage).await;
    drop(manage);
    std::fs::copy(&target, &backup).unwrap();
    let manage = Manage::open(&target).await.unwrap();
    let store = SqlStore::open(&*target).await.unwrap();
    let key = subscribe(&manage, "contoso").await.primary_key.unwrap();
    until(|| async { opens(&store, "echo", &key) }).await;
    // The tables as they were before, and then another change with the same number.
    let number = manage.number().await.unwrap();
    let pool = sqlx::SqlitePool::connect(&target).await.unwrap();
    for statement in [
        "DELETE FROM sk_subscriptions WHERE id = 'contoso'",
        "DELETE FROM sk_keys WHERE subscription = 'contoso'",
        "DELETE FROM sk_scopes WHERE subscription = 'contoso'",
        "UPDATE sk_audit SET at = at + 1 WHERE number = (SELECT number FROM sk_state)",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    put_api(&manage, "orders", "/orders").await;
    assert_eq!(manage.number().await.unwrap(), number + 1);
    until(|| async { store.status().went_back_at().is_some() }).await;
    until(|| async { !opens(&store, "echo", &key) }).await;
    // The store may have looked before the other change was made.
    until(|| async { store.catalog().unwrap().api("orders").is_some() }).await;
}

/// What a child process of a test does, named by this variable, on the database
/// named by `TEST_DATABASE`.
const CHILD: &str = "TEST_CHILD";

fn child(task: &str, database: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "sqlite::child_process",
            "--nocapture",
            "--include-ignored",
        ])
        .env(CHILD, task)
        .env("TEST_DATABASE", database)
        .stdout(std::process::Stdio::piped());
    command
}

#[tokio::test]
#[ignore = "runs as a child of other tests"]
async fn child_process() {
    let (Ok(task), Ok(database)) = (std::env::var(CHILD), std::env::var("TEST_DATABASE")) else {
        return;
    };
    let manage = Manage::open(&database).await.unwrap();
    if task == "create" {
        for n in 0..1000 {
            let id = format!("s{n}");
            let created = subscribe(&manage, &id).await;
            // Only what was acknowledged is printed.
            println!("\nACK {id} {}", created.primary_key.unwrap().expose());
        }
    } else {
        put_api(&manage, &task, &format!("/{task}")).await;
    }
}

#[tokio::test]
async fn writer_that_is_killed_leaves_every_acknowledged_creation_and_none_by_half() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("keys.db").to_str().unwrap().to_owned();
    add_starter(&Manage::open(&target).await.unwrap()).await;
    let mut acknowledged = Vec::new();
    for kill_after in [1, 57] {
        let mut writer = child("create", &target).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < kill_after {
            let line = lines.next().unwrap().unwrap();
            if let Some(ack) = line.strip_prefix("ACK ") {
                acknowledged.push(ack.to_owned());
                seen += 1;
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        // Those that exist already are updated without a change, and get no keys.
        let manage = Manage::open(&target).await.unwrap();
        let catalog = manage.export(admin()).await.unwrap();
        for ack in &acknowledged {
            let (_, key) = ack.split_once(' ').unwrap();
            assert!(
                tower_subscription_key::Access::for_tests(catalog.clone(), "echo", Some(key))
                    .is_ok(),
                "an acknowledged creation is lost"
            );
        }
        for subscription in catalog.subscriptions() {
            assert_eq!(subscription.keys().count(), 2);
        }
        let number = manage.number().await.unwrap();
        let page = manage.audit(admin(), &Default::default()).await.unwrap();
        assert_eq!(page.total, number, "one entry for each change");
        for record in manage
            .list_subscriptions(admin(), &Default::default())
            .await
            .unwrap()
            .records
        {
            if record.id != "master" {
                manage
                    .delete_subscription(admin(), &record.id, Default::default())
                    .await
                    .unwrap();
            }
        }
        acknowledged.clear();
    }
}

#[tokio::test]
async fn processes_that_open_a_new_file_at_once_share_it() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("keys.db").to_str().unwrap().to_owned();
        let names = ["a", "b", "c"];
        let children: Vec<_> = names
            .iter()
            .map(|name| child(name, &target).spawn().unwrap())
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let manage = Manage::open(&target).await.unwrap();
        for name in names {
            manage.api(admin(), name).await.unwrap();
        }
        assert_eq!(manage.number().await.unwrap(), 3);
        let all = manage
            .list_subscriptions(admin(), &Default::default())
            .await
            .unwrap();
        assert_eq!(all.total, 1, "one all-access subscription");
    }
}

#[tokio::test]
async fn full_disk_refuses_changes_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(folder.path())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a file system of a given size cannot be mounted here");
        return;
    }
    let result = tokio::spawn(fill(folder.path().to_owned())).await;
    let unmounted = std::process::Command::new("umount")
        .arg("-l")
        .arg(folder.path())
        .status();
    assert!(unmounted.unwrap().success());
    result.unwrap();
}

async fn fill(folder: std::path::PathBuf) {
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0; 300 << 10]).unwrap();
    let manage = Manage::open(folder.join("keys.db").to_str().unwrap())
        .await
        .unwrap();
    add_starter(&manage).await;
    let mut created = 0;
    let error = loop {
        match put(&manage, &format!("s{created}"), scoped(product("starter"))).await {
            Ok(_) => created += 1,
            Err(error) => break error,
        }
        assert!(created < 100_000, "the disk never fills");
    };
    assert_eq!(error.code(), "ServiceUnavailable", "{error:?}");
    std::fs::remove_file(&ballast).unwrap();
    subscribe(&manage, "after").await;
    let all = manage
        .list_subscriptions(admin(), &Default::default())
        .await
        .unwrap();
    assert_eq!(all.total, created + 2);
}

#[tokio::test]
async fn database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("keys.db").to_str().unwrap().to_owned();
    drop(Manage::open(&target).await.unwrap());
    let pool = sqlx::SqlitePool::connect(&target).await.unwrap();
    sqlx::query("INSERT INTO sk_migrations (version) VALUES (99)")
        .execute(&pool)
        .await
        .unwrap();
    let error = Manage::open(&target).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("newer program"), "{text}");
}

#[test]
fn sql_store_that_cannot_run_is_refused() {
    let zero = SqlStore::builder("keys.db").poll_interval(std::time::Duration::ZERO);
    let error = zero.start().unwrap_err().to_string();
    assert!(error.contains("poll_interval is zero"), "{error}");
    let error = SqlStore::builder("keys.db").start().unwrap_err();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}
