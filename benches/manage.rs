//! The figures of management, each against its goal. One figure alone:
//!
//! ```text
//! cargo bench --bench manage --all-features -- lists
//! ```
//!
//! Names: `lists`, `create`, `import`, `start`, `spread`, `use`. With
//! `SUBSCRIPTIONS` in the environment the lists and the start have so many
//! (default 1,000,000). PostgreSQL is started from its Debian package.
#![allow(
    missing_docs,
    unused,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use tower_subscription_key::catalog::{
    Api, Catalog, KeySlot, Metadata, Product, Scope, Subscription,
};
use tower_subscription_key::manage::{
    Caller, Comparison, Expected, Filter, FilterField, Import, ImportOptions, ListQuery, Manage,
    SubscriptionFields, Transition,
};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::{Access, KeyDigest, SqlLookupStore, SqlStore};

use server::Server;
use support::Repository;

#[path = "../tests/postgres/server.rs"]
mod server;
#[path = "../tests/manage/support.rs"]
mod support;

fn main() {
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wants = |name: &str| named.is_empty() || named.iter().any(|n| n == name);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if wants("use") {
        last_use();
    }
    runtime.block_on(async {
        let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let databases = |name: &str| {
            let file = folder.path().join(format!("{name}.db"));
            let url = server.database();
            [
                ("SQLite", file.to_str().unwrap().to_owned()),
                ("PostgreSQL", url),
            ]
        };
        if wants("create") {
            for (database, target) in databases("create") {
                create(database, &target).await;
            }
        }
        if wants("spread") {
            for (database, target) in databases("spread") {
                spread(database, &target).await;
            }
        }
        if wants("import") {
            for (database, target) in databases("import") {
                import(database, &target).await;
            }
        }
        if wants("lists") || wants("start") {
            for (database, target) in databases("many") {
                let count = std::env::var("SUBSCRIPTIONS").ok();
                let count = count.map_or(1_000_000, |count| count.parse().unwrap());
                let manage = Manage::open(&target).await.unwrap();
                fill(&manage, count).await;
                size(database, &target, &server, count);
                if wants("lists") {
                    lookups(database, &target, count).await;
                    lists(database, &manage, count).await;
                }
                if wants("start") {
                    start(database, &target, count).await;
                }
            }
        }
    });
}

fn admin() -> Caller {
    Caller::publisher("bench")
}

fn report(what: &str, database: &str, figure: String, goal: &str) {
    println!("{what:<34} {database:<11} {figure:>22}   goal {goal}");
}

async fn prepare(target: &str) -> Manage {
    let manage = Manage::open(target).await.unwrap();
    fill(&manage, 0).await;
    manage
}

async fn fill(manage: &Manage, count: usize) {
    const AT_ONCE: usize = 100_000;
    let definitions = Import {
        apis: vec![Api::new("echo", "/echo")],
        products: vec![Product::new("starter").with_apis(["echo"])],
        ..Import::default()
    };
    manage
        .import(&admin(), definitions, ImportOptions::default())
        .await
        .unwrap();
    for from in (0..count).step_by(AT_ONCE) {
        let import = subscriptions(from, AT_ONCE.min(count - from));
        manage
            .import(&admin(), import, ImportOptions::default())
            .await
            .unwrap();
    }
}

fn subscriptions(from: usize, count: usize) -> Import {
    let subscriptions = (from..from + count).map(|n| {
        Subscription::new(format!("subscription-{n:07}"))
            .with_display_name(format!("Subscription {n}"))
            .with_scope(Scope::Product("starter".into()))
            .with_owner(format!("owner-{}@contoso.example", n / 10))
            .with_primary_key(&*format!("primary-key-of-{n}"))
            .with_secondary_key(&*format!("secondary-key-of-{n}"))
    });
    Import {
        subscriptions: subscriptions.collect(),
        ..Import::default()
    }
}

async fn create(database: &str, target: &str) {
    const COUNT: usize = 2000;
    let manage = prepare(target).await;
    let began = Instant::now();
    for n in 0..COUNT {
        let fields = SubscriptionFields {
            scope: Some(Scope::Product("starter".into())),
            ..SubscriptionFields::default()
        };
        let id = format!("s{n}");
        manage
            .put_subscription(&admin(), &id, fields, Expected::Absent)
            .await
            .unwrap();
    }
    let rate = COUNT as f64 / began.elapsed().as_secs_f64();
    let goal = if database == "SQLite" {
        "≥ 1000/s"
    } else {
        "≥ 500/s"
    };
    report(
        "created one by one, durable",
        database,
        format!("{rate:.0}/s"),
        goal,
    );
}

async fn import(database: &str, target: &str) {
    let manage = prepare(target).await;
    let import = subscriptions(0, 100_000);
    let began = Instant::now();
    manage
        .import(&admin(), import, ImportOptions::default())
        .await
        .unwrap();
    report(
        "100,000 imported",
        database,
        format!("{:.2?}", began.elapsed()),
        "≤ 10 s",
    );
}

