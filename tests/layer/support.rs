//! A catalog, an inner service that records requests, and stores.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_subscription_key::catalog::KeyOwner;
use tower_subscription_key::catalog::{Api, Catalog, KeySlot, Product, Scope, Subscription};
use tower_subscription_key::key::{KeyHeader, KeyQuery};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::{Access, Denial, KeyDigest, MemoryStore, SubscriptionKeyLayer};

/// The key of `contoso`. Only requests may contain it.
pub(crate) const KEY: &str = "k3y-that-must-stay-secret";
/// The secondary key of `contoso`.
pub(crate) const OTHER: &str = "0ther-key-that-must-stay-secret";
pub(crate) const HEADER: &str = "Ocp-Apim-Subscription-Key";
pub(crate) const MISSING: &str = r#"{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }"#;
pub(crate) const INVALID: &str = r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }"#;

/// `guarded` needs a key, `lax` needs no key, `given` is in an open product, and
/// `own` overrides the key names.
pub(crate) fn definitions() -> tower_subscription_key::catalog::CatalogBuilder {
    Catalog::builder()
        .api(Api::new("guarded", "/guarded"))
        .api(Api::new("lax", "/lax").with_subscription_required(false))
        .api(Api::new("given", "/given"))
        .api(
            Api::new("own", "/own")
                .with_key_header(KeyHeader::new("X-Own-Key").unwrap())
                .with_key_query(KeyQuery::new("own_key").unwrap()),
        )
        .product(
            Product::new("gift")
                .with_apis(["given"])
                .with_subscription_required(false),
        )
        .product(Product::new("starter").with_apis(["guarded", "own"]))
}

pub(crate) fn contoso() -> Subscription {
    Subscription::new("contoso")
        .with_scope(Scope::Product("starter".into()))
        .with_owner("jane@contoso.example")
        .with_primary_key(KEY)
        .with_secondary_key(OTHER)
}

pub(crate) fn catalog() -> Catalog {
    definitions().subscription(contoso()).build().unwrap()
}

pub(crate) fn layer() -> SubscriptionKeyLayer<MemoryStore> {
    SubscriptionKeyLayer::new(MemoryStore::new(catalog()))
}

/// Records the head of every request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inner {
    seen: Arc<Mutex<Vec<Parts>>>,
}

impl Inner {
    pub(crate) fn seen(&self) -> Vec<Parts> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.seen.lock().unwrap().push(request.into_parts().0);
        std::future::ready(Ok(Response::new(Full::from("inner"))))
    }
}

/// A response, and what the inner service saw if it was called.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) denial: Option<Denial>,
    pub(crate) seen: Option<Parts>,
}

pub(crate) async fn send<S: SubscriptionStore>(
    layer: &SubscriptionKeyLayer<S>,
    request: Request<()>,
) -> Answer {
    let inner = Inner::default();
    let response = layer.layer(inner.clone()).oneshot(request).await.unwrap();
    let (mut head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut seen = inner.seen();
    assert!(seen.len() <= 1, "asked once at most");
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        denial: head.extensions.remove(),
        seen: seen.pop(),
    }
}

impl Answer {
    /// What the inner service saw.
    pub(crate) fn passed(self) -> Parts {
        assert_eq!((self.status, &*self.body), (StatusCode::OK, "inner"));
        self.seen.expect("it was asked")
    }

    /// The access of the allowed request.
    pub(crate) fn access(self) -> Access {
        self.passed().extensions.remove().expect("an access")
    }

    /// The body of a rejection.
    pub(crate) fn refused(self, status: StatusCode) -> String {
        assert!(self.seen.is_none(), "a refused request goes nowhere");
        assert_eq!(self.status, status);
        self.body
    }

    pub(crate) fn denied(self) -> String {
        self.refused(StatusCode::UNAUTHORIZED)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

pub(crate) fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

pub(crate) fn with(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

pub(crate) fn keyed(uri: &str, key: &str) -> Request<()> {
    with(uri, &[(HEADER, key)])
}

/// A store that knows only keys, and lets other tasks run before it answers.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    pub(crate) keys: HashMap<KeyDigest, KeyOwner>,
    pub(crate) asked: AtomicUsize,
    pub(crate) down: AtomicBool,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the wire is cut")]
pub(crate) struct Down;

impl Slow {
    pub(crate) fn new() -> Arc<Self> {
        let contoso = Arc::new(contoso());
        let owner = |slot| KeyOwner::new(Arc::clone(&contoso), slot);
        let keys = [
            (KeyDigest::of(KEY), owner(KeySlot::Primary)),
            (KeyDigest::of(OTHER), owner(KeySlot::Secondary)),
        ];
        Arc::new(Self {
            keys: keys.into(),
            ..Self::default()
        })
    }

    pub(crate) fn broken() -> Arc<Self> {
        let slow = Self::new();
        slow.down.store(true, Ordering::Relaxed);
        slow
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

impl SubscriptionStore for Slow {
    type Error = Down;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        if self.down.load(Ordering::Relaxed) {
            return Err(Down);
        }
        Ok(self.keys.get(key).cloned())
    }
}

/// A layer with the given store and the APIs and products of [`catalog`].
pub(crate) fn slow_layer(store: &Arc<Slow>) -> SubscriptionKeyLayer<Arc<Slow>> {
    SubscriptionKeyLayer::new(Arc::clone(store)).catalog(definitions().build().unwrap())
}
