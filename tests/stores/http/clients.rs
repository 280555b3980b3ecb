//! Clients of all kinds, and the tasks that use them.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::oneshot;
use tower::service_fn;
use tower_subscription_key::HttpLookupStore;
use tower_subscription_key::store::http::RequestBody;

use super::*;

/// A client that answers from this process, without a network.
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

/// A client that immediately answers "not modified", and records which requests it
/// was asked to hold.
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
    // The server may support it by now.
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
            assert!(!panics.load(Ordering::SeqCst), "as configured");
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
async fn lookup_store_takes_its_definitions_from_an_http_store() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn store_of_a_runtime_that_is_gone_says_so_and_starts_again() {
    let remote = RemoteServer::start(active()).await;
    let open = builder(&remote).open();
    let store = tokio::task::spawn_blocking(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        // The runtime ends here.
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