async fn lists(database: &str, manage: &Manage, count: usize) {
    let by = |field, value: String| ListQuery {
        filter: Some(Filter::compare(field, Comparison::Eq, value)),
        ..ListQuery::default()
    };
    let middle = count / 2;
    let queries = [
        ("first page", ListQuery::default()),
        (
            "page in the middle",
            ListQuery {
                skip: middle as u64,
                ..ListQuery::default()
            },
        ),
        (
            "page after the middle, by key",
            ListQuery {
                after: Some(format!("subscription-{middle:07}")),
                ..ListQuery::default()
            },
        ),
        (
            "by owner",
            by(
                FilterField::Owner,
                format!("owner-{}@contoso.example", middle / 10),
            ),
        ),
        (
            "by id",
            by(FilterField::Id, format!("subscription-{middle:07}")),
        ),
    ];
    for (what, query) in queries {
        let mut times = Vec::new();
        for _ in 0..21 {
            let began = Instant::now();
            black_box(manage.list_subscriptions(&admin(), &query).await.unwrap());
            times.push(began.elapsed());
        }
        times.sort();
        report(
            &format!("{what} of {count}"),
            database,
            format!("{:.2?}", times[10]),
            "< 5 ms",
        );
    }
}

/// What a subscription takes on the disk, with its keys, scope and audit entry.
fn size(database: &str, target: &str, server: &Server, count: usize) {
    let bytes = match std::fs::metadata(target) {
        Ok(file) => file.len(),
        Err(_) => {
            let name = target.rsplit('/').next().unwrap();
            let sql = "SELECT pg_database_size(current_database())";
            server.psql(name, sql).1.trim().parse().unwrap()
        }
    };
    let each = bytes as f64 / count as f64;
    report(
        "bytes for each subscription",
        database,
        format!("{each:.0}"),
        "-",
    );
}

async fn lookups(database: &str, target: &str, count: usize) {
    const LOOKUPS: usize = 5000;
    let store = SqlLookupStore::open(target).await.unwrap();
    let began = Instant::now();
    for n in 0..LOOKUPS {
        let key = format!("primary-key-of-{}", n * 7919 % count);
        assert!(store.find(&KeyDigest::of(key)).await.unwrap().is_some());
    }
    let rate = LOOKUPS as f64 / began.elapsed().as_secs_f64();
    report(
        "lookups by digest, one by one",
        database,
        format!("{rate:.0}/s"),
        "-",
    );
}

async fn start(database: &str, target: &str, count: usize) {
    let began = Instant::now();
    let store = SqlStore::open(target).await.unwrap();
    let took = began.elapsed();
    assert!(store.catalog().unwrap().subscription_count() > count);
    let goal = if database == "SQLite" {
        "≤ 3 s"
    } else {
        "≤ 6 s"
    };
    report(
        &format!("replica start with {count}"),
        database,
        format!("{took:.2?}"),
        goal,
    );
}

async fn spread(database: &str, target: &str) {
    const CHANGES: usize = 200;
    let manage = prepare(target).await;
    let mut stores = Vec::new();
    for n in 0..8 {
        // Another spelling of the same place: nothing is pushed in the process, as
        // between processes.
        let other = target
            .replace("127.0.0.1", "localhost")
            .replace("/spread", "//spread");
        let store = SqlStore::builder(other).name(format!("replica{n}"));
        stores.push(store.open().await.unwrap());
    }
    let mut times = Vec::new();
    for n in 0..CHANGES {
        let fields = SubscriptionFields {
            scope: Some(Scope::Product("starter".into())),
            ..SubscriptionFields::default()
        };
        let id = format!("s{n}");
        let put = manage
            .put_subscription(&admin(), &id, fields, Expected::Absent)
            .await
            .unwrap();
        let began = Instant::now();
        for store in &stores {
            store.wait_applied(put.number.unwrap()).await;
        }
        times.push(began.elapsed());
    }
    times.sort();
    let (median, p99) = (times[CHANGES / 2], times[CHANGES * 99 / 100]);
    let goal = if database == "SQLite" {
        "≤ 1 s by polling"
    } else {
        "p99 ≤ 100 ms"
    };
    let figure = format!("{median:.1?}, p99 {p99:.1?}");
    report("change in force on 8 replicas", database, figure, goal);
}

/// The time that recording the use of a key adds to a request.
fn last_use() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("use.db").to_str().unwrap().to_owned();
    let store = runtime.block_on(async {
        prepare(&target).await;
        SqlStore::open(&*target).await.unwrap()
    });
    let mut builder = Catalog::builder().api(Api::new("echo", "/echo"));
    for n in 0..256 {
        builder = builder.subscription(
            Subscription::new(format!("s{n}"))
                .with_scope(Scope::AllApis)
                .with_primary_key(&*format!("primary-key-of-{n}")),
        );
    }
    let catalog = builder.build().unwrap();
    let accesses: Vec<Access> = (0..256)
        .map(|n| {
            let key = format!("primary-key-of-{n}");
            Access::for_tests(catalog.clone(), "echo", Some(&key)).unwrap()
        })
        .collect();
    const ROUNDS: u32 = 20_000;
    let mut best = f64::MAX;
    for _ in 0..10 {
        let began = Instant::now();
        for _ in 0..ROUNDS {
            for access in &accesses {
                store.record_use(black_box(access));
            }
        }
        let each = began.elapsed().as_nanos() as f64 / f64::from(ROUNDS) / accesses.len() as f64;
        best = best.min(each);
    }
    report("recording a use", "", format!("{best:.2} ns"), "≤ 5 ns");
}
