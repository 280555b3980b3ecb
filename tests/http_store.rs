//! How a catalog is fetched over HTTP and kept up to date.
#![allow(clippy::unwrap_used, clippy::panic)]

mod remote;

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
    HttpConfigError, HttpConnectError, HttpError, HttpStatus, HttpStoreBuilder, HttpStoreError,
    Origin, RequestBody,
};
use tower_subscription_key::store::{Holdings, HttpLookupStore, HttpStore, SubscriptionStore};

use remote::{Manner, PATIENCE, RemoteServer, answer, within};

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
        .time_out(PATIENCE)
        .snapshot_after(PATIENCE)
}

async fn until(store: &HttpStore, what: impl Fn(&HttpStatus) -> bool) -> HttpStatus {
    let mut status = store.subscribe();
    within(status.wait_for(|status| what(status)))
        .await
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_version_is_fetched_confirmed_and_replaced_as_a_whole() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).connect().await.unwrap();
    let first = store.status();
    assert_eq!((first.version(), first.etag()), (1, Some("\"1\"")));
    assert_eq!(first.origin(), Some(Origin::RemoteServer));

    let confirmed = store.refresh().await.unwrap();
    assert_eq!(confirmed.version(), 1);
    assert_eq!(confirmed.loaded_at(), first.loaded_at());
    assert!(confirmed.current_at() >= first.current_at());
    let asked = &remote.requests()[1];
    assert!(asked.starts_with("get /catalog http/1.1\r\n"), "{asked}");
    assert!(asked.contains("if-none-match: \"1\"\r\n"), "{asked}");
    assert!(asked.contains("accept: application/json\r\n"), "{asked}");

    let Ok(Holdings::Everything(met)) = store.holdings() else {
        panic!("it has a catalog");
    };
    remote.behave(suspended());
    assert_eq!(store.refresh().await.unwrap().version(), 2);
    assert_eq!(state(&store), State::Suspended);
    // Who met the version before is decided on it to the end.
    assert_eq!(met.subscription("contoso").unwrap().state(), State::Active);
}

#[tokio::test]
async fn the_same_content_is_no_new_version_with_whatever_tag_or_none() {
    let body = catalog(State::Active);
    let remote = RemoteServer::start(Manner::Untagged { body: body.clone() }).await;
    let store = builder(&remote).connect().await.unwrap();
    assert_eq!(store.refresh().await.unwrap().version(), 1);
    remote.behave(Manner::Serve {
        body,
        etag: "\"new\"",
    });
    let status = store.refresh().await.unwrap();
    assert_eq!((status.version(), status.etag()), (1, Some("\"new\"")));
}

#[tokio::test]
async fn the_remote_is_asked_at_intervals() {
    let remote = RemoteServer::start(active()).await;
    let often = builder(&remote).poll_interval(Duration::from_millis(20));
    let store = often.connect().await.unwrap();
    remote.behave(suspended());
    until(&store, |status| status.version() == 2).await;
    assert_eq!(state(&store), State::Suspended);
}

#[tokio::test]
async fn a_change_is_felt_by_a_request_that_is_held() {
    let remote = RemoteServer::start(active()).await;
    // An hour passes before anything else would notice.
    let store = builder(&remote).long_poll(HOUR).connect().await.unwrap();
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
async fn a_refresh_does_not_wait_for_a_request_that_is_held() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).long_poll(HOUR).connect().await.unwrap();
    remote
        .wait_for_request(|head| head.contains("prefer:"))
        .await;
    let status = within(store.refresh()).await.unwrap();
    assert_eq!(status.version(), 1);
    // And then holding goes on.
    remote.behave(suspended());
    until(&store, |status| status.version() == 2).await;
}

#[tokio::test]
async fn a_refused_document_is_told_and_the_next_good_one_is_used() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).connect().await.unwrap();
    let body = r#"{"apis": [{"id": "a", "path": "/"}], "apes": []}"#.to_owned();
    remote.behave(Manner::Serve {
        body,
        etag: "\"bad\"",
    });
    for _ in 0..2 {
        let error = store.refresh().await.unwrap_err();
        let HttpError::Document(document) = &*error else {
            panic!("{error:?}");
        };
        assert!(document.to_string().contains("`apes`"), "{document}");
    }
    // A refused version is never what is asked about.
    assert!(remote.requests()[2].contains("if-none-match: \"1\"\r\n"));
    assert_eq!(state(&store), State::Active);
    remote.behave(suspended());
    assert_eq!(store.refresh().await.unwrap().version(), 2);
    assert!(store.status().last_error().is_none());
}

