//! What is true of SQLite files alone.

use tower_subscription_key::manage::Manage;
use tower_subscription_key::store::{Origin, SqlStore};

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
    // What is not a database cannot be read.
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
    assert!(store.catalog().unwrap().api("orders").is_some());
}
