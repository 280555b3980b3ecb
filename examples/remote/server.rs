//! A remote server that answers both kinds of requests, as the documentation of
//! `store::http` describes them.

use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State as Shared};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tower_subscription_key::catalog::{Api, Catalog, Scope, State, Subscription};
use tower_subscription_key::{KeyDigest, MemoryStore, SubscriptionStore, document};

use crate::{AnyError, KEY, PATIENCE};

/// The `Authorization` header that services must send.
pub(crate) const TOKEN: &str = "Bearer the-services-token";

const JSON: &str = "application/json";

/// The remote server with a separate runtime, so that it can be stopped like a process.
pub(crate) struct RemoteServer {
    records: Arc<Records>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

/// The subscriptions and their changes.
struct Records {
    store: MemoryStore,
    changes: watch::Sender<u64>,
}

impl Records {
    fn set_state(&self, id: &str, state: State) -> Result<(), AnyError> {
        let catalog = self.store.catalog();
        let subscription = catalog.subscription(id).ok_or("no such subscription")?;
        self.store
            .put_subscription(subscription.with_state(state))?;
        self.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// The document, and an `ETag` that differs for every content.
    fn document(&self) -> (String, String) {
        let document = document::to_json(&self.store.catalog());
        let etag = format!("\"{}\"", KeyDigest::of(&document).to_hex());
        (document, etag)
    }
}

impl RemoteServer {
    pub(crate) fn start(address: &str) -> Result<Self, AnyError> {
        let contoso = Subscription::new("contoso")
            .with_scope(Scope::Api("orders".into()))
            .with_primary_key(KEY);
        let catalog = Catalog::builder()
            .api(Api::new("orders", "/orders"))
            .subscription(contoso)
            .build()?;
        let records = Records {
            store: MemoryStore::new(catalog),
            changes: watch::Sender::new(0),
        };
        let mut remote = Self {
            records: Arc::new(records),
            address: address.parse()?,
            runtime: None,
        };
        remote.restart()?;
        Ok(remote)
    }

    pub(crate) fn restart(&mut self) -> Result<(), AnyError> {
        let address = self.address;
        let listener = net::TcpListener::bind(address)
            .map_err(|error| format!("cannot listen on {address}: {error}"))?;
        listener.set_nonblocking(true)?;
        self.address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let app = router(Arc::clone(&self.records));
        runtime.spawn(async move { axum::serve(TcpListener::from_std(listener)?, app).await });
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Stops it with every connection, as a crash would.
    pub(crate) async fn stop(&mut self) -> Result<(), AnyError> {
        if let Some(runtime) = self.runtime.take() {
            // It may still answer until this is over.
            spawn_blocking(|| runtime.shutdown_timeout(PATIENCE)).await?;
        }
        Ok(())
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn set_state(&self, state: State) -> Result<(), AnyError> {
        self.records.set_state("contoso", state)
    }
}

/// A runtime must not be dropped inside another one.
impl Drop for RemoteServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn router(records: Arc<Records>) -> Router {
    Router::new()
        .route("/catalog", get(catalog))
        .route("/keys/{digest}", get(key))
        .route_layer(from_fn(authorize))
        // Open, for `curl` in this example.
        .route("/subscriptions/{id}/{state}", post(change))
        .with_state(records)
}

async fn authorize(request: Request, next: Next) -> Result<Response, StatusCode> {
    match header(request.headers(), AUTHORIZATION.as_str()) {
        Some(TOKEN) => Ok(next.run(request).await),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

/// The whole catalog, if the caller does not have it yet. The request is held until
/// it changes, if the caller prefers that.
async fn catalog(Shared(records): Shared<Arc<Records>>, headers: HeaderMap) -> Response {
    // Before the document is read, so that no later change is missed.
    let mut changes = records.changes.subscribe();
    let (mut document, mut etag) = records.document();
    let known = header(&headers, IF_NONE_MATCH.as_str());
    if known == Some(&*etag)
        && let Some(wait) = wait(&headers)
        && let Ok(Ok(())) = tokio::time::timeout(wait, changes.changed()).await
    {
        (document, etag) = records.document();
    }
    if known == Some(&*etag) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response();
    }
    ([(CONTENT_TYPE, JSON.to_owned()), (ETAG, etag)], document).into_response()
}

/// `Prefer: wait=N`, for at most a minute.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preference = header(headers, "prefer")?.strip_prefix("wait=")?;
    let seconds: u64 = preference.parse().ok()?;
    Some(Duration::from_secs(seconds.min(60)))
}

/// The owner of the key with the given digest, or its absence. Both are status 200:
/// a 404 could come from anywhere. The header says which key the answer is about.
async fn key(
    Shared(records): Shared<Arc<Records>>,
    Path(digest): Path<String>,
) -> Result<Response, StatusCode> {
    let digest: KeyDigest = digest.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let Ok(owner) = records.store.find(&digest).await;
    let owner = owner
        .as_ref()
        .map(|owner| (owner.subscription(), owner.slot()));
    let headers = [
        (CONTENT_TYPE.as_str(), JSON.to_owned()),
        ("key-digest", digest.to_hex()),
    ];
    Ok((headers, document::owner_to_json(owner)).into_response())
}

async fn change(
    Shared(records): Shared<Arc<Records>>,
    Path((id, state)): Path<(String, String)>,
) -> Result<StatusCode, (StatusCode, String)> {
    let refuse = |error: &dyn ToString| (StatusCode::BAD_REQUEST, error.to_string());
    let state = state.parse().map_err(|error| refuse(&error))?;
    let changed: Result<(), AnyError> = records.set_state(&id, state);
    changed.map_err(|error| refuse(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
