//! The exact number of allocations of a request.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service};
use tower_subscription_key::catalog::KeyOwner;
use tower_subscription_key::catalog::{
    Api, Catalog, CatalogBuilder, KeySlot, Product, Scope, Subscription,
};
use tower_subscription_key::response::{ProblemJson, RejectionContext};
use tower_subscription_key::store::{Answer, Holdings, SubscriptionStore};
use tower_subscription_key::{
    Access, BoxStore, InapplicableKey, KeyDigest, MemoryStore, SubscriptionKeyLayer, Unmatched,
};

const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";
const HEADER: &str = "ocp-apim-subscription-key";

fn definitions() -> CatalogBuilder {
    Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .api(Api::new("lax", "/lax").with_subscription_required(false))
        .product(Product::new("starter").with_apis(["echo"]))
}

fn contoso() -> Subscription {
    Subscription::new("contoso")
        .with_scope(Scope::Product("starter".into()))
        .with_primary_key(KEY)
}

fn catalog() -> Catalog {
    definitions().subscription(contoso()).build().unwrap()
}

fn layer() -> SubscriptionKeyLayer<MemoryStore> {
    SubscriptionKeyLayer::new(MemoryStore::new(catalog()))
}

/// Does nothing, and keeps the request's extensions for the caller.
#[derive(Clone, Default)]
struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<Extensions>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<()>) -> Self::Future {
        let mut response = Response::new(Extensions::new());
        // The extensions of the request go out as those of the response.
        std::mem::swap(response.extensions_mut(), request.extensions_mut());
        ready(Ok(response))
    }
}

