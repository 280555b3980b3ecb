//! The responses to clients during each fault of an HTTP store's remote server.
//! README's table summarizes these rows.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use tokio_rustls::TlsAcceptor;
use tower::{Layer, ServiceExt, service_fn};
use tower_subscription_key::catalog::{Api, Catalog, KeySlot, Scope, Subscription};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::http::{HttpClient, HttpError, HttpLookupError};
use tower_subscription_key::{
    HttpLookupStore, HttpStore, KeyDigest, SubscriptionKeyLayer, document,
};

use crate::remote::certificates::Authority;
use crate::remote::{Manner, PATIENCE, RemoteServer, answer, ok, within};

const GOOD: &str = "264a41411c0b43e782f483eb6f3eaeab";
const WRONG: &str = "00000000000000000000000000000000";
const LIMIT: usize = 4096;

enum Fault {
    /// The process has ended.
    Stopped,
    Answers(Manner),
    /// It presents another certificate.
    Tls(fn(&Authority) -> TlsAcceptor),
}

struct Row {
    fault: &'static str,
    make: fn(&Documents) -> Fault,
    is_expected: fn(&HttpError) -> bool,
}

/// The content of valid responses.
struct Documents {
    catalog: String,
    owner: String,
}

fn documents() -> Documents {
    let contoso = Subscription::new("contoso")
        .with_scope(Scope::AllApis)
        .with_primary_key(GOOD);
    let catalog = Catalog::builder()
        .api(Api::new("echo", ""))
        .subscription(contoso.clone())
        .build()
        .unwrap();
    Documents {
        catalog: document::to_json(&catalog),
        owner: document::owner_to_json(Some((&contoso, KeySlot::Primary))),
    }
}

impl Documents {
    fn good_catalog(&self) -> Manner {
        Manner::Serve {
            body: self.catalog.clone(),
            etag: "\"1\"",
        }
    }

    fn good_keys(&self) -> Manner {
        let digest = KeyDigest::of(GOOD).to_hex();
        Manner::Keys([(digest, self.owner.clone())].into())
    }

    /// The beginning of a response that is shorter than its declared length.
    fn half(&self) -> Vec<u8> {
        let whole = ok(&self.catalog, Some("\"2\""));
        whole[..whole.len() - 20].into()
    }
}

fn raw(answer: Vec<u8>) -> Fault {
    Fault::Answers(Manner::Raw(answer))
}

const JSON: &str = "content-type: application/json\r\n";

