//! Versions that go back, and documents of the next version of this crate.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::Full;
use tower::service_fn;
use tower_subscription_key::store::http::RequestBody;

use super::*;

/// Answers with the configured content and `ETag`, like a server that counts
/// versions.
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

/// What the next version of this crate might send.
fn with_field(field: &str) -> Manner {
    let body = catalog(State::Suspended).replacen('{', &format!("{{{field},"), 1);
    Manner::Untagged { body }
}

#[tokio::test]
async fn document_with_a_field_of_the_next_version_is_used() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).open().await.unwrap();
    remote.behave(with_field(r#""colours": ["red"]"#));
    assert_eq!(store.reload().await.unwrap().version(), 2);
    assert_eq!(state(&store), State::Suspended);
}

#[tokio::test]
async fn document_of_a_higher_format_keeps_the_last_good_version() {
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).open().await.unwrap();
    let newer = catalog(State::Suspended).replacen("\"format\":1", "\"format\":2", 1);
    assert_ne!(newer, catalog(State::Suspended));
    remote.behave(Manner::Untagged { body: newer });
    let error = store.reload().await.unwrap_err();
    assert!(error.document().is_some(), "{error}");
    assert_eq!(state(&store), State::Active);
    assert_eq!(store.status().version(), 1);
}
