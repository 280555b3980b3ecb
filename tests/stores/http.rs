//! How a catalog is fetched over HTTP and kept up to date.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::oneshot;
use tower::service_fn;
use tower_subscription_key::catalog::{Api, Catalog, Scope, State, Subscription};
use tower_subscription_key::document;
use tower_subscription_key::store::http::{
    HttpConfigError, HttpError, HttpOpenError, HttpStoreBuilder, RequestBody,
};
use tower_subscription_key::store::{
    CatalogUnavailable, Holdings, HttpLookupStore, HttpStore, Origin, StoreStatus,
    SubscriptionStore,
};

use crate::remote::{Manner, PATIENCE, RemoteServer, answer, within};

const HOUR: Duration = Duration::from_secs(3600);

/// A catalog in which contoso is in that state.
fn catalog(state: State) -> String {
    let contoso = Subscription::new("contoso")
        .with_scope(Scope::AllApis)
        .with_state(state)
        .with_primary_key("264a41411c0b43e782f483eb6f3eaeab");
    let catalog = Catalog::builder()
        .api(Api::new("echo", ""))
        .subscription(contoso)
        .build();
    document::to_json(&catalog.unwrap())
}

fn active() -> Manner {
    let body = catalog(State::Active);
    Manner::Serve {
        body,
        etag: "\"1\"",
    }
}

fn suspended() -> Manner {
    let body = catalog(State::Suspended);
    Manner::Serve {
        body,
        etag: "\"2\"",
    }
}

fn state(store: &HttpStore) -> State {
    let catalog = store.catalog().unwrap();
    catalog.subscription("contoso").unwrap().state()
}

/// Asks when it is told to, and else hardly ever.
fn builder(remote: &RemoteServer) -> HttpStoreBuilder {
    HttpStore::builder(&remote.uri("/catalog"))
        .poll_interval(HOUR)
        .backoff(HOUR, HOUR)
        .timeout(PATIENCE)
        .snapshot_after(PATIENCE)
}

async fn until(store: &HttpStore, what: impl Fn(&StoreStatus) -> bool) -> StoreStatus {
    let mut status = store.watch_status();
    within(status.wait_for(|status| what(status)))
        .await
        .unwrap()
        .clone()
}

#[tokio::test]
async fn version_is_fetched_confirmed_and_replaced_as_a_whole() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).open().await.unwrap();
    let first = store.status();
    assert_eq!((first.version(), first.revision()), (1, Some("\"1\"")));
    assert_eq!(first.origin(), Some(Origin::Source));

    let confirmed = store.reload().await.unwrap();
    assert_eq!(confirmed.version(), 1);
    assert_eq!(confirmed.loaded_at(), first.loaded_at());
    assert!(confirmed.confirmed_at() >= first.confirmed_at());
    let asked = &remote.requests()[1];
    assert!(asked.starts_with("get /catalog http/1.1\r\n"), "{asked}");
    assert!(asked.contains("if-none-match: \"1\"\r\n"), "{asked}");
    assert!(asked.contains("accept: application/json\r\n"), "{asked}");

    let Ok(Holdings::Everything(met)) = store.holdings() else {
        panic!("it has a catalog");
    };
    remote.behave(suspended());
    assert_eq!(store.reload().await.unwrap().version(), 2);
    assert_eq!(state(&store), State::Suspended);
    // Who met the version before is decided on it to the end.
    assert_eq!(met.subscription("contoso").unwrap().state(), State::Active);
}

#[tokio::test]
async fn same_content_with_another_etag_is_no_new_version() {
    let body = catalog(State::Active);
    let remote = RemoteServer::start(Manner::Untagged { body: body.clone() }).await;
    let store = builder(&remote).open().await.unwrap();
    assert_eq!(store.reload().await.unwrap().version(), 1);
    remote.behave(Manner::Serve {
        body,
        etag: "\"new\"",
    });
    let status = store.reload().await.unwrap();
    assert_eq!((status.version(), status.revision()), (1, Some("\"new\"")));
}

#[tokio::test]
async fn poll_interval_passes_change_is_fetched() {
    let remote = RemoteServer::start(active()).await;
    let often = builder(&remote).poll_interval(Duration::from_millis(20));
    let store = often.open().await.unwrap();
    remote.behave(suspended());
    until(&store, |status| status.version() == 2).await;
    assert_eq!(state(&store), State::Suspended);
}

