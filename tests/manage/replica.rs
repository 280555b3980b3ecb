//! Stores that follow the database.
#![allow(dead_code)]

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use tower_subscription_key::catalog::{Catalog, KeyOwner, KeySlot, State};
use tower_subscription_key::manage::{
    Deletion, Expected, Import, ImportOptions, ListQuery, Manage, Rotation, Secret,
    SubscriptionFields,
};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::conformance::{self, Ability, Harness, Trouble};
use tower_subscription_key::{Access, KeyDigest, SqlLookupStore, SqlStore};

use crate::support::*;

tests!(
    store_follows_every_kind_of_change,
    store_that_starts_late_reads_everything,
    replaced_key_opens_until_its_grace_ends,
    eight_replicas_accept_no_revoked_key_once_the_change_is_in_force,
    lookup_store_behind_its_cache_follows_changes,
    replaced_key_is_looked_up_with_the_end_of_its_grace,
    last_use_is_written_and_changes_no_version,
    sql_store_keeps_every_promise,
    lookup_store_keeps_every_promise,
    definition_made_again_takes_its_new_place,
    replica_counts_although_the_clock_of_the_database_was_set_back,
    replica_that_is_closed_counts_no_longer_and_its_last_use_is_written,
);

/// Far longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

async fn store(target: &str, name: &str) -> SqlStore {
    let builder = SqlStore::builder(target).name(name);
    builder.open().await.unwrap()
}

async fn in_force(manage: &Manage, number: Option<u64>) {
    let number = number.unwrap();
    assert!(manage.wait_applied(number, PATIENCE).await.unwrap());
}

async fn owner(store: &impl SubscriptionStore, key: &str) -> Option<KeyOwner> {
    store.find(&KeyDigest::of(key)).await.unwrap()
}

pub(crate) fn opens(store: &SqlStore, api: &str, key: &Secret) -> bool {
    Access::for_tests(store.catalog().unwrap(), api, Some(key.expose())).is_ok()
}

async fn store_follows_every_kind_of_change(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let store = store(&target, "one").await;
    let put = manage.put_subscription(
        admin(),
        "contoso",
        scoped(product("starter")),
        Expected::Absent,
    );
    let put = put.await.unwrap();
    in_force(&manage, put.number).await;
    let key = put.value.primary_key.unwrap();
    assert!(opens(&store, "echo", &key));
    let suspended = manage
        .suspend(admin(), "contoso", Default::default())
        .await
        .unwrap();
    in_force(&manage, suspended.number).await;
    assert!(!opens(&store, "echo", &key));
    assert_eq!(
        owner(&store, key.expose())
            .await
            .unwrap()
            .subscription()
            .state(),
        State::Suspended
    );
    let active = manage
        .activate(admin(), "contoso", Default::default())
        .await
        .unwrap();
    in_force(&manage, active.number).await;
    // Another API, first outside and then inside the product.
    put_api(&manage, "orders", "/orders").await;
    let added = manage.add_api(admin(), "starter", "orders").await.unwrap();
    in_force(&manage, added.number).await;
    assert!(opens(&store, "orders", &key));
    let removed = manage
        .remove_api(admin(), "starter", "orders")
        .await
        .unwrap();
    in_force(&manage, removed.number).await;
    assert!(!opens(&store, "orders", &key));
    let along = Deletion {
        with_subscriptions: true,
        ..Deletion::default()
    };
    let deleted = manage
        .delete_product(admin(), "starter", along)
        .await
        .unwrap();
    in_force(&manage, deleted.number).await;
    assert!(owner(&store, key.expose()).await.is_none());
    assert!(store.catalog().unwrap().product("starter").is_none());
    let applied = store.status().revision().unwrap().parse::<u64>().unwrap();
    assert_eq!(Some(applied), deleted.number);
}

async fn store_that_starts_late_reads_everything(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let keys: Vec<Secret> = {
        let mut keys = Vec::new();
        for n in 0..30 {
            keys.push(
                subscribe(&manage, &format!("s{n}"))
                    .await
                    .primary_key
                    .unwrap(),
            );
        }
        keys
    };
    let store = store(&target, "late").await;
    assert!(keys.iter().all(|key| opens(&store, "echo", key)));
    let exported = manage.export(admin()).await.unwrap();
    let catalog = store.catalog().unwrap();
    assert!(catalog.apis().eq(exported.apis()));
    assert!(catalog.subscriptions().eq(exported.subscriptions()));
}