#[tokio::test]
async fn connecting_tells_why_there_is_no_first_version() {
    let remote = RemoteServer::start(Manner::Raw(answer("503 Later", "", ""))).await;
    let error = builder(&remote).connect().await.unwrap_err();
    let HttpConnectError::Fetch(error) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(&*error, HttpError::Status(status) if *status == 503));

    let store = builder(&remote).connect_lazy().unwrap();
    until(&store, |status| status.last_error().is_some()).await;
    let error = store.holdings().unwrap_err();
    assert!(
        matches!(error, HttpStoreError::NoVersion(Some(_))),
        "{error:?}"
    );
    assert!(store.catalog().is_none());
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_before_anything_is_asked() {
    let zero = Duration::ZERO;
    let setting = HttpConfigError::Setting;
    let good = || HttpStore::builder("http://127.0.0.1:1/catalog");
    for (builder, expected) in [
        (HttpStore::builder("/catalog"), HttpConfigError::Uri),
        (good().authorization("a\nb"), HttpConfigError::Authorization),
        (good().poll_interval(zero), setting("poll_interval")),
        (good().long_poll(zero), setting("long_poll")),
        (good().backoff(zero, HOUR), setting("backoff")),
        (good().backoff(2 * HOUR, HOUR), setting("backoff")),
        (good().max_age(zero), setting("max_age")),
        (good().time_out(zero), setting("time_out")),
        (good().max_bytes(0), setting("max_bytes")),
    ] {
        assert_eq!(builder.connect_lazy().unwrap_err(), expected);
    }
}

#[test]
fn outside_of_a_runtime_it_says_so() {
    let store = HttpStore::builder("http://127.0.0.1:1/catalog").connect_lazy();
    assert_eq!(store.unwrap_err(), HttpConfigError::NoRuntime);
}

#[tokio::test]
async fn a_version_that_is_too_old_is_not_served() {
    let remote = RemoteServer::start(active()).await;
    let bounded = builder(&remote).max_age(Duration::from_millis(1));
    let store = bounded.connect().await.unwrap();
    let too_old = async {
        loop {
            match store.holdings() {
                Err(error) => return error,
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    };
    let error = within(too_old).await;
    assert!(matches!(error, HttpStoreError::TooOld { .. }), "{error:?}");
    assert!(store.find(&"00".repeat(32).parse().unwrap()).await.is_err());
    assert!(store.catalog().is_some());

    let store = builder(&remote).max_age(HOUR).connect().await.unwrap();
    remote.stop().await;
    store.refresh().await.unwrap_err();
    assert!(store.holdings().is_ok());
}

#[tokio::test]
async fn a_snapshot_serves_a_restart_during_an_outage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);

    let store = keeping().connect().await.unwrap();
    let saved_at = until(&store, |status| status.saved_at().is_some())
        .await
        .saved_at();
    drop(store);
    remote.stop().await;

    let store = keeping().connect().await.unwrap();
    let status = store.status();
    assert_eq!((status.version(), status.origin()), (1, Some(Origin::Disk)));
    assert_eq!(status.current_at(), saved_at);
    assert!(matches!(
        &**status.last_error().unwrap(),
        HttpError::Unreachable(_)
    ));
    assert_eq!(state(&store), State::Active);
    assert!(store.holdings().is_ok());

    remote.restart();
    remote.behave(suspended());
    let status = store.refresh().await.unwrap();
    assert_eq!(
        (status.version(), status.origin()),
        (2, Some(Origin::RemoteServer))
    );
    assert_eq!(state(&store), State::Suspended);
    until(&store, |status| status.saved_at() > saved_at).await;
    drop(store);

    remote.stop().await;
    let store = keeping().connect().await.unwrap();
    assert_eq!(state(&store), State::Suspended);
}

