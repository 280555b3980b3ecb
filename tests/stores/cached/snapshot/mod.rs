//! A cache that keeps what it found on disk.

mod restarts;
mod saving;

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::SystemTime;

use http::{Request, Response, StatusCode};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;
use tower_subscription_key::SubscriptionKeyLayer;
use tower_subscription_key::catalog::{Api, Catalog, SubscriptionKey};
use tower_subscription_key::document::{self, Format};
use tower_subscription_key::store::CacheConfigError;
use tower_subscription_key::store::Holdings;
use tower_subscription_key::store::snapshot::SnapshotFile;

const INTERVAL: Duration = Duration::from_secs(30);

/// A remote server that also returns APIs after it was reached once.
#[derive(Clone)]
struct Remote {
    server: Server,
    apis: Arc<Catalog>,
    is_reached: Arc<AtomicBool>,
    /// The number of calls of `holdings`: one for each request and each save.
    held: Arc<AtomicUsize>,
}

impl Remote {
    /// Another process, which starts while the remote server is down.
    fn restart_during_outage(&self) -> Self {
        self.server.set(Mode::Fail);
        let is_reached = Arc::default();
        Self {
            is_reached,
            ..self.clone()
        }
    }

    fn recover(&self) {
        self.server.set(Mode::Answer);
        self.is_reached.store(true, Ordering::SeqCst);
    }
}

impl SubscriptionStore for Remote {
    type Error = Down;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        self.server.find(key).await
    }

    fn holdings(&self) -> Result<Holdings, Down> {
        self.held.fetch_add(1, Ordering::SeqCst);
        match self.is_reached.load(Ordering::SeqCst) {
            // A new handle each time, as different threads may get one.
            true => Ok(Holdings::Definitions(Arc::new(Catalog::clone(&self.apis)))),
            false => Err(Down),
        }
    }
}

fn apis(id: &str) -> Arc<Catalog> {
    let catalog = Catalog::builder().api(Api::new(id, "/echo"));
    Arc::new(catalog.build().unwrap())
}

fn remote() -> Remote {
    Remote {
        server: Server::with_contoso(),
        apis: apis("echo"),
        is_reached: Arc::new(AtomicBool::new(true)),
        held: Arc::default(),
    }
}

struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    Place {
        _directory: directory,
        path,
    }
}

impl Place {
    fn open<S: SubscriptionStore + Clone>(&self, store: &S) -> CachedStore<S> {
        self.builder(store).build().unwrap()
    }

    /// A cache that never saves because its interval has passed.
    fn open_lazy<S: SubscriptionStore + Clone>(&self, store: &S) -> CachedStore<S> {
        let lazy = self.builder(store).snapshot_interval(3600 * SECOND);
        lazy.build().unwrap()
    }

    fn builder<S: SubscriptionStore + Clone>(&self, store: &S) -> CachedStoreBuilder<S> {
        CachedStore::builder(store.clone())
            .jitter(0.0)
            .stale_for(300 * SECOND)
            .without_breaker()
            .keep_snapshot(SnapshotFile::new(&self.path).with_source("remote"))
    }

    fn content(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_default()
    }

    /// The lines of the file: a header, the catalog document, and a trailer.
    fn lines(&self) -> Vec<String> {
        self.content().lines().map(str::to_owned).collect()
    }

    fn saved(&self) -> Catalog {
        document::parse(&self.lines()[1], Format::Json).unwrap()
    }

    /// Makes the file older by the given time.
    fn age(&self, age: Duration) {
        let [header, document, _] = self.lines().try_into().unwrap();
        let mut header: serde_json::Value = serde_json::from_str(&header).unwrap();
        let saved_at = jiff::Timestamp::try_from(SystemTime::now() - age).unwrap();
        header["saved_at"] = saved_at.to_string().into();
        let content = format!("{header}\n{document}\n");
        let trailer = serde_json::json!({ "sha256": KeyDigest::of(&content).to_hex() });
        fs::write(&self.path, format!("{content}{trailer}\n")).unwrap();
    }
}

/// Lets an interval pass, and waits for the save after it.
async fn next_save<S: SubscriptionStore>(store: &CachedStore<S>) {
    let before = store.snapshot_saved_at();
    for _ in 0..100 {
        // Paused time does not advance while a thread is saving.
        tokio::time::sleep(INTERVAL / 10).await;
        if store.snapshot_saved_at() != before {
            return;
        }
    }
    panic!("nothing was saved");
}

/// Lets all tasks run until they wait, saves included. Much less than an interval passes.
async fn soon() {
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn status<S: SubscriptionStore>(store: &CachedStore<S>, key: &str) -> StatusCode {
    let service = ServiceBuilder::new()
        .layer(SubscriptionKeyLayer::new(store.clone()))
        .service(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
    let request = Request::get("http://localhost/echo")
        .header("Ocp-Apim-Subscription-Key", key)
        .body(())
        .unwrap();
    service.oneshot(request).await.unwrap().status()
}

/// A remote server with a key `good` that an earlier process saved.
async fn saved(place: &Place) -> Remote {
    let remote = remote();
    let store = place.open(&remote);
    assert_eq!(status(&store, "good").await, 200);
    next_save(&store).await;
    remote
}