#[tokio::test]
async fn held_request_returns_the_change_at_once() {
    let remote = RemoteServer::start(active()).await;
    // An hour passes before anything else would notice.
    let store = builder(&remote).long_poll(HOUR).open().await.unwrap();
    remote
        .wait_for_request(|head| head.contains("prefer: wait=3600\r\n"))
        .await;
    remote.behave(suspended());
    until(&store, |status| status.version() == 2).await;
    assert_eq!(state(&store), State::Suspended);
    remote.behave(active());
    until(&store, |status| status.version() == 3).await;
}

#[tokio::test]
async fn reload_during_held_request_does_not_wait_for_it() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).long_poll(HOUR).open().await.unwrap();
    remote
        .wait_for_request(|head| head.contains("prefer:"))
        .await;
    let status = within(store.reload()).await.unwrap();
    assert_eq!(status.version(), 1);
    // And then holding goes on.
    remote.behave(suspended());
    until(&store, |status| status.version() == 2).await;
}

#[tokio::test]
async fn invalid_document_is_reported_and_the_next_valid_one_used() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).open().await.unwrap();
    let body = r#"{"apis": [{"id": "a", "path": "orders"}]}"#.to_owned();
    remote.behave(Manner::Serve {
        body,
        etag: "\"bad\"",
    });
    for _ in 0..2 {
        let error = store.reload().await.unwrap_err();
        let HttpError::Document(document) = &*error else {
            panic!("{error:?}");
        };
        assert!(document.to_string().contains("path"), "{document}");
    }
    // A refused version is never what is asked about.
    assert!(remote.requests()[2].contains("if-none-match: \"1\"\r\n"));
    assert_eq!(state(&store), State::Active);
    remote.behave(suspended());
    assert_eq!(store.reload().await.unwrap().version(), 2);
    assert!(store.status().last_error().is_none());
}

#[tokio::test]
async fn open_without_first_version_returns_the_cause() {
    let remote = RemoteServer::start(Manner::Raw(answer("503 Later", "", ""))).await;
    let error = builder(&remote).open().await.unwrap_err();
    let HttpOpenError::Fetch(error) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(&*error, HttpError::Status(status) if *status == 503));

    let store = builder(&remote).start().unwrap();
    until(&store, |status| status.last_error().is_some()).await;
    let error = store.holdings().unwrap_err();
    assert!(matches!(error, CatalogUnavailable::NotLoaded), "{error:?}");
    assert!(store.catalog().is_none());
}

#[tokio::test]
async fn setting_that_cannot_work_is_refused_at_start() {
    let zero = Duration::ZERO;
    let setting = HttpConfigError::Zero;
    let good = || HttpStore::builder("http://127.0.0.1:1/catalog");
    for (builder, expected) in [
        (HttpStore::builder("/catalog"), HttpConfigError::Url),
        (good().authorization("a\nb"), HttpConfigError::Authorization),
        (good().poll_interval(zero), setting("poll_interval")),
        (good().long_poll(zero), setting("long_poll")),
        (good().backoff(zero, HOUR), setting("backoff")),
        (good().backoff(2 * HOUR, HOUR), HttpConfigError::Backoff),
        (good().max_staleness(zero), setting("max_staleness")),
        (good().timeout(zero), setting("timeout")),
        (good().max_bytes(0), setting("max_bytes")),
    ] {
        assert_eq!(builder.start().unwrap_err(), expected);
    }
}

#[test]
fn start_outside_a_runtime_is_refused() {
    let store = HttpStore::builder("http://127.0.0.1:1/catalog").start();
    assert_eq!(store.unwrap_err(), HttpConfigError::NoRuntime);
}