#[tokio::test]
async fn a_snapshot_is_not_used_while_the_remote_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);
    let store = keeping().connect().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    remote.behave(suspended());
    let store = keeping().connect().await.unwrap();
    assert_eq!(
        (store.status().version(), state(&store)),
        (1, State::Suspended)
    );
}

#[tokio::test]
async fn a_snapshot_stands_in_while_the_first_answer_takes_long() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || {
        let patience = Duration::from_millis(1);
        builder(&remote)
            .keep_snapshot(&path)
            .snapshot_after(patience)
    };
    let store = keeping().connect().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    remote.behave(Manner::Hang);
    let store = within(keeping().connect()).await.unwrap();
    let status = store.status();
    assert_eq!(status.origin(), Some(Origin::Disk));
    // It is still being waited for.
    assert!(status.last_error().is_none());
}

#[tokio::test]
async fn a_snapshot_that_is_not_to_be_used_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);
    let store = keeping().connect().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    drop(store);
    remote.stop().await;

    let of_another = HttpStore::builder(&remote.uri("/other"))
        .time_out(PATIENCE)
        .keep_snapshot(&path);
    assert!(of_another.connect().await.is_err());
    let too_old = keeping().max_age(Duration::from_nanos(1));
    assert!(too_old.connect().await.is_err());
    assert!(keeping().connect().await.is_ok());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(keeping().connect().await.is_err());
    let store = keeping().connect_lazy().unwrap();
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
async fn a_remote_that_does_not_hold_is_asked_at_intervals() {
    let asked_to_hold = Arc::default();
    let store = HttpStore::builder("https://keys.example/catalog")
        .poll_interval(HOUR)
        .long_poll(HOUR)
        .connect_with(impatient(Arc::clone(&asked_to_hold)))
        .await
        .unwrap();
    let asked_to_hold = || asked_to_hold.lock().unwrap().clone();
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(asked_to_hold(), [false, true]);
    store.refresh().await.unwrap();
    store.refresh().await.unwrap();
    tokio::time::sleep(HOUR / 2).await;
    assert_eq!(asked_to_hold(), [false, true, false, false]);
    // It may have learnt to.
    tokio::time::sleep(HOUR * 3 / 4).await;
    assert_eq!(asked_to_hold(), [false, true, false, false, true]);
}

#[tokio::test]
async fn any_service_that_answers_http_is_a_client() {
    let client = answering(|| catalog(State::Active));
    let builder = HttpStore::builder("https://keys.example/catalog").time_out(PATIENCE);
    let store = builder.connect_with(client).await.unwrap();
    assert_eq!(state(&store), State::Active);
}

#[tokio::test]
async fn a_client_that_panics_is_an_error_and_asked_again() {
    let panics = Arc::new(AtomicBool::new(false));
    let client = {
        let panics = Arc::clone(&panics);
        answering(move || {
            assert!(!panics.load(Ordering::SeqCst), "as it was told to");
            catalog(State::Active)
        })
    };
    let builder = HttpStore::builder("https://keys.example/catalog")
        .time_out(PATIENCE)
        .poll_interval(HOUR);
    let store = builder.connect_with(client).await.unwrap();
    panics.store(true, Ordering::SeqCst);
    let error = store.refresh().await.unwrap_err();
    assert!(matches!(&*error, HttpError::Broken));
    panics.store(false, Ordering::SeqCst);
    assert!(store.refresh().await.is_ok());
}

#[tokio::test]
async fn nothing_is_asked_any_more_when_the_last_handle_is_gone() {
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
        .time_out(PATIENCE)
        .poll_interval(HOUR);
    let store = builder.connect_with(client).await.unwrap();
    let other = store.clone();
    drop(store);
    assert!(other.refresh().await.is_ok());
    drop(other);
    within(ended).await.unwrap();
}

#[tokio::test]
async fn a_lookup_can_take_its_definitions_from_a_catalog() {
    let remote = RemoteServer::start(active()).await;
    let definitions = builder(&remote).connect().await.unwrap();
    let client = answering(|| document::owner_to_json(None));
    let store = HttpLookupStore::builder("https://keys.example/keys")
        .time_out(PATIENCE)
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
