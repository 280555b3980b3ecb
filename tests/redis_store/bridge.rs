//! Changes of a database are published to Redis.

use tower_subscription_key::catalog::Scope;
use tower_subscription_key::manage::{
    ApiFields, Caller, Expected, Manage, SubscriptionFields, Transition,
};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::redis::RedisPublisher;
use tower_subscription_key::{KeyDigest, SqlStore};

use crate::server::Server;
use crate::support::{PATIENCE, builder, options};

#[tokio::test]
async fn database_change_arrives_in_redis() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("keys.db").to_str().unwrap().to_owned();
    let (manage, admin) = (
        Manage::open(&target).await.unwrap(),
        Caller::publisher("admin"),
    );
    let fields = ApiFields {
        path: Some("/echo".into()),
        ..ApiFields::default()
    };
    manage
        .put_api(&admin, "echo", fields, Expected::Absent)
        .await
        .unwrap();
    let server = Server::start();
    let publisher = RedisPublisher::new(options(&server)).unwrap();
    let database = SqlStore::open(&*target).await.unwrap();
    let bridge = tokio::spawn(async move { database.publish_to(&publisher).await });

    let store = loop {
        match builder(options(&server)).open().await {
            Ok(store) => break store,
            // Nothing is published yet.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    let fields = SubscriptionFields {
        scope: Some(Scope::Api("echo".into())),
        ..SubscriptionFields::default()
    };
    let created = manage.put_subscription(&admin, "contoso", fields, Expected::Absent);
    let key = created.await.unwrap().value.primary_key.unwrap();
    let digest = KeyDigest::of(key.expose());
    let arrives = |state: Option<&'static str>| {
        let (store, digest) = (store.clone(), digest);
        async move {
            let found = async {
                loop {
                    let owner = store.find(&digest).await.unwrap();
                    if owner.map(|owner| owner.subscription().state().as_str()) == state {
                        return;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(PATIENCE, found).await.unwrap();
        }
    };
    arrives(Some("active")).await;
    manage
        .suspend(&admin, "contoso", Transition::default())
        .await
        .unwrap();
    arrives(Some("suspended")).await;
    let deleted = manage.delete_subscription(&admin, "contoso", Expected::Anything);
    deleted.await.unwrap();
    arrives(None).await;
    bridge.abort();
}