#[tokio::test]
async fn version_beyond_max_staleness_is_not_served() {
    let remote = RemoteServer::start(active()).await;
    let bounded = builder(&remote).max_staleness(Duration::from_millis(1));
    let store = bounded.open().await.unwrap();
    let too_old = async {
        loop {
            match store.holdings() {
                Err(error) => return error,
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    };
    let error = within(too_old).await;
    assert!(
        matches!(error, CatalogUnavailable::Stale { .. }),
        "{error:?}"
    );
    assert!(store.find(&"00".repeat(32).parse().unwrap()).await.is_err());
    assert!(store.catalog().is_some());

    let store = builder(&remote).max_staleness(HOUR).open().await.unwrap();
    remote.stop().await;
    store.reload().await.unwrap_err();
    assert!(store.holdings().is_ok());
}

#[tokio::test]
async fn restart_during_outage_uses_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);

    let store = keeping().open().await.unwrap();
    let saved_at = until(&store, |status| status.saved_at().is_some())
        .await
        .saved_at();
    drop(store);
    remote.stop().await;

    let store = keeping().open().await.unwrap();
    let status = store.status();
    assert_eq!(
        (status.version(), status.origin()),
        (1, Some(Origin::Snapshot))
    );
    assert_eq!(status.confirmed_at(), saved_at);
    assert!(status.last_error().unwrap().contains("cannot be reached"));
    assert_eq!(state(&store), State::Active);
    assert!(store.holdings().is_ok());

    remote.restart();
    remote.behave(suspended());
    let status = store.reload().await.unwrap();
    assert_eq!(
        (status.version(), status.origin()),
        (2, Some(Origin::Source))
    );
    assert_eq!(state(&store), State::Suspended);
    until(&store, |status| status.saved_at() > saved_at).await;
    drop(store);

    remote.stop().await;
    let store = keeping().open().await.unwrap();
    assert_eq!(state(&store), State::Suspended);
}

#[tokio::test]
async fn restart_with_remote_server_ignores_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);
    let store = keeping().open().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    remote.behave(suspended());
    let store = keeping().open().await.unwrap();
    assert_eq!(
        (store.status().version(), state(&store)),
        (1, State::Suspended)
    );
}

#[tokio::test]
async fn slow_first_answer_is_replaced_by_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || {
        let patience = Duration::from_millis(1);
        builder(&remote)
            .keep_snapshot(&path)
            .snapshot_after(patience)
    };
    let store = keeping().open().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    remote.behave(Manner::Hang);
    let store = within(keeping().open()).await.unwrap();
    let status = store.status();
    assert_eq!(status.origin(), Some(Origin::Snapshot));
    // It is still being waited for.
    assert!(status.last_error().is_none());
}

#[tokio::test]
async fn snapshot_that_does_not_fit_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);
    let store = keeping().open().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    drop(store);
    remote.stop().await;

    let with = |path_and_query: &str| HttpStore::builder(&remote.uri(path_and_query));
    for of_another in [
        with("/other"),
        with("/catalog?tenant=2"),
        with("/catalog").authorization("Bearer other"),
    ] {
        let of_another = of_another.timeout(PATIENCE).keep_snapshot(&path);
        assert!(of_another.open().await.is_err());
    }
    let too_old = keeping().max_staleness(Duration::from_nanos(1));
    assert!(too_old.open().await.is_err());
    assert!(keeping().open().await.is_ok());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(keeping().open().await.is_err());
    let store = keeping().start().unwrap();
    until(&store, |status| status.last_error().is_some()).await;
    assert!(store.holdings().is_err());
}

/// Answers from this process, in the place of a network.
fn answering(
    body: impl Fn() -> String + Clone + Send + 'static,
) -> impl tower_subscription_key::store::http::HttpService {
    service_fn(move |_: Request<RequestBody>| {
        let body = body();
        async move {
            let answer = Response::builder()
                .header("content-type", "application/json; charset=utf-8")
                .body(Full::new(bytes::Bytes::from(body)));
            Ok::<_, Infallible>(answer.unwrap())
        }
    })
}

/// Says at once that nothing changed, and writes down which requests it was asked
/// to hold.
fn impatient(
    asked_to_hold: Arc<Mutex<Vec<bool>>>,
) -> impl tower_subscription_key::store::http::HttpService {
    service_fn(move |request: Request<RequestBody>| {
        let has = |name| request.headers().contains_key(name);
        asked_to_hold.lock().unwrap().push(has("prefer"));
        let answer = Response::builder().header("etag", "\"1\"");
        let answer = match has("if-none-match") {
            true => answer.status(304).body(Full::default()),
            false => answer
                .header("content-type", "application/json")
                .body(Full::from(catalog(State::Active))),
        };
        async { Ok::<Response<Full<bytes::Bytes>>, Infallible>(answer.unwrap()) }
    })
}

