//! Databases of older versions.

use tower_subscription_key::SqlStore;
use tower_subscription_key::manage::{AuditQuery, Manage, Operation};

use crate::support::*;

tests!(database_of_each_older_version_is_migrated_with_its_content);

/// The statements that take a database from a version back to the one before.
const BACK: [(i64, &[&str]); 2] = [
    (
        3,
        &["DROP INDEX sk_audit_operation", "DROP INDEX sk_audit_at"],
    ),
    (2, &["DROP TABLE sk_uses", "DROP TABLE sk_replicas"]),
];

async fn database_of_each_older_version_is_migrated_with_its_content(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    subscribe(&manage, "contoso").await;
    drop(manage);
    for steps in 1..=BACK.len() {
        for (version, statements) in &BACK[..steps] {
            for statement in *statements {
                repository.execute(statement).await;
            }
            let forget = format!("DELETE FROM sk_migrations WHERE version = {version}");
            repository.execute(&forget).await;
        }
        let manage = repository.open(Manage::builder()).await.unwrap();
        let contoso = manage.subscription(admin(), "contoso").await.unwrap();
        assert!(contoso.primary_key.unwrap().last_used_at.is_none());
        subscribe(&manage, &format!("after{steps}")).await;
        let store = SqlStore::builder(&*target)
            .name("one")
            .open()
            .await
            .unwrap();
        let number = manage.number().await.unwrap();
        store.wait_applied(number).await;
        assert!(store.catalog().unwrap().subscription("contoso").is_some());
        let created = AuditQuery {
            operation: Some(Operation::Create),
            ..AuditQuery::default()
        };
        let created = manage.audit(admin(), &created).await.unwrap();
        assert_eq!(created.total, 3 + steps as u64);
    }
}
