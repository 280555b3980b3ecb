//! How a catalog is fetched over HTTP and kept up to date.

mod clients;
mod snapshots;
mod versions;

use std::time::Duration;

use tower_subscription_key::HttpStore;
use tower_subscription_key::catalog::{Api, Catalog, Scope, State, Subscription};
use tower_subscription_key::document;
use tower_subscription_key::store::http::{
    HttpConfigError, HttpError, HttpOpenError, HttpStoreBuilder,
};
use tower_subscription_key::store::{
    CatalogUnavailable, Holdings, Origin, StoreStatus, SubscriptionStore,
};

use crate::remote::{Manner, PATIENCE, RemoteServer, answer, within};

const HOUR: Duration = Duration::from_secs(3600);

/// A catalog in which contoso has the given state.
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

/// A store that fetches on reload, and otherwise very rarely.
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
    // A request that began with the earlier version is decided by it.
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
    // Without the held request, the change would take an hour to arrive.
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
    // Then the store sends held requests again.
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
    // The `ETag` of a rejected version is never sent.
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