const ROWS: &[Row] = &[
    Row {
        fault: "connection refused",
        make: |_| Fault::Stopped,
        is_expected: |error| matches!(error, HttpError::Unreachable(_)),
    },
    Row {
        fault: "accepts and never answers",
        make: |_| Fault::Answers(Manner::Hang),
        is_expected: |error| matches!(error, HttpError::TimedOut(_)),
    },
    Row {
        fault: "connection closed without an answer",
        make: |_| raw(Vec::new()),
        is_expected: |error| matches!(error, HttpError::Unreachable(_)),
    },
    Row {
        fault: "connection reset before the answer",
        make: |_| Fault::Answers(Manner::RawAndReset(Vec::new())),
        is_expected: |error| matches!(error, HttpError::Unreachable(_)),
    },
    Row {
        fault: "connection reset within the body",
        make: |documents| Fault::Answers(Manner::RawAndReset(documents.half())),
        // The reset may overtake the bytes sent before it.
        is_expected: |error| matches!(error, HttpError::Body(_) | HttpError::Unreachable(_)),
    },
    Row {
        fault: "connection closed within the body",
        make: |documents| raw(documents.half()),
        is_expected: |error| matches!(error, HttpError::Body(_)),
    },
    Row {
        fault: "half a document, sent as a whole one",
        make: |documents| raw(ok(&documents.catalog[..documents.catalog.len() / 2], None)),
        is_expected: |error| matches!(error, HttpError::Document(_)),
    },
    Row {
        fault: "slow bytes without end, in the head",
        make: |_| Fault::Answers(Manner::Drip(b"HTTP/1.1 200 OK\r\ncontent-type: ".into())),
        is_expected: |error| matches!(error, HttpError::TimedOut(_)),
    },
    Row {
        fault: "slow bytes without end, in the body",
        make: |_| {
            let head = format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {LIMIT}\r\n\r\n");
            Fault::Answers(Manner::Drip(head.into()))
        },
        is_expected: |error| matches!(error, HttpError::TimedOut(_)),
    },
    Row {
        fault: "garbage instead of HTTP",
        make: |_| raw(b"\x00\xff\x13garbage\r\n\r\n".into()),
        is_expected: |error| matches!(error, HttpError::Unreachable(_)),
    },
    Row {
        fault: "garbage instead of JSON",
        make: |_| raw(ok("\u{fffd}garbage", None)),
        is_expected: |error| matches!(error, HttpError::Document(_)),
    },
    Row {
        fault: "an empty body",
        make: |_| raw(ok("", None)),
        is_expected: |error| matches!(error, HttpError::Document(_)),
    },
    Row {
        fault: "JSON that is something else",
        make: |_| raw(ok(r#"{"status": "ok"}"#, None)),
        is_expected: |error| matches!(error, HttpError::Document(_)),
    },
    Row {
        fault: "an empty JSON object",
        make: |_| raw(ok("{}", None)),
        is_expected: |error| matches!(error, HttpError::Document(_)),
    },
    Row {
        fault: "500 with a good body",
        make: |documents| raw(answer("500 Oops", JSON, &documents.catalog)),
        is_expected: |error| matches!(error, HttpError::Status(status) if *status == 500),
    },
    Row {
        fault: "503",
        make: |_| raw(answer("503 Later", "retry-after: 1\r\n", "")),
        is_expected: |error| matches!(error, HttpError::Status(status) if *status == 503),
    },
    Row {
        fault: "404 of a proxy or a wrong path",
        make: |_| raw(answer("404 Not Found", JSON, r#"{"subscription": null}"#)),
        is_expected: |error| matches!(error, HttpError::Status(status) if *status == 404),
    },
    Row {
        fault: "401: this service may no longer ask",
        make: |_| raw(answer("401 Unauthorized", JSON, "{}")),
        is_expected: |error| matches!(error, HttpError::Status(status) if *status == 401),
    },
    Row {
        fault: "a redirect",
        make: |_| raw(answer("302 Found", "location: /elsewhere\r\n", "")),
        is_expected: |error| matches!(error, HttpError::Status(status) if *status == 302),
    },
    Row {
        fault: "204",
        make: |_| raw(b"HTTP/1.1 204 No Content\r\n\r\n".into()),
        is_expected: |error| matches!(error, HttpError::Status(status) if *status == 204),
    },
    Row {
        fault: "another content type",
        make: |documents| {
            raw(answer(
                "200 OK",
                "content-type: text/html\r\n",
                &documents.catalog,
            ))
        },
        is_expected: |error| matches!(error, HttpError::ContentType(_)),
    },
    Row {
        fault: "a compressed body",
        make: |documents| {
            let headers = format!("{JSON}content-encoding: gzip\r\n");
            raw(answer("200 OK", &headers, &documents.catalog))
        },
        is_expected: |error| matches!(error, HttpError::ContentEncoding(_)),
    },
    Row {
        fault: "a compressed body that does not say so",
        make: |_| {
            let mut compressed = answer("200 OK", JSON, "..").clone();
            let end = compressed.len();
            compressed[end - 2..].copy_from_slice(b"\x1f\x8b");
            raw(compressed)
        },
        is_expected: |error| matches!(error, HttpError::ContentEncoding(_)),
    },
    Row {
        fault: "a body that is too large and says so",
        make: |_| raw(ok(&" ".repeat(2 * LIMIT), None)),
        is_expected: |error| matches!(error, HttpError::TooLarge(LIMIT)),
    },
    Row {
        fault: "a body that is too large and does not say so",
        make: |_| {
            let body = " ".repeat(2 * LIMIT);
            raw(format!("HTTP/1.1 200 OK\r\n{JSON}\r\n{body}").into())
        },
        is_expected: |error| matches!(error, HttpError::TooLarge(LIMIT)),
    },
    Row {
        fault: "an expired certificate",
        make: |_| Fault::Tls(Authority::expired),
        is_expected: |error| matches!(error, HttpError::Unreachable(_)),
    },
    Row {
        fault: "a certificate for another name",
        make: |_| Fault::Tls(Authority::misnamed),
        is_expected: |error| matches!(error, HttpError::Unreachable(_)),
    },
    Row {
        fault: "a certificate of an unknown authority",
        make: |_| Fault::Tls(|_| Authority::new().good()),
        is_expected: |error| matches!(error, HttpError::Unreachable(_)),
    },
];

/// A remote server that works, and the fault of a row.
struct Scene {
    remote: RemoteServer,
    authority: Authority,
    client: HttpClient,
    fault: Fault,
    well: Manner,
    time_out: Duration,
}

impl Scene {
    async fn of(row: &Row, documents: &Documents, well: Manner) -> Self {
        let authority = Authority::new();
        let fault = (row.make)(documents);
        let remote = match fault {
            Fault::Tls(_) => RemoteServer::start_tls(well.clone(), authority.good()).await,
            _ => RemoteServer::start(well.clone()).await,
        };
        // Short only if the timeout is what ends the wait.
        let is_slow = matches!(fault, Fault::Answers(Manner::Hang | Manner::Drip(_)));
        let time_out = match is_slow {
            true => Duration::from_millis(500),
            false => PATIENCE,
        };
        Self {
            remote,
            client: HttpClient::trusting(authority.pem()).unwrap(),
            authority,
            fault,
            well,
            time_out,
        }
    }

    async fn break_down(&self) {
        match &self.fault {
            Fault::Stopped => self.remote.stop().await,
            Fault::Answers(manner) => self.remote.behave(manner.clone()),
            Fault::Tls(certificate) => self.remote.set_tls(certificate(&self.authority)),
        }
    }

    async fn recover(&self) {
        match &self.fault {
            Fault::Stopped => self.remote.restart(),
            Fault::Answers(_) => self.remote.behave(self.well.clone()),
            Fault::Tls(_) => self.remote.set_tls(self.authority.good()),
        }
    }

    fn store(&self) -> HttpStore {
        HttpStore::builder(&self.remote.uri("/catalog"))
            .poll_interval(Duration::from_secs(3600))
            .backoff(Duration::from_millis(10), Duration::from_millis(50))
            .timeout(self.time_out)
            .max_bytes(LIMIT)
            .start_with(self.client.clone())
            .unwrap()
    }
}

/// The status of a request with the key through the layer. Only the service behind
/// it answers 200.
async fn status<S: SubscriptionStore>(layer: &SubscriptionKeyLayer<S>, key: Option<&str>) -> u16 {
    let inner =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let mut request = Request::builder().uri("/resource");
    if let Some(key) = key {
        request = request.header("Ocp-Apim-Subscription-Key", key);
    }
    let request = request.body(()).unwrap();
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    response.status().as_u16()
}

/// The statuses for a good, a wrong and no key.
async fn statuses<S: SubscriptionStore>(layer: &SubscriptionKeyLayer<S>) -> [u16; 3] {
    [
        status(layer, Some(GOOD)).await,
        status(layer, Some(WRONG)).await,
        status(layer, None).await,
    ]
}

async fn until_well(store: &HttpStore) {
    within(async { while store.reload().await.is_err() {} }).await;
}

#[tokio::test]
async fn fetched_catalog_during_every_fault_is_served() {
    let documents = documents();
    for row in ROWS {
        let scene = Scene::of(row, &documents, documents.good_catalog()).await;
        let store = scene.store();
        let layer = SubscriptionKeyLayer::new(store.clone());
        until_well(&store).await;
        assert_eq!(statuses(&layer).await, [200, 401, 401], "{}", row.fault);

        scene.break_down().await;
        let error = within(store.reload()).await.unwrap_err();
        assert!((row.is_expected)(&error), "{}: {error:?}", row.fault);
        assert_eq!(statuses(&layer).await, [200, 401, 401], "{}", row.fault);
        assert_eq!(store.status().version(), 1, "{}", row.fault);

        scene.recover().await;
        until_well(&store).await;
        assert_eq!(statuses(&layer).await, [200, 401, 401], "{}", row.fault);
        assert!(store.status().last_error().is_none(), "{}", row.fault);
    }
}

#[tokio::test]
async fn missing_catalog_during_every_fault_is_a_503() {
    let documents = documents();
    for row in ROWS {
        let scene = Scene::of(row, &documents, documents.good_catalog()).await;
        scene.break_down().await;
        let store = scene.store();
        let layer = SubscriptionKeyLayer::new(store.clone());
        assert_eq!(statuses(&layer).await, [503, 503, 503], "{}", row.fault);
        let error = within(store.reload()).await.unwrap_err();
        assert!((row.is_expected)(&error), "{}: {error:?}", row.fault);
        assert_eq!(statuses(&layer).await, [503, 503, 503], "{}", row.fault);

        scene.recover().await;
        // The store recovers without a reload.
        let mut status = store.watch_status();
        within(status.wait_for(|status| status.version() == 1))
            .await
            .unwrap();
        assert_eq!(statuses(&layer).await, [200, 401, 401], "{}", row.fault);
    }
}

#[tokio::test]
async fn lookup_during_every_fault_is_a_503() {
    let documents = documents();
    for row in ROWS {
        let scene = Scene::of(row, &documents, documents.good_keys()).await;
        let store = HttpLookupStore::builder(&scene.remote.uri("/keys"))
            .timeout(scene.time_out)
            .max_bytes(LIMIT)
            .build_with(scene.client.clone())
            .unwrap();
        let layer = SubscriptionKeyLayer::new(store.clone())
            .single_api(Api::new("echo", ""))
            .unwrap();
        let well = async { while statuses(&layer).await != [200, 401, 401] {} };
        within(well).await;

        scene.break_down().await;
        assert_eq!(statuses(&layer).await, [503, 503, 401], "{}", row.fault);
        match store.find(&KeyDigest::of(GOOD)).await {
            Err(HttpLookupError::Lookup(error)) => {
                assert!((row.is_expected)(&error), "{}: {error:?}", row.fault);
            }
            other => panic!("{}: {other:?}", row.fault),
        }

        scene.recover().await;
        let well = async { while statuses(&layer).await != [200, 401, 401] {} };
        within(well).await;
    }
}

#[tokio::test]
async fn answer_about_another_key_is_a_503() {
    let documents = documents();
    let owners = [WRONG, GOOD].map(|key| (KeyDigest::of(key).to_hex(), documents.owner.clone()));
    let remote = RemoteServer::start(Manner::Keys(owners.into())).await;
    let store = HttpLookupStore::builder(&remote.uri("/keys"))
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let layer = SubscriptionKeyLayer::new(store.clone())
        .single_api(Api::new("echo", ""))
        .unwrap();
    assert_eq!(statuses(&layer).await, [200, 503, 401]);
    let error = store.find(&KeyDigest::of(WRONG)).await.unwrap_err();
    assert!(matches!(
        error,
        HttpLookupError::Lookup(HttpError::OtherKey)
    ));
}

#[tokio::test]
async fn redirect_does_not_receive_the_authorization() {
    let documents = documents();
    let elsewhere = RemoteServer::start(documents.good_catalog()).await;
    let location = format!("location: {}\r\n", elsewhere.uri("/catalog"));
    let remote = RemoteServer::start(Manner::Raw(answer("307 Away", &location, ""))).await;
    let connected = HttpStore::builder(&remote.uri("/catalog"))
        .authorization("Bearer secret")
        .timeout(PATIENCE)
        .open()
        .await;
    assert!(connected.is_err());
    assert!(remote.requests()[0].contains("authorization: bearer secret\r\n"));
    assert!(elsewhere.requests().is_empty());
}
