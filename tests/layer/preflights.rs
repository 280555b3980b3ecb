//! CORS preflights: which ones pass without a key, and which part of the response is sent.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::cors::{Any, CorsLayer};
use tower_subscription_key::Access;

use crate::support::{KEY, MISSING, keyed, layer, send, with};

pub(crate) fn preflight(uri: &str) -> Request<()> {
    let headers = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "PUT"),
    ];
    let mut request = with(uri, &headers);
    *request.method_mut() = Method::OPTIONS;
    request
}

/// Status, headers and body of the response of `service` behind the layer.
async fn through<S>(service: S, request: Request<()>) -> (StatusCode, HeaderMap, String)
where
    S: Service<Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone,
{
    let layer = layer().pass_preflights(true).strip_key(true);
    let request = request.map(|()| Body::empty());
    let response = layer.layer(service).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (head.status, head.headers, body)
}

#[tokio::test]
async fn preflight_behind_a_cors_layer_is_answered_by_it() {
    let cors = CorsLayer::new().allow_origin(Any).allow_headers(Any);
    let app = Router::new().route("/guarded", get(async || "secret"));
    for path in ["/guarded", "/guarded?subscription-key=x", "/none"] {
        let (status, headers, body) =
            through(app.clone().layer(cors.clone()), preflight(path)).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(body, "");
    }
}

#[tokio::test]
async fn preflight_that_a_handler_of_all_methods_answers_is_denied() {
    let app = Router::new().route("/guarded", any(async || "secret"));
    let (status, headers, body) = through(app, preflight("/guarded")).await;
    assert_eq!((status, &*body), (StatusCode::UNAUTHORIZED, MISSING));
    assert!(headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn body_of_an_answer_to_a_preflight_is_discarded() {
    let leaks = service_fn(|request: Request<Body>| async move {
        assert!(request.extensions().get::<Access>().is_none());
        assert_eq!(request.uri(), "/guarded?a");
        assert!(request.headers().contains_key("origin"));
        let response = http::Response::builder()
            .header("access-control-allow-origin", "*")
            .header("content-length", "6");
        Ok(response.body(Body::from("secret")).unwrap())
    });
    let mut request = preflight("/guarded?subscription-key=x&a");
    let before = send(&layer(), keyed("/guarded", KEY)).await.access();
    request.extensions_mut().insert(before);
    let (status, headers, body) = through(leaks, request).await;
    assert_eq!((status, &*body), (StatusCode::OK, ""));
    assert!(!headers.contains_key("content-length"));
}

#[tokio::test]
async fn request_that_only_resembles_a_preflight_needs_a_key() {
    assert_eq!(
        send(&layer(), preflight("/guarded")).await.denied(),
        MISSING
    );
    let layer = layer().pass_preflights(true);
    let changed = |change: &dyn Fn(&mut Request<()>)| {
        let mut request = preflight("/guarded");
        change(&mut request);
        request
    };
    for request in [
        changed(&|request| *request.method_mut() = Method::POST),
        changed(&|request| {
            request.headers_mut().remove("origin");
        }),
        changed(&|request| {
            request
                .headers_mut()
                .remove("access-control-request-method");
        }),
        changed(&|request| {
            let name = "access-control-request-method";
            request.headers_mut().insert(name, "a b".parse().unwrap());
        }),
        changed(&|request| {
            let other = "https://b.example".parse().unwrap();
            request.headers_mut().append("origin", other);
        }),
        changed(&|request| {
            request
                .headers_mut()
                .insert("content-length", "3".parse().unwrap());
        }),
        changed(&|request| {
            let chunked = "chunked".parse().unwrap();
            request.headers_mut().insert("transfer-encoding", chunked);
        }),
    ] {
        assert_eq!(send(&layer, request).await.denied(), MISSING);
    }
}

#[tokio::test]
async fn preflight_for_an_api_without_keys_is_an_ordinary_request() {
    let layer = layer().pass_preflights(true);
    let access = send(&layer, preflight("/lax")).await.access();
    assert_eq!(access.api().id(), "lax");
    assert!(access.subscription().is_none());
}