#[tokio::test(start_paused = true)]
async fn remote_server_that_does_not_hold_is_asked_at_intervals() {
    let asked_to_hold = Arc::default();
    let store = HttpStore::builder("https://keys.example/catalog")
        .poll_interval(HOUR)
        .long_poll(HOUR)
        .full_reload_interval(100 * HOUR)
        .open_with(impatient(Arc::clone(&asked_to_hold)))
        .await
        .unwrap();
    let asked_to_hold = || asked_to_hold.lock().unwrap().clone();
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(asked_to_hold(), [false, true]);
    store.reload().await.unwrap();
    store.reload().await.unwrap();
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(asked_to_hold(), [false, true, false, false]);
    // It may have learnt to.
    tokio::time::sleep(HOUR * 3 / 4).await;
    assert_eq!(asked_to_hold(), [false, true, false, false, true]);
}

#[tokio::test]
async fn tower_service_is_accepted_as_a_client() {
    let client = answering(|| catalog(State::Active));
    let builder = HttpStore::builder("https://keys.example/catalog").timeout(PATIENCE);
    let store = builder.open_with(client).await.unwrap();
    assert_eq!(state(&store), State::Active);
}

#[tokio::test]
async fn client_that_panics_is_an_error_and_asked_again() {
    let panics = Arc::new(AtomicBool::new(false));
    let client = {
        let panics = Arc::clone(&panics);
        answering(move || {
            assert!(!panics.load(Ordering::SeqCst), "as it was told to");
            catalog(State::Active)
        })
    };
    let builder = HttpStore::builder("https://keys.example/catalog")
        .timeout(PATIENCE)
        .poll_interval(HOUR);
    let store = builder.open_with(client).await.unwrap();
    panics.store(true, Ordering::SeqCst);
    let error = store.reload().await.unwrap_err();
    assert!(matches!(&*error, HttpError::Interrupted));
    panics.store(false, Ordering::SeqCst);
    assert!(store.reload().await.is_ok());
}

#[tokio::test]
async fn last_handle_dropped_ends_the_requests() {
    struct Ends(Mutex<Option<oneshot::Sender<()>>>);
    impl Drop for Ends {
        fn drop(&mut self) {
            let sender = self.0.lock().unwrap().take();
            let _ = sender.unwrap().send(());
        }
    }
    let (sender, ended) = oneshot::channel();
    let ends = Arc::new(Ends(Mutex::new(Some(sender))));
    let client = answering(move || {
        let _held = &ends;
        catalog(State::Active)
    });
    let builder = HttpStore::builder("https://keys.example/catalog")
        .timeout(PATIENCE)
        .poll_interval(HOUR);
    let store = builder.open_with(client).await.unwrap();
    let other = store.clone();
    drop(store);
    assert!(other.reload().await.is_ok());
    drop(other);
    within(ended).await.unwrap();
}

#[tokio::test]
async fn a_lookup_can_take_its_definitions_from_a_catalog() {
    let remote = RemoteServer::start(active()).await;
    let definitions = builder(&remote).open().await.unwrap();
    let client = answering(|| document::owner_to_json(None));
    let store = HttpLookupStore::builder("https://keys.example/keys")
        .timeout(PATIENCE)
        .definitions(definitions)
        .build_with(client)
        .unwrap();
    let Ok(Holdings::Definitions(catalog)) = store.holdings() else {
        panic!("it has definitions");
    };
    assert!(catalog.api("echo").is_some());
    assert!(
        store
            .find(&"00".repeat(32).parse().unwrap())
            .await
            .unwrap()
            .is_none()
    );
}