async fn replaced_key_opens_until_its_grace_ends(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let store = store(&target, "one").await;
    let created = subscribe(&manage, "contoso").await;
    let old = created.primary_key.unwrap();
    let grace = |seconds| Rotation {
        grace: Duration::from_secs(seconds),
        ..Rotation::default()
    };
    let slot = KeySlot::Primary;
    let rotated = manage
        .regenerate(admin(), "contoso", slot, grace(3600))
        .await
        .unwrap();
    in_force(&manage, rotated.number).await;
    assert!(opens(&store, "echo", &old) && opens(&store, "echo", &rotated.value.key));
    let access = Access::for_tests(store.catalog().unwrap(), "echo", Some(old.expose())).unwrap();
    assert_eq!(access.key_slot(), Some(slot));
    let again = manage
        .regenerate(admin(), "contoso", slot, grace(0))
        .await
        .unwrap();
    in_force(&manage, again.number).await;
    assert!(!opens(&store, "echo", &old) && !opens(&store, "echo", &rotated.value.key));
    assert!(opens(&store, "echo", &again.value.key));
    assert!(opens(&store, "echo", &created.secondary_key.unwrap()));
}

async fn eight_replicas_accept_no_revoked_key_once_the_change_is_in_force(
    repository: impl Repository,
) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let mut stores = Vec::new();
    for n in 0..8 {
        stores.push(store(&target, &format!("replica{n}")).await);
    }
    for n in 0..20 {
        let id = format!("s{n}");
        let put =
            manage.put_subscription(admin(), &id, scoped(product("starter")), Expected::Absent);
        let put = put.await.unwrap();
        in_force(&manage, put.number).await;
        let key = put.value.primary_key.unwrap();
        assert!(
            stores.iter().all(|store| opens(store, "echo", &key)),
            "{id}"
        );
        let revoked = match n % 3 {
            0 => {
                manage
                    .suspend(admin(), &id, Default::default())
                    .await
                    .unwrap()
                    .number
            }
            1 => {
                manage
                    .delete_subscription(admin(), &id, Expected::Anything)
                    .await
                    .unwrap()
                    .number
            }
            _ => {
                let slot = KeySlot::Primary;
                let rotated = manage.regenerate(admin(), &id, slot, Rotation::default());
                rotated.await.unwrap().number
            }
        };
        in_force(&manage, revoked).await;
        assert!(
            !stores.iter().any(|store| opens(store, "echo", &key)),
            "{id}"
        );
    }
    let replicas = manage.replicas(admin()).await.unwrap();
    let names: HashSet<&str> = replicas.iter().map(|replica| &*replica.id).collect();
    assert_eq!(names.len(), 8);
}

async fn lookup_store_behind_its_cache_follows_changes(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let store = SqlLookupStore::open(&*target).await.unwrap();
    let cached = store.clone().cached_with(|cache| cache).unwrap();
    let by_hand = |key: &str| SubscriptionFields {
        primary_key: Some(tower_subscription_key::manage::KeyInput::text(key)),
        ..scoped(product("starter"))
    };
    // The unknown key is cached as unknown, and known once it is created.
    assert!(owner(&cached, "key-one").await.is_none());
    put(&manage, "contoso", by_hand("key-one")).await.unwrap();
    until(|| async { owner(&cached, "key-one").await.is_some() }).await;
    put(&manage, "contoso", by_hand("key-two")).await.unwrap();
    until(|| async { owner(&cached, "key-one").await.is_none() }).await;
    assert!(owner(&cached, "key-two").await.is_some());
    put_api(&manage, "orders", "/orders").await;
    until(|| async { store.definitions().unwrap().api("orders").is_some() }).await;
}

async fn replaced_key_is_looked_up_with_the_end_of_its_grace(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let old = subscribe(&manage, "contoso").await.primary_key.unwrap();
    let rotation = Rotation {
        grace: Duration::from_secs(3600),
        ..Rotation::default()
    };
    let slot = KeySlot::Primary;
    let rotated = manage
        .regenerate(admin(), "contoso", slot, rotation)
        .await
        .unwrap();
    let store = SqlLookupStore::open(&*target).await.unwrap();
    let replaced = owner(&store, old.expose()).await.unwrap();
    let current = owner(&store, rotated.value.key.expose()).await.unwrap();
    assert_eq!((replaced.slot(), current.slot()), (slot, slot));
    assert!(replaced.is_retired() && !current.is_retired());
}

