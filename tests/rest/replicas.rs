//! The list of replicas.

use serde_json::json;
use tower_subscription_key::SqlStore;
use tower_subscription_key::manage::Manage;

use crate::support::{Plane, get, put};

#[tokio::test]
async fn replica_of_the_process_is_listed_with_the_change_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.db");
    let file = file.to_str().unwrap();
    let manage = Manage::builder().open(file).await.unwrap();
    let store = SqlStore::builder(file).name("own").open().await.unwrap();
    let plane = Plane::with_replica(manage, store);
    for index in 0..20 {
        let api = put(
            "/apis/a",
            json!({ "path": "a", "displayName": index.to_string() }),
        );
        let changed = plane.send(api).await;
        let number = changed.headers["change-number"].to_str().unwrap();
        let list = plane.expect(get("/replicas"), 200).await.json();
        let own = &list["value"][0];
        assert_eq!(
            (&own["id"], own["applied"].to_string()),
            (&json!("own"), number.to_owned())
        );
    }
}
