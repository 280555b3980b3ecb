//! The layer requires no traits of bodies, data and errors.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_subscription_key::catalog::Api;
use tower_subscription_key::catalog::KeyOwner;
use tower_subscription_key::{KeyDigest, SubscriptionKeyLayer, SubscriptionStore};

use crate::support::{self, Inner, KEY, MISSING, Slow, keyed, layer, slow_layer};

/// Data that is not `Bytes` and stays on its thread.
#[derive(Debug)]
struct OwnData(Rc<Vec<u8>>, usize);

impl From<Bytes> for OwnData {
    fn from(bytes: Bytes) -> Self {
        Self(Rc::new(bytes.to_vec()), 0)
    }
}

impl Buf for OwnData {
    fn remaining(&self) -> usize {
        self.0.len() - self.1
    }

    fn chunk(&self) -> &[u8] {
        &self.0[self.1..]
    }

    fn advance(&mut self, count: usize) {
        self.1 += count;
    }
}

/// An error that implements neither `std::error::Error` nor `Send`.
#[derive(Debug, PartialEq)]
struct OwnError(Rc<str>);

/// A body that fails after its data. The body and its parts are not `Send`.
struct OwnBody(Option<Rc<Vec<u8>>>);

impl Body for OwnBody {
    type Data = OwnData;
    type Error = OwnError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<OwnData>, OwnError>>> {
        Poll::Ready(Some(match self.0.take() {
            Some(data) => Ok(Frame::data(OwnData(data, 0))),
            None => Err(OwnError("the body broke".into())),
        }))
    }
}

/// Answers with the request's body, or fails if it is empty.
#[derive(Clone)]
struct OwnService(Rc<()>);

impl Service<Request<Rc<Vec<u8>>>> for OwnService {
    type Response = Response<OwnBody>;
    type Error = OwnError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<OwnBody>, OwnError>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OwnError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Rc<Vec<u8>>>) -> Self::Future {
        let here = Rc::clone(&self.0);
        Box::pin(async move {
            tokio::task::yield_now().await;
            drop(here);
            let body = request.into_body();
            if body.is_empty() {
                return Err(OwnError("the service broke".into()));
            }
            Ok(Response::new(OwnBody(Some(body))))
        })
    }
}

async fn checks<S: SubscriptionStore>(layer: SubscriptionKeyLayer<S>) {
    let service = layer.layer(OwnService(Rc::new(())));
    let request = |key, body: &[u8]| keyed("/guarded", key).map(|()| Rc::new(body.to_vec()));

    let response = service.clone().oneshot(request(KEY, b"own")).await.unwrap();
    let mut body = response.into_body();
    let data = body
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .ok()
        .unwrap();
    assert_eq!(data.chunk(), b"own");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error, OwnError("the body broke".into()));

    let error = service.clone().oneshot(request(KEY, b"")).await;
    assert_eq!(error.err(), Some(OwnError("the service broke".into())));

    let response = service.oneshot(request("", b"own")).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let mut body = response.into_body();
    let data = body
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .ok()
        .unwrap();
    assert_eq!(data.chunk(), MISSING.as_bytes());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn service_with_custom_non_send_body_data_and_error_compiles() {
    checks(layer()).await;
    checks(slow_layer(&Slow::new())).await;
}

#[test]
fn service_with_send_types_stays_send() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    fn shareable<T: Send + Sync + Clone + 'static>(value: T) -> T {
        value
    }
    let mut service = shareable(layer().layer(Inner::default()));
    drop(sendable(service.call(keyed("/guarded", KEY))));
    let mut service = shareable(slow_layer(&Slow::new()).layer(Inner::default()));
    drop(sendable(service.call(keyed("/guarded", KEY))));
}

#[tokio::test]
async fn service_with_a_response_without_a_body_compiles() {
    // The layer does not use `R` of `Response<R>`.
    let service = tower::service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::builder().status(204).body(()).unwrap())
    });
    let response = layer().layer(service).oneshot(keyed("/guarded", KEY)).await;
    assert_eq!(response.unwrap().status(), 204);
}

#[tokio::test]
async fn inner_service_behind_the_layer_is_accessible() {
    let mut service = layer().layer(Inner::default());
    service.call(keyed("/guarded", KEY)).await.unwrap();
    let inner: &mut Inner = service.get_mut();
    assert_eq!(inner.seen().len(), 1);
    service.call(keyed("/guarded", KEY)).await.unwrap();
    let clone = service.clone();
    assert_eq!(service.get_ref().seen().len(), 1);
    let inner: Inner = clone.into_inner();
    assert!(
        ServiceExt::<Request<()>>::oneshot(inner, support::get("/"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn service_with_a_single_api_is_set_up_in_one_call() {
    let layer = SubscriptionKeyLayer::new(Slow::new())
        .single_api(Api::new("orders", ""))
        .unwrap();
    let layer = layer.validate().unwrap();
    // `contoso` subscribes to a product, and this catalog has no product.
    let denied = support::send(&layer, keyed("/any/path", KEY)).await;
    assert_eq!(denied.denied(), support::INVALID);
    let lax = Api::new("orders", "/never/looked/at").with_subscription_required(false);
    let layer = SubscriptionKeyLayer::new(NoKeys).single_api(lax).unwrap();
    let access = support::send(&layer, support::get("/any/path"))
        .await
        .access();
    assert_eq!(access.api().id(), "orders");
}

/// A minimal store.
struct NoKeys;

impl SubscriptionStore for NoKeys {
    type Error = Infallible;

    async fn find(&self, _: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
        Ok(None)
    }
}

#[test]
fn layer_and_service_debug_output_omits_store_and_inner_service() {
    let layer = layer().header("X-Key").unwrap();
    let printed = format!("{layer:?} {:?}", layer.layer("inner"));
    assert!(
        printed.contains("X-Key") && printed.contains("inner"),
        "{printed}"
    );
    assert!(!printed.contains("contoso"), "{printed}");
}
