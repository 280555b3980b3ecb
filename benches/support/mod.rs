//! What all benchmarks share: keys, catalogs, requests, and the checks that
//! people write by hand instead of using this crate.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use tower::Service;
use tower_http::auth::AsyncAuthorizeRequest;
use tower_http::validate_request::ValidateRequest;
use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, Subscription};

pub const HEADER: &str = "ocp-apim-subscription-key";
/// Parsed once, as an expert would.
static HEADER_NAME: HeaderName = HeaderName::from_static(HEADER);

/// A small generator with a fixed seed: every run measures the same keys.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// The key of that number: 32 hex digits, as gateways generate them.
pub fn key(number: u64) -> String {
    let mut random = Random::new(number ^ 0x5eed);
    format!("{:016x}{:016x}", random.next(), random.next())
}

/// Keys that no subscription has.
pub fn unknown_key(number: u64) -> String {
    key(number | 1 << 63)
}

pub fn subscription(number: usize) -> Subscription {
    let number = number as u64;
    Subscription::new(format!("sub-{number:07}"))
        .with_scope(Scope::Product("starter".into()))
        .with_primary_key(key(2 * number).as_str())
        .with_secondary_key(key(2 * number + 1).as_str())
}

pub fn catalog(subscriptions: usize) -> Catalog {
    let mut builder = Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .api(Api::new("orders", "/orders"))
        .product(Product::new("starter").with_apis(["echo"]));
    for number in 0..subscriptions {
        builder.push_subscription(subscription(number));
    }
    builder.build().unwrap()
}

/// The extension that a hand-written check inserts: the owner of the key.
#[derive(Debug)]
pub struct Ctx {
    pub subscription: String,
    pub product: String,
}

pub type Map = Arc<HashMap<String, Arc<Ctx>>>;

pub fn map(subscriptions: usize) -> Map {
    let mut map = HashMap::with_capacity(2 * subscriptions);
    for number in 0..subscriptions as u64 {
        let ctx = Arc::new(Ctx {
            subscription: format!("sub-{number:07}"),
            product: "starter".into(),
        });
        map.insert(key(2 * number), Arc::clone(&ctx));
        map.insert(key(2 * number + 1), ctx);
    }
    Arc::new(map)
}

fn look_up(map: &Map, headers: &HeaderMap) -> Option<Arc<Ctx>> {
    let key = headers.get(&HEADER_NAME)?.to_str().ok()?;
    map.get(key).cloned()
}

/// The leanest check that people write: `ValidateRequestHeaderLayer::custom`.
#[derive(Clone)]
pub struct Validate(pub Map);

impl ValidateRequest<Body> for Validate {
    type ResponseBody = Body;

    fn validate(&mut self, request: &mut Request<Body>) -> Result<(), Response> {
        match look_up(&self.0, request.headers()) {
            Some(ctx) => {
                request.extensions_mut().insert(ctx);
                Ok(())
            }
            None => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                Err(response)
            }
        }
    }
}

/// The same check, answering a refusal with the bytes that this crate answers.
#[derive(Clone)]
pub struct ValidateSameBytes(pub Map);

impl ValidateRequest<Body> for ValidateSameBytes {
    type ResponseBody = Body;

    fn validate(&mut self, request: &mut Request<Body>) -> Result<(), Response> {
        match look_up(&self.0, request.headers()) {
            Some(ctx) => {
                request.extensions_mut().insert(ctx);
                Ok(())
            }
            None => Err(refusal(request)),
        }
    }
}

fn refusal(request: &Request<Body>) -> Response {
    const BODY: &str = "{ \"statusCode\": 401, \"message\": \"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.\" }";
    let host = request.headers().get("host").and_then(|h| h.to_str().ok());
    let challenge = format!(
        "AzureApiManagementKey realm=\"https://{}/echo\",name=\"Ocp-Apim-Subscription-Key\",type=\"header\"",
        host.unwrap_or_default()
    );
    let mut response = Response::new(Body::from(BODY));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("www-authenticate", challenge.try_into().unwrap());
    response
}

/// The same check under `AsyncRequireAuthorizationLayer`, with a named future.
#[derive(Clone)]
pub struct Authorize(pub Map);

impl AsyncAuthorizeRequest<Body> for Authorize {
    type RequestBody = Body;
    type ResponseBody = Body;
    type Future = Ready<Result<Request<Body>, Response>>;

    fn authorize(&mut self, mut request: Request<Body>) -> Self::Future {
        ready(match look_up(&self.0, request.headers()) {
            Some(ctx) => {
                request.extensions_mut().insert(ctx);
                Ok(request)
            }
            None => Err(StatusCode::UNAUTHORIZED.into_response()),
        })
    }
}

/// The same check as an axum middleware function.
pub async fn middleware(
    State(map): State<Map>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    match look_up(&map, request.headers()) {
        Some(ctx) => {
            request.extensions_mut().insert(ctx);
            next.run(request).await
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// The innermost service: answers at once.
#[derive(Clone)]
pub struct Inner;

impl Service<Request<Body>> for Inner {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        drop(request);
        ready(Ok(Response::new(Body::empty())))
    }
}

/// How a benchmarked request carries its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Carry {
    Header,
    Query,
    Nothing,
}

/// A request as clients send them: seven headers, one of them the key.
pub fn request(key: &str, carry: Carry, path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    let uri = match carry {
        Carry::Query => format!("{path}?page=3&subscription-key={key}&sort=id"),
        _ => format!("{path}?page=3&sort=id"),
    };
    *request.uri_mut() = uri.parse().unwrap();
    let headers = request.headers_mut();
    for (name, value) in [
        ("host", "api.contoso.example"),
        ("user-agent", "contoso-orders/4.2 (linux; x86_64)"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, br"),
        ("x-request-id", "0b1f8e32-5f0c-4d6e-9d52-7d3f0d6f1f10"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if carry == Carry::Header {
        headers.insert(HeaderName::from_static(HEADER), key.parse().unwrap());
    }
    request
}

/// Drives one request through a service that is ready and never waits.
#[inline(always)]
pub fn drive<S>(service: &mut S, request: Request<Body>) -> StatusCode
where
    S: Service<Request<Body>>,
    S::Response: HasStatus,
{
    let mut task = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut task).is_ready());
    let mut future = std::pin::pin!(service.call(request));
    match future.as_mut().poll(&mut task) {
        Poll::Ready(Ok(response)) => response.status_code(),
        _ => panic!("the service waited"),
    }
}

pub trait HasStatus {
    fn status_code(&self) -> StatusCode;
}

impl<B> HasStatus for http::Response<B> {
    fn status_code(&self) -> StatusCode {
        self.status()
    }
}

/// The time that a batch of requests takes, each.
pub fn time<S>(service: &mut S, batch: Vec<Request<Body>>, expect: StatusCode) -> f64
where
    S: Service<Request<Body>>,
    S::Response: HasStatus,
{
    let count = batch.len();
    let mut right = 0;
    let start = Instant::now();
    for request in batch {
        right += usize::from(drive(service, request) == expect);
    }
    let elapsed: Duration = start.elapsed();
    assert_eq!(right, count, "wrong answers");
    elapsed.as_nanos() as f64 / count as f64
}

/// The value below which that share of the samples lies.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[((samples.len() - 1) as f64 * share) as usize]
}