/// Waits until a condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let end = SystemTime::now() + PATIENCE;
    while !holds().await {
        assert!(SystemTime::now() < end, "the change does not arrive");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn last_use_is_written_and_changes_no_version(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let store = store(&target, "one").await;
    let created = subscribe(&manage, "contoso").await;
    in_force(&manage, Some(manage.number().await.unwrap())).await;
    let key = created.secondary_key.unwrap();
    let access = Access::for_tests(store.catalog().unwrap(), "echo", Some(key.expose())).unwrap();
    let before = SystemTime::now();
    store.record_use(&access);
    let number = manage.number().await.unwrap();
    until(|| async {
        let record = manage.subscription(admin(), "contoso").await.unwrap();
        record.secondary_key.unwrap().last_used_at.is_some()
    })
    .await;
    let record = manage.subscription(admin(), "contoso").await.unwrap();
    let used = record.secondary_key.unwrap().last_used_at.unwrap();
    assert!(used <= before && before.duration_since(used).unwrap() < Duration::from_secs(120));
    assert_eq!(record.primary_key.unwrap().last_used_at, None);
    assert_eq!(
        (record.version, manage.number().await.unwrap()),
        (1, number)
    );
}

async fn definition_made_again_takes_its_new_place(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let store = store(&target, "one").await;
    put_product(&manage, "second", &["echo"]).await;
    manage
        .delete_product(admin(), "starter", Deletion::default())
        .await
        .unwrap();
    put_product(&manage, "starter", &["echo"]).await;
    in_force(&manage, Some(manage.number().await.unwrap())).await;
    let exported = manage.export(admin()).await.unwrap();
    let ids: Vec<&str> = exported.products().map(|product| product.id()).collect();
    assert_eq!(ids, ["second", "starter"]);
    let catalog = store.catalog().unwrap();
    assert!(catalog.products().eq(exported.products()));
}

async fn replica_counts_although_the_clock_of_the_database_was_set_back(
    repository: impl Repository,
) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let _store = store(&target, "one").await;
    // As if the last report were of an hour from now.
    let report = "UPDATE sk_replicas SET at = at + 3600000000";
    repository.execute(report).await;
    let replicas = manage.replicas(admin()).await.unwrap();
    assert_eq!(replicas[0].id, "one");
    assert_eq!(replicas[0].age, Duration::ZERO);
}

async fn replica_that_is_closed_counts_no_longer_and_its_last_use_is_written(
    repository: impl Repository,
) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = with_starter(&repository).await;
    let put = put(&manage, "contoso", scoped(product("starter")))
        .await
        .unwrap();
    let store = store(&target, "one").await;
    assert_eq!(manage.replicas(admin()).await.unwrap().len(), 1);
    let key = put.primary_key.unwrap();
    let access = Access::for_tests(store.catalog().unwrap(), "echo", Some(key.expose())).unwrap();
    store.record_use(&access);
    store.close().await;
    assert_eq!(manage.replicas(admin()).await.unwrap(), []);
    let record = manage.subscription(admin(), "contoso").await.unwrap();
    assert!(record.primary_key.unwrap().last_used_at.is_some());
}

/// Makes stores on a database that holds a catalog.
struct Databases<'r, R, F> {
    repository: &'r R,
    open: F,
}

/// Brings a database to a catalog.
async fn bring_to(manage: &Manage, catalog: &Catalog) {
    let all = ListQuery {
        top: 10_000,
        ..ListQuery::default()
    };
    for record in manage
        .list_subscriptions(admin(), &all)
        .await
        .unwrap()
        .records
    {
        if catalog.subscription(&record.id).is_none() {
            let delete = manage.delete_subscription(admin(), &record.id, Expected::Anything);
            delete.await.unwrap();
        }
    }
    let options = ImportOptions {
        replace: true,
        ..ImportOptions::default()
    };
    manage
        .import(admin(), Import::from(catalog), options)
        .await
        .unwrap();
    for record in manage.list_products(admin(), &all).await.unwrap().records {
        if catalog.product(&record.id).is_none() {
            let delete = manage.delete_product(admin(), &record.id, Deletion::default());
            delete.await.unwrap();
        }
    }
    for record in manage.list_apis(admin(), &all).await.unwrap().records {
        if catalog.api(&record.id).is_none() {
            let delete = manage.delete_api(admin(), &record.id, Deletion::default());
            delete.await.unwrap();
        }
    }
}

impl<R: Repository, S: SubscriptionStore, F: AsyncFn(String) -> S> Harness for Databases<'_, R, F> {
    type Store = S;

    async fn store(&self, catalog: Catalog) -> Result<S, Trouble> {
        let manage = self.repository.open(Manage::builder()).await?;
        bring_to(&manage, &catalog).await;
        Ok((self.open)(self.repository.target().ok_or("no database")?).await)
    }

    async fn change(&self, _: &S, catalog: Catalog) -> Result<Ability, Trouble> {
        let manage = self.repository.open(Manage::builder()).await?;
        bring_to(&manage, &catalog).await;
        Ok(Ability::Done)
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

async fn sql_store_keeps_every_promise(repository: impl Repository) {
    if repository.target().is_none() {
        return;
    }
    let repository = &repository;
    let open = async |target: String| SqlStore::open(target).await.unwrap();
    conformance::check(Databases { repository, open })
        .await
        .unwrap();
}

async fn lookup_store_keeps_every_promise(repository: impl Repository) {
    if repository.target().is_none() {
        return;
    }
    let repository = &repository;
    let open = async |target: String| {
        let store = SqlLookupStore::open(target).await.unwrap();
        store.cached_with(|cache| cache).unwrap()
    };
    conformance::check(Databases { repository, open })
        .await
        .unwrap();
    let open = async |target: String| SqlLookupStore::open(target).await.unwrap();
    conformance::check(Databases { repository, open })
        .await
        .unwrap();
}