/// Answers with the content and the `ETag` that are set, as a server with a counter
/// would.
#[derive(Clone)]
struct Counting(Arc<Mutex<(State, &'static str)>>);

impl Counting {
    fn new(state: State, etag: &'static str) -> Self {
        Self(Arc::new(Mutex::new((state, etag))))
    }

    fn set(&self, state: State, etag: &'static str) {
        *self.0.lock().unwrap() = (state, etag);
    }

    async fn open(&self) -> HttpStore {
        let this = self.clone();
        let client = service_fn(move |request: Request<RequestBody>| {
            let (state, etag) = *this.0.lock().unwrap();
            let is_known = request.headers().get("if-none-match");
            let is_known = is_known.is_some_and(|known| known == etag);
            let answer = Response::builder().header("etag", etag);
            let answer = match is_known {
                true => answer.status(304).body(Full::default()),
                false => answer.body(Full::from(catalog(state))),
            };
            async { Ok::<Response<Full<bytes::Bytes>>, Infallible>(answer.unwrap()) }
        });
        let builder = HttpStore::builder("https://keys.example/catalog");
        builder.open_with(client).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn etag_used_again_for_other_content_is_noticed_and_reported() {
    let server = Counting::new(State::Active, "\"v2\"");
    let store = server.open().await;
    server.set(State::Suspended, "\"v2\"");
    store.reload().await.unwrap();
    assert_eq!(state(&store), State::Active);
    tokio::time::sleep(HOUR + Duration::from_secs(20)).await;
    assert_eq!(state(&store), State::Suspended);
    assert!(store.status().went_back_at().is_some());
}

#[tokio::test]
async fn version_that_goes_back_is_used_and_reported() {
    let server = Counting::new(State::Active, "\"v2\"");
    let store = server.open().await;
    server.set(State::Suspended, "\"v3\"");
    store.reload().await.unwrap();
    assert_eq!(store.status().went_back_at(), None);
    server.set(State::Active, "\"v2\"");
    store.reload().await.unwrap();
    assert_eq!(state(&store), State::Active);
    assert!(store.status().went_back_at().is_some());
}

#[tokio::test]
async fn catalog_after_a_failure_is_asked_for_as_a_whole() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).open().await.unwrap();
    remote.behave(Manner::Raw(answer("503 Later", "", "")));
    store.reload().await.unwrap_err();
    remote.behave(active());
    store.reload().await.unwrap();
    store.reload().await.unwrap();
    let conditional = remote.requests().into_iter();
    let conditional = conditional.map(|head| head.contains("if-none-match"));
    assert!(conditional.eq([false, true, false, true]));
}

#[tokio::test]
async fn catalog_of_an_object_store_is_accepted() {
    for content_type in ["application/octet-stream", "text/plain; charset=utf-8", ""] {
        let headers = match content_type {
            "" => String::new(),
            _ => format!("content-type: {content_type}\r\n"),
        };
        let answer = answer("200 OK", &headers, &catalog(State::Active));
        let remote = RemoteServer::start(Manner::Raw(answer)).await;
        let store = builder(&remote).open().await.unwrap();
        assert_eq!(state(&store), State::Active);
    }
}

#[tokio::test]
async fn endless_durations_count_as_long_ones() {
    let remote = RemoteServer::start(active()).await;
    let endless = Duration::MAX;
    let store = HttpStore::builder(&remote.uri("/catalog"))
        .poll_interval(endless)
        .long_poll(endless)
        .full_reload_interval(endless)
        .backoff(endless, endless)
        .timeout(endless)
        .max_staleness(endless)
        .snapshot_after(endless);
    let store = store.open().await.unwrap();
    assert_eq!(within(store.reload()).await.unwrap().version(), 1);
}

#[tokio::test]
async fn snapshot_that_could_not_be_written_is_written_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("later/catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).keep_snapshot(&path).open().await.unwrap();
    until(&store, |status| status.snapshot_error().is_some()).await;
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let status = until(&store, |status| status.saved_at().is_some()).await;
    assert_eq!(status.snapshot_error(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn store_of_a_runtime_that_is_gone_says_so_and_starts_again() {
    let remote = RemoteServer::start(active()).await;
    let open = builder(&remote).open();
    let store = tokio::task::spawn_blocking(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        // The runtime is gone after this.
        runtime.block_on(open).unwrap()
    });
    let store = store.await.unwrap();
    let status = store.status();
    assert!(!status.is_running());
    assert!(status.last_error().unwrap().contains("has ended"));
    remote.behave(suspended());
    // A request in this runtime starts it, though not at once.
    let started = async {
        while store.status().last_error().is_some() {
            store.holdings().unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(started).await;
    assert!(store.status().is_running());
    assert_eq!(state(&store), State::Suspended);
}
