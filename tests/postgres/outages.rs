//! What stores do when the server goes away, comes back, or comes back older.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tower_subscription_key::manage::Manage;
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::{KeyDigest, SqlStore};

use crate::replica::{opens, until};
use crate::server::Server;
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_server_fails_no_request_and_changes_arrive_when_it_is_back() {
    let mut server = Server::start();
    let target = server.database();
    let manage = Manage::open(&target).await.unwrap();
    add_starter(&manage).await;
    let key = subscribe(&manage, "contoso").await.primary_key.unwrap();
    let store = SqlStore::open(&*target).await.unwrap();
    let (stop, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let load = tokio::spawn({
        let (store, stop, answered) = (store.clone(), Arc::clone(&stop), Arc::clone(&answered));
        let digest = KeyDigest::of(key.expose());
        async move {
            while !stop.load(Ordering::Relaxed) {
                store.holdings().unwrap();
                assert!(store.find(&digest).await.unwrap().is_some());
                answered.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let mut server = tokio::task::spawn_blocking(move || {
        server.stop();
        server
    })
    .await
    .unwrap();
    until(|| async { store.status().last_error().is_some() }).await;
    let refused = put(&manage, "fabrikam", scoped(product("starter"))).await;
    assert_eq!(refused.unwrap_err().code(), "ServiceUnavailable");
    let while_away = answered.load(Ordering::Relaxed);
    until(|| async { answered.load(Ordering::Relaxed) > while_away + 100 }).await;
    let server = tokio::task::spawn_blocking(move || {
        server.run();
        server
    })
    .await
    .unwrap();
    let created = subscribe(&manage, "fabrikam").await.primary_key.unwrap();
    until(|| async { opens(&store, "echo", &created) }).await;
    until(|| async { store.status().last_error().is_none() }).await;
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_lacks_the_last_changes_is_reported_and_followed() {
    let mut server = Server::start();
    let target = server.database();
    let manage = Manage::open(&target).await.unwrap();
    add_starter(&manage).await;
    let store = SqlStore::open(&*target).await.unwrap();
    let data = server.folder().join("data");
    let older = server.folder().join("older");
    // A copy of a stopped server is what a replica that fell behind has.
    server.stop();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
        assert!(copied.unwrap().success());
    };
    copy(&data, &older);
    server.run();
    let key = subscribe(&manage, "contoso").await.primary_key.unwrap();
    until(|| async { opens(&store, "echo", &key) }).await;
    server.stop();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&older, &data);
    server.run();
    until(|| async { store.status().went_back_at().is_some() }).await;
    until(|| async { !opens(&store, "echo", &key) }).await;
}

#[tokio::test]
async fn change_is_pushed_to_a_store_that_hardly_polls() {
    let server = Server::start();
    let target = server.database();
    let manage = Manage::open(&target).await.unwrap();
    add_starter(&manage).await;
    // Another name for the same server, so that nothing is pushed in the process.
    let other = target.replace("127.0.0.1", "localhost");
    let builder = SqlStore::builder(other).poll_interval(Duration::from_secs(3600));
    let store = builder.open().await.unwrap();
    let key = subscribe(&manage, "contoso").await.primary_key.unwrap();
    until(|| async { opens(&store, "echo", &key) }).await;
    assert!(store.status().last_push().is_some());
}

#[tokio::test]
async fn connection_over_tls_checks_the_certificate() {
    let names = vec!["127.0.0.1".to_owned()];
    let issued = rcgen::generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let server = Server::start_with(
        "ssl = on\nssl_cert_file = '../server.crt'\nssl_key_file = '../server.key'\n",
        |folder| crate::server::write_private(folder, &certificate, &key),
    );
    let root = server.folder().join("server.crt");
    let url = format!("{}?sslmode=verify-full", server.database());
    let trusted = format!("{url}&sslrootcert={}", root.display());
    let manage = Manage::open(&trusted).await.unwrap();
    add_starter(&manage).await;
    let store = SqlStore::open(trusted).await.unwrap();
    assert!(store.catalog().unwrap().api("echo").is_some());
    let refused = Manage::open(&url).await.unwrap_err();
    assert!(
        format!("{refused:?}").contains("UnknownIssuer"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn lists_and_lookups_of_many_records_scan_no_table() {
    use tower_subscription_key::catalog::{Api, KeySlot, Product, Subscription};
    use tower_subscription_key::manage::{
        AuditQuery, Comparison, Filter, FilterField, Import, ImportOptions, ListQuery,
    };
    let server = Server::start();
    let target = server.database();
    let manage = Manage::open(&target).await.unwrap();
    let subscriptions = (0..20_000).map(|n| {
        Subscription::new(format!("s{n}"))
            .with_scope(product("starter"))
            .with_owner(format!("owner{}", n / 10))
            .with_primary_key(&*format!("key-{n}-of-many-keys"))
    });
    let import = Import {
        apis: vec![Api::new("echo", "/echo")],
        products: vec![Product::new("starter").with_apis(["echo"])],
        subscriptions: subscriptions.collect(),
        ..Import::default()
    };
    manage
        .import(admin(), import, ImportOptions::default())
        .await
        .unwrap();
    let name = target.rsplit('/').next().unwrap();
    assert!(server.psql(name, "ANALYZE").0);
    let scans = || {
        let sql = "SELECT pg_stat_clear_snapshot(); SELECT sum(seq_scan) FROM \
                   pg_stat_user_tables WHERE relname IN ('sk_subscriptions', 'sk_keys', \
                   'sk_scopes', 'sk_audit')";
        server.psql(name, sql).1.trim().to_owned()
    };
    // The server counts with a delay.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = scans();
    let by = |field, value: &str| ListQuery {
        filter: Some(Filter::compare(field, Comparison::Eq, value)),
        ..ListQuery::default()
    };
    let listed = manage
        .list_subscriptions(admin(), &ListQuery::default())
        .await
        .unwrap();
    assert_eq!(listed.total, 20_001);
    for (query, total) in [
        (by(FilterField::Owner, "owner7"), 10),
        (by(FilterField::Id, "s77"), 1),
    ] {
        let found = manage.list_subscriptions(admin(), &query).await.unwrap();
        assert_eq!(found.total, total);
    }
    manage.subscription(admin(), "s99").await.unwrap();
    subscribe(&manage, "new").await;
    manage
        .regenerate(admin(), "s5", KeySlot::Primary, Default::default())
        .await
        .unwrap();
    let of_record = AuditQuery {
        record: Some("s5".into()),
        ..AuditQuery::default()
    };
    assert_eq!(manage.audit(admin(), &of_record).await.unwrap().total, 2);
    let lookup = tower_subscription_key::SqlLookupStore::open(&*target)
        .await
        .unwrap();
    let digest = KeyDigest::of("key-42-of-many-keys");
    assert!(lookup.find(&digest).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(scans(), before);
}