/// Allocations and reallocations.
fn count(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

struct Cost {
    allocations: u64,
    status: StatusCode,
    access: Option<Access>,
}

/// Counts the second request, because the first one initializes thread-locals.
fn cost<S: SubscriptionStore>(
    layer: &SubscriptionKeyLayer<S>,
    request: impl Fn() -> Request<()>,
) -> Cost {
    let mut service = layer.layer(Inner);
    let mut ask = || {
        let request = request();
        let mut answer = None;
        let allocations = count(|| {
            let mut future = pin!(service.call(request));
            let mut cx = Context::from_waker(Waker::noop());
            answer = match future.as_mut().poll(&mut cx) {
                Poll::Ready(answer) => Some(answer.unwrap()),
                Poll::Pending => None,
            };
        });
        let mut answer = answer.expect("nothing here waits");
        Cost {
            allocations,
            status: answer.status(),
            access: answer.extensions_mut().remove(),
        }
    };
    ask();
    ask()
}

/// The cost of inserting the given access into the extensions of a request.
fn insertion(access: &Access, request: Request<()>) -> u64 {
    let (access, mut request) = (access.clone(), request);
    count(|| {
        request.extensions_mut().insert(access);
    })
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

fn keyed(uri: &str) -> Request<()> {
    Request::get(uri).header(HEADER, KEY).body(()).unwrap()
}

fn by_query() -> Request<()> {
    get(&format!("/echo?a=1&subscription-key={KEY}"))
}

fn costs_an_insertion<S: SubscriptionStore>(
    layer: &SubscriptionKeyLayer<S>,
    request: impl Fn() -> Request<()>,
    more: u64,
) {
    let cost = cost(layer, &request);
    let access = cost.access.expect("it was let in");
    let insertion = insertion(&access, request());
    assert!(insertion > 0, "the counter counts");
    assert_eq!(cost.allocations, insertion + more);
}

#[test]
fn allowed_request_allocates_only_its_access() {
    let occupied = || {
        let mut request = keyed("/echo");
        request.extensions_mut().insert(1u8);
        request.extensions_mut().insert(1u16);
        request
    };
    for layer in [layer(), layer().strip_key(true)] {
        costs_an_insertion(&layer, || keyed("/echo/1?a=1"), 0);
        costs_an_insertion(&layer, occupied, 0);
        costs_an_insertion(&layer, || get("/lax"), 0);
        costs_an_insertion(&layer, || keyed("/lax"), 0);
        costs_an_insertion(&layer, || get("/lax?a=%61&b"), 0);
    }
    costs_an_insertion(&layer(), by_query, 0);
    costs_an_insertion(&layer(), || get("/lax?subscription-key=%6B"), 0);
}

#[test]
fn allowed_request_of_a_changed_or_detailed_subscription_allocates_only_its_access() {
    let store = MemoryStore::new(catalog());
    let more = contoso()
        .with_scope(Scope::AllApis)
        .with_owner("jane@contoso.example")
        .with_display_name("Contoso")
        .with_expiry(std::time::SystemTime::now() + std::time::Duration::from_secs(3600));
    let packed = definitions().subscription(more.clone()).build().unwrap();
    let packed = SubscriptionKeyLayer::new(MemoryStore::new(packed));
    costs_an_insertion(&packed, || keyed("/echo"), 0);
    store.put_subscription(more).unwrap();
    let changed = SubscriptionKeyLayer::new(store);
    costs_an_insertion(&changed, || keyed("/echo"), 0);
    let boxed = SubscriptionKeyLayer::new(BoxStore::new(MemoryStore::new(catalog())));
    costs_an_insertion(&boxed, || keyed("/echo"), 0);
}

#[test]
fn unmatched_request_allocates_only_its_marker() {
    let mut request = get("/none");
    let mark = count(|| {
        request.extensions_mut().insert(());
    });
    let layer = layer().unmatched(Unmatched::Pass);
    for layer in [layer.clone(), layer.strip_key(true)] {
        for request in [|| get("/none"), || keyed("/none")] {
            let cost = cost(&layer, request);
            assert_eq!((cost.status, cost.allocations), (StatusCode::OK, mark));
        }
    }
}

#[test]
fn denied_request_allocates_only_its_challenge() {
    let long = "k".repeat(257);
    let hosted = |uri: &str| Request::get(uri).header("host", "api.example");
    let requests: [&dyn Fn() -> Request<()>; 6] = [
        &|| hosted("/echo").body(()).unwrap(),
        &|| keyed("/none"),
        &|| keyed("/lax"),
        &|| hosted("/echo?subscription-key=wrong").body(()).unwrap(),
        &|| {
            hosted("/echo?subscription-key=%6B&subscription-key=k")
                .body(())
                .unwrap()
        },
        &|| hosted("/echo").header(HEADER, &long).body(()).unwrap(),
    ];
    let deny = layer().inapplicable_key(InapplicableKey::Deny);
    let free = |_: RejectionContext<'_>| Response::new(Bytes::from_static(b"no"));
    for request in requests {
        assert_eq!(cost(&deny.clone().format(free), request).allocations, 0);
        for layer in [deny.clone(), deny.clone().format(ProblemJson)] {
            let cost = cost(&layer, request);
            assert_eq!(cost.status, StatusCode::UNAUTHORIZED);
            assert_eq!(cost.allocations, 1);
        }
    }
    let grpc = HeaderValue::from_static("application/grpc");
    let call = || {
        let call = hosted("/echo").header("content-type", grpc.clone());
        call.body(()).unwrap()
    };
    assert_eq!(cost(&deny, call).allocations, 0);
}

/// Answers at once or after a wait, and allocates nothing for it.
struct Keys {
    owner: KeyOwner,
    peeks: bool,
    catalog: Option<Arc<Catalog>>,
}

impl SubscriptionStore for Keys {
    type Error = Infallible;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
        Ok((*key == KeyDigest::of(KEY)).then(|| self.owner.clone()))
    }

    fn lookup_cached(&self, key: &KeyDigest) -> Option<Answer> {
        match (self.peeks, *key == KeyDigest::of(KEY)) {
            (false, _) => None,
            (true, true) => Some(Answer::new(Some(self.owner.clone()))),
            (true, false) => Some(Answer::new(None)),
        }
    }

    fn holdings(&self) -> Result<Holdings, Infallible> {
        Ok(self
            .catalog
            .clone()
            .map_or(Holdings::Keys, Holdings::Definitions))
    }
}

fn keys(peeks: bool) -> SubscriptionKeyLayer<Keys> {
    let keys = Keys {
        owner: KeyOwner::new(contoso(), KeySlot::Primary),
        peeks,
        catalog: None,
    };
    SubscriptionKeyLayer::new(keys).catalog(definitions().build().unwrap())
}

#[test]
fn lookup_with_an_immediate_answer_allocates_nothing() {
    costs_an_insertion(&keys(true), || keyed("/echo"), 0);
    costs_an_insertion(&keys(true), by_query, 0);
}

#[test]
fn lookup_with_a_wait_allocates_one_box() {
    costs_an_insertion(&keys(false), || keyed("/echo"), 1);
    costs_an_insertion(&keys(false), || keyed("/lax"), 1);
    costs_an_insertion(&keys(false), || get("/lax"), 0);
    let free = |_: RejectionContext<'_>| Response::new(Bytes::from_static(b"no"));
    let wrong = || get("/echo?subscription-key=wrong");
    assert_eq!(cost(&keys(false).format(free), wrong).allocations, 1);
    assert_eq!(cost(&keys(true).format(free), wrong).allocations, 0);
}

#[test]
fn allowed_request_holds_one_handle_each_to_catalog_and_owner() {
    let catalog = Arc::new(definitions().build().unwrap());
    let subscription = Arc::new(contoso());
    let layer = |peeks| {
        SubscriptionKeyLayer::new(Keys {
            owner: KeyOwner::new(Arc::clone(&subscription), KeySlot::Primary),
            peeks,
            catalog: Some(Arc::clone(&catalog)),
        })
    };
    let held = || {
        (
            Arc::strong_count(&catalog),
            Arc::strong_count(&subscription),
        )
    };
    for peeks in [false, true] {
        let layer = layer(peeks);
        let before = held();
        let access = cost(&layer, || keyed("/echo")).access.unwrap();
        assert_eq!(held(), (before.0 + 1, before.1 + 1));
        drop(access);
        assert_eq!(held(), before);
        // The owner of a key that grants no access is not kept.
        let anonymous = cost(&layer, || keyed("/lax")).access.unwrap();
        assert!(anonymous.subscription().is_none());
        assert_eq!(held(), (before.0 + 1, before.1));
    }
}

#[test]
fn access_clone_allocates_nothing() {
    let access = cost(&layer(), || keyed("/echo")).access.unwrap();
    let mut clone = None;
    assert_eq!(count(|| clone = Some(access.clone())), 0);
    assert_eq!(count(|| drop(clone)), 0);
}
