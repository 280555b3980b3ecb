use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::SystemTime;

use http::{Request, Response, StatusCode};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::super::CacheSettingsError;
use super::*;
use crate::catalog::{Api, Catalog};
use crate::layer::SubscriptionKeyLayer;
use crate::store::{Holdings, SnapshotFile};

const INTERVAL: Duration = Duration::from_secs(30);

/// A far end that also has APIs, once it was reached.
#[derive(Clone)]
struct Remote {
    far: Far,
    apis: Arc<Catalog>,
    is_reached: Arc<AtomicBool>,
    /// How often it was asked what it holds: for each request, and each saving.
    held: Arc<AtomicUsize>,
}

impl Remote {
    /// Another process, which starts while the far end is down.
    fn restart_during_outage(&self) -> Self {
        self.far.set(Mode::Fail);
        let is_reached = Arc::default();
        Self {
            is_reached,
            ..self.clone()
        }
    }

    fn recover(&self) {
        self.far.set(Mode::Answer);
        self.is_reached.store(true, Ordering::SeqCst);
    }
}

impl SubscriptionStore for Remote {
    type Error = Down;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        self.far.find(key).await
    }

    fn holdings(&self) -> Result<Holdings, Down> {
        self.held.fetch_add(1, Ordering::SeqCst);
        match self.is_reached.load(Ordering::SeqCst) {
            // Another handle each time, as threads may get.
            true => Ok(Holdings::Interfaces(Arc::new(Catalog::clone(&self.apis)))),
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
        far: Far::with_contoso(),
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

    /// One that saves nothing for as long as its interval is what it waits for.
    fn open_lazy<S: SubscriptionStore + Clone>(&self, store: &S) -> CachedStore<S> {
        let lazy = self.builder(store).snapshot_interval(3600 * SECOND);
        lazy.build().unwrap()
    }

    fn builder<S: SubscriptionStore + Clone>(&self, store: &S) -> CachedStoreBuilder<S> {
        CachedStore::builder(store.clone())
            .jitter(0.0)
            .stale_for(300 * SECOND)
            .without_breaker()
            .keep_snapshot(self.path.as_path())
    }

    fn content(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_default()
    }

    fn saved(&self) -> Catalog {
        let file = SnapshotFile::new(&self.path);
        file.load().unwrap().unwrap().into_catalog()
    }

    /// The file, of that age.
    fn age(&self, age: Duration) {
        let saved_at = SystemTime::now() - age;
        let file = SnapshotFile::new(&self.path);
        file.save_as_of(&self.saved(), saved_at, &HashMap::new())
            .unwrap();
    }
}

/// Lets an interval pass, and what is saved after it be saved.
async fn next_save<S: SubscriptionStore>(store: &CachedStore<S>) {
    let before = store.snapshot_saved_at();
    for _ in 0..100 {
        // Paused time does not go on while a thread is saving.
        tokio::time::sleep(INTERVAL / 10).await;
        if store.snapshot_saved_at() != before {
            return;
        }
    }
    panic!("nothing was saved");
}

/// Lets go on whatever can, and what is saved because of that be saved: far less
/// than an interval passes.
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

/// A far end whose key `good` was saved by a process that is gone.
async fn saved(place: &Place) -> Remote {
    let remote = remote();
    let store = place.open(&remote);
    assert_eq!(status(&store, "good").await, 200);
    next_save(&store).await;
    remote
}

#[tokio::test(start_paused = true)]
async fn the_file_holds_digests_of_found_keys_and_no_key() {
    let place = place();
    let remote = remote();
    let secret = "264a41411c0b43e782f483eb6f3eaeab";
    let fabrikam = Subscription::new("fabrikam")
        .with_scope(Scope::AllApis)
        .with_primary_key(secret)
        .with_secondary_key("never asked for");
    remote.far.put(secret, fabrikam);
    let store = place.open(&remote);
    assert_eq!(store.snapshot_age(), None);
    assert_eq!(status(&store, secret).await, 200);
    assert_eq!(status(&store, "a wrong one").await, 401);
    next_save(&store).await;
    assert!(store.snapshot_age().unwrap() < 60 * SECOND);
    let content = place.content();
    assert!(content.contains(&digest(secret).to_hex()));
    for absent in [
        secret.to_owned(),
        digest("never asked for").to_hex(),
        digest("a wrong one").to_hex(),
    ] {
        assert!(!content.contains(&absent), "{absent}");
    }
    assert!(place.saved().api("echo").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_restart_during_an_outage_serves_known_keys_until_the_bound_and_never_401() {
    let place = place();
    let remote = saved(&place).await.restart_during_outage();
    let began = std::time::Instant::now();
    place.age(100 * SECOND);
    let store = place.open(&remote);
    assert!(store.snapshot_age().unwrap() >= 100 * SECOND);
    // Files have no clock that could be paused: on a busy machine it is older.
    let older = began.elapsed().as_secs();
    for second in 0..250 {
        let good = status(&store, "good").await;
        if second + older < 195 {
            assert_eq!(good, 200, "{second}");
        } else if second >= 205 {
            assert_eq!(good, 503, "{second}");
        } else {
            assert!(good == 200 || good == 503);
        }
        assert_eq!(status(&store, "unasked").await, 503, "{second}");
        pass(SECOND).await;
    }
    assert!(store.stats().stale_served > 100);
    assert!(store.holdings().is_err());
}

#[tokio::test(start_paused = true)]
async fn restarts_do_not_prolong_what_is_stale() {
    let place = place();
    let mut remote = saved(&place).await;
    for _ in 0..3 {
        remote = remote.restart_during_outage();
        // The APIs can be had, and something changes: the file is new.
        remote.is_reached.store(true, Ordering::SeqCst);
        let store = place.open(&remote);
        assert_eq!(status(&store, "good").await, 200);
        pass(90 * SECOND).await;
        remote.far.set(Mode::Answer);
        remote.far.put(
            "other",
            Subscription::new("other").with_scope(Scope::AllApis),
        );
        assert_eq!(status(&store, "other").await, 200);
        next_save(&store).await;
    }
    let store = place.open(&remote.restart_during_outage());
    assert_eq!(status(&store, "other").await, 200);
    assert_eq!(status(&store, "good").await, 503);
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_from_the_file_is_asked_for_anew_once_that_can_be() {
    let place = place();
    let mut remote = saved(&place).await.restart_during_outage();
    remote.apis = apis("renamed");
    let store = place.open(&remote);
    let api = |store: &CachedStore<Remote>| match store.holdings().unwrap() {
        Holdings::Interfaces(catalog) => catalog.apis().next().unwrap().id().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(status(&store, "good").await, 200);
    assert_eq!(api(&store), "echo");
    remote.far.put("good", suspended());
    remote.recover();
    assert_eq!(api(&store), "renamed");
    pass(SECOND).await;
    assert_eq!(status(&store, "good").await, 401, "suspended meanwhile");
    assert_eq!(status(&store, "unasked").await, 401);
    remote.is_reached.store(false, Ordering::SeqCst);
    assert!(
        store.holdings().is_err(),
        "the file is older than what was told"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_from_the_file_is_asked_for_first() {
    let place = place();
    let remote = saved(&place).await;
    remote.far.put("good", suspended());
    let store = place.open(&remote);
    assert_eq!(status(&store, "good").await, 401);
    assert_eq!(store.stats().stale_served, 0);
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_key_is_not_served_and_leaves_the_file() {
    for invalidate in [
        |store: &CachedStore<Remote>| store.invalidate_key(&digest("good")),
        |store: &CachedStore<Remote>| store.invalidate_subscription("contoso"),
        |store: &CachedStore<Remote>| store.invalidate_all(),
    ] {
        let place = place();
        let remote = saved(&place).await.restart_during_outage();
        let store = place.open(&remote);
        let saved_at = store.snapshot_saved_at();
        assert_eq!(status(&store, "good").await, 200);
        invalidate(&store);
        assert_eq!(status(&store, "good").await, 503);
        // Not by its time: the far end was not asked, nothing is younger.
        for _ in 0..20 {
            tokio::time::sleep(INTERVAL / 10).await;
        }
        assert_eq!(store.snapshot_saved_at(), saved_at);
        assert_eq!(place.saved().subscription_count(), 0);
        let again = place.open(&remote);
        assert_eq!(status(&again, "good").await, 503);
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_is_in_the_file_long_before_the_interval_is_over() {
    for invalidate in [
        |store: &CachedStore<Remote>| store.invalidate_key(&digest("good")),
        |store: &CachedStore<Remote>| store.invalidate_subscription("contoso"),
        |store: &CachedStore<Remote>| store.invalidate_all(),
    ] {
        let place = place();
        let remote = saved(&place).await.restart_during_outage();
        let store = place.open_lazy(&remote);
        soon().await;
        assert_eq!(place.saved().subscription_count(), 1);
        invalidate(&store);
        soon().await;
        assert_eq!(place.saved().subscription_count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn many_invalidations_are_saved_at_once() {
    let place = place();
    let remote = remote();
    let store = place.open_lazy(&remote);
    let keys: Vec<_> = (0..100).map(|number| format!("key {number}")).collect();
    for key in &keys {
        let subscription = Subscription::new(key.replace(' ', "-")).with_scope(Scope::AllApis);
        remote.far.put(key, subscription);
        assert_eq!(status(&store, key).await, 200);
    }
    soon().await;
    let before = remote.held.load(Ordering::SeqCst);
    for key in &keys {
        store.invalidate_key(&digest(key));
    }
    soon().await;
    // The second finds that the first left nothing to do.
    let savings = remote.held.load(Ordering::SeqCst) - before;
    assert!((1..=2).contains(&savings), "{savings}");
    assert_eq!(place.saved().subscription_count(), 0);
    // One that nobody has is nothing to be saved.
    store.invalidate_key(&digest("unheard of"));
    soon().await;
    assert_eq!(remote.held.load(Ordering::SeqCst), before + savings);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_file_that_finds_no_room_can_be_invalidated() {
    let place = place();
    let remote = remote();
    let store = place.open_lazy(&remote);
    let keys: Vec<_> = (0..100).map(|number| format!("key {number}")).collect();
    for key in &keys {
        let subscription = Subscription::new(key.replace(' ', "-")).with_scope(Scope::AllApis);
        remote.far.put(key, subscription);
        assert_eq!(status(&store, key).await, 200);
    }
    drop(store);
    assert_eq!(place.saved().subscription_count(), 100);
    let remote = remote.restart_during_outage();
    let small = place.builder(&remote).capacity(10);
    let small = small.snapshot_interval(3600 * SECOND).build().unwrap();
    let mut left_out = Vec::new();
    for key in &keys {
        if status(&small, key).await == 503 {
            left_out.push(key);
        }
    }
    small.invalidate_key(&digest(left_out[0]));
    soon().await;
    assert!(!place.content().contains(&digest(left_out[0]).to_hex()));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_saves_what_is_not_in_the_file_yet() {
    let place = place();
    let remote = remote();
    let store = place.open_lazy(&remote);
    assert_eq!(status(&store, "good").await, 200);
    let another = store.clone();
    drop(store);
    assert_eq!(place.content(), "");
    drop(another);
    assert_eq!(place.saved().subscription_count(), 1);
    let store = place.open_lazy(&remote.restart_during_outage());
    assert_eq!(status(&store, "good").await, 200);
    store.invalidate_subscription("contoso");
    drop(store);
    assert_eq!(place.saved().subscription_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_broken_too_old_or_of_another_source_is_not_used_but_replaced() {
    let spoil: [fn(&Place); 4] = [
        |place| fs::write(&place.path, "half a file").unwrap(),
        |place| place.age(301 * SECOND),
        |place| {
            let other = SnapshotFile::new(&place.path).with_source("elsewhere");
            other.save(&place.saved()).unwrap();
        },
        |place| fs::remove_file(&place.path).unwrap(),
    ];
    for spoil in spoil {
        let place = place();
        let remote = saved(&place).await.restart_during_outage();
        spoil(&place);
        let store = place.open(&remote);
        assert_eq!(store.snapshot_age(), None);
        assert_eq!(store.stats().entries_found, 0);
        assert_eq!(status(&store, "good").await, 503);
        remote.recover();
        assert_eq!(status(&store, "good").await, 200);
        next_save(&store).await;
        assert_eq!(place.saved().subscription_count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_saved_as_it_was_found_last_and_without_keys_it_lost() {
    let place = place();
    let remote = remote();
    let pair = |primary, secondary| {
        Subscription::new("pair")
            .with_scope(Scope::AllApis)
            .with_primary_key(primary)
            .with_secondary_key(secondary)
    };
    let store = place.open(&remote);
    remote.far.put("first", pair("first", "second"));
    assert_eq!(status(&store, "first").await, 200);
    pass(SECOND).await;
    let second = KeyOwner::new(
        pair("newer", "second").with_state(State::Suspended),
        KeySlot::Secondary,
    );
    let known = &remote.far.0.known;
    known.lock().unwrap().insert(digest("second"), second);
    assert_eq!(status(&store, "second").await, 401);
    next_save(&store).await;
    let kept = place.saved().subscription("pair").unwrap();
    assert_eq!(kept.state(), State::Suspended);
    let keys: Vec<_> = kept
        .keys()
        .map(|(slot, key)| (slot, *key.digest()))
        .collect();
    assert_eq!(keys, [(KeySlot::Secondary, digest("second"))]);
}

#[tokio::test(start_paused = true)]
async fn of_a_store_of_keys_nothing_is_saved() {
    let place = place();
    let store = place.open(&Far::with_contoso());
    store.find(&digest("good")).await.unwrap();
    for _ in 0..30 {
        tokio::time::sleep(INTERVAL / 10).await;
    }
    assert_eq!(store.snapshot_saved_at(), None);
    assert_eq!(place.content(), "");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_change_is_not_saved_again() {
    let place = place();
    let remote = remote();
    let store = place.open(&remote);
    next_save(&store).await;
    let saved_at = store.snapshot_saved_at();
    for _ in 0..30 {
        tokio::time::sleep(INTERVAL / 10).await;
        assert_eq!(status(&store, "wrong").await, 401);
    }
    assert_eq!(store.snapshot_saved_at(), saved_at);
}

#[test]
fn a_snapshot_needs_a_runtime_and_an_interval() {
    let builder = || CachedStore::builder(remote()).keep_snapshot("nowhere");
    let built = builder().build().map(drop);
    assert_eq!(built, Err(CacheSettingsError::NoRuntime));
    let built = builder().snapshot_interval(Duration::ZERO).build();
    let setting = "snapshot_interval";
    assert_eq!(built.map(drop), Err(CacheSettingsError::NoTime { setting }));
}
