//! Two catalogs alternate. In one, product `p1` contains API `x`, `p2` contains `y`,
//! and the subscription has `p1`; in the other, the products are swapped. So the key
//! always grants access to `x` and never to `y`. A decision that mixes the
//! subscription of one catalog and the products of the other is wrong.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::watch;
use tower::{Layer, ServiceExt, service_fn};
use tower_subscription_key::catalog::{Api, Catalog, KeySlot, Product, Scope, Subscription};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::{
    FileStore, HttpLookupStore, HttpStore, KeyDigest, MemoryStore, SubscriptionKeyLayer, document,
};

use crate::remote::{Manner, PATIENCE, RemoteServer, within};

const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";
const HOUR: Duration = Duration::from_secs(3600);
const LATENCY: Duration = Duration::from_millis(100);

/// How many tasks send requests at the same time.
const TASKS: usize = 8;

/// How many responses come between two turns at least.
const RESPONSES_PER_TURN: usize = 2 * TASKS;

/// The catalog of the given turn.
fn turned(turn: usize) -> Catalog {
    let (with_x, with_y) = if turn.is_multiple_of(2) {
        ("p1", "p2")
    } else {
        ("p2", "p1")
    };
    Catalog::builder()
        .api(Api::new("x", "/x"))
        .api(Api::new("y", "/y"))
        .product(Product::new(with_x).with_apis(["x"]))
        .product(Product::new(with_y).with_apis(["y"]))
        .subscription(
            Subscription::new("contoso")
                .with_scope(Scope::Product(with_x.into()))
                .with_primary_key(KEY),
        )
        .build()
        .unwrap()
}

/// A remote server that has only the given catalog.
fn paired(turn: usize) -> Manner {
    let catalog = turned(turn);
    let contoso = catalog.subscription("contoso").unwrap();
    let owner = document::owner_to_json(Some((&contoso, KeySlot::Primary)));
    Manner::Paired {
        body: document::to_json(&catalog),
        etag: ["\"even\"", "\"odd\""][turn % 2],
        owners: [(KeyDigest::of(KEY).to_hex(), owner)].into(),
    }
}

/// How many responses have each status.
#[derive(Debug, Default)]
struct Counts {
    allowed_x: usize,
    denied_x: usize,
    allowed_y: usize,
    denied_y: usize,
    unavailable: usize,
}

impl Counts {
    fn add(&mut self, path: &str, status: u16) {
        let count = match (path, status) {
            ("/x", 200) => &mut self.allowed_x,
            ("/x", 401) => &mut self.denied_x,
            ("/y", 200) => &mut self.allowed_y,
            ("/y", 401) => &mut self.denied_y,
            (_, 503) => &mut self.unavailable,
            other => panic!("{other:?}"),
        };
        *count += 1;
    }

    fn assert_never_mixed(&self) {
        assert_eq!((self.denied_x, self.allowed_y), (0, 0), "{self:?}");
        assert!(self.allowed_x > 0 && self.denied_y > 0, "{self:?}");
    }

    fn assert_always_right(&self) {
        self.assert_never_mixed();
        assert_eq!(self.unavailable, 0, "{self:?}");
    }
}

async fn status<S: SubscriptionStore>(layer: &SubscriptionKeyLayer<S>, path: &str) -> u16 {
    let inner =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let request = Request::builder()
        .uri(path)
        .header("Ocp-Apim-Subscription-Key", KEY)
        .body(())
        .unwrap();
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    response.status().as_u16()
}

/// Sends requests from several tasks through all turns. After each turn, waits for
/// some responses.
async fn turn<S: SubscriptionStore + Clone>(
    store: &S,
    turns: usize,
    mut change: impl AsyncFnMut(usize),
) -> Counts {
    let counts = watch::Sender::new(0_usize);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let layer = SubscriptionKeyLayer::new(store.clone());
        let (counts, is_over) = (counts.clone(), Arc::clone(&is_over));
        tasks.push(tokio::spawn(async move {
            let mut statuses = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                for path in ["/x", "/y"] {
                    statuses.push((path, status(&layer, path).await));
                    counts.send_modify(|count| *count += 1);
                    tokio::task::yield_now().await;
                }
            }
            statuses
        }));
    }
    let mut responses = counts.subscribe();
    for turn in 1..=turns {
        change(turn).await;
        let enough = *responses.borrow() + RESPONSES_PER_TURN;
        let came = responses.wait_for(|count| *count >= enough);
        within(came).await.unwrap();
    }
    is_over.store(true, Ordering::SeqCst);
    let mut counts = Counts::default();
    for task in tasks {
        for (path, status) in task.await.unwrap() {
            counts.add(path, status);
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_in_memory_never_mix() {
    let store = MemoryStore::new(turned(0));
    let counts = turn(&store, 1000, async |turn| store.replace(turned(turn))).await;
    counts.assert_always_right();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_in_a_file_never_mix() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.json");
    let next = directory.path().join("next");
    let put = |turn| {
        std::fs::write(&next, document::to_json(&turned(turn))).unwrap();
        std::fs::rename(&next, &path).unwrap();
    };
    put(0);
    let store = FileStore::open(&path).await.unwrap();
    let counts = turn(&store, 50, async |turn| {
        put(turn);
        store.reload().await.unwrap();
    });
    counts.await.assert_always_right();
    assert!(store.status().version() > 50);
}

/// A remote server with the first catalog, and a store that follows it on reload.
async fn remote() -> (RemoteServer, HttpStore) {
    let remote = RemoteServer::start(paired(0)).await;
    let store = HttpStore::builder(&remote.uri("/catalog"))
        .poll_interval(HOUR)
        .timeout(PATIENCE)
        .open()
        .await
        .unwrap();
    (remote, store)
}

async fn turn_http_store(latency: Duration) {
    let (remote, store) = remote().await;
    remote.set_latency(latency);
    let counts = turn(&store, 20, async |turn| {
        remote.behave(paired(turn));
        store.reload().await.unwrap();
    });
    counts.await.assert_always_right();
    assert_eq!(store.status().version(), 21);
}

/// A lookup fails if the catalog turns between its two requests: for the key, and for
/// the definitions that the answer names.
async fn turn_http_lookup_store(latency: Duration) {
    let (remote, definitions) = remote().await;
    let store = HttpLookupStore::builder(&remote.uri("/keys"))
        .timeout(PATIENCE)
        .definitions(definitions.clone())
        .build()
        .unwrap();
    remote.set_latency(latency);
    let counts = turn(&store, 20, async |turn| remote.behave(paired(turn))).await;
    counts.assert_never_mixed();
    assert!(definitions.status().version() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_over_http_without_latency_never_mix() {
    turn_http_store(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_over_http_behind_100_ms_never_mix() {
    turn_http_store(LATENCY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_and_lookups_over_http_without_latency_never_mix() {
    turn_http_lookup_store(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_catalogs_and_lookups_over_http_behind_100_ms_never_mix() {
    turn_http_lookup_store(LATENCY).await;
}
