//! `Access` as an argument of axum's handlers.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_subscription_key::{Access, Unmatched};

use crate::support::{HEADER, KEY, layer};

fn who(access: &Access) -> String {
    let caller = access.subscription();
    caller
        .map_or("anonymous", |subscription| subscription.id())
        .to_owned()
}

fn routes() -> Router {
    let must = get(async |access: Access| who(&access));
    let may = get(async |access: Option<Access>| access.map_or("none".into(), |a| who(&a)));
    Router::new()
        .route("/guarded/must", must.clone())
        .route("/guarded/may", may.clone())
        .route("/lax/may", may.clone())
        .route("/elsewhere/must", must)
        .route("/elsewhere/may", may)
}

async fn ask(app: &Router, path: &str, key: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::get(path);
    if let Some(key) = key {
        request = request.header(HEADER, key);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn handler_sees_the_caller() {
    let app = routes().route_layer(layer().unmatched(Unmatched::Pass));
    let ok = |who: &str| (StatusCode::OK, who.to_owned());
    assert_eq!(ask(&app, "/guarded/must", Some(KEY)).await, ok("contoso"));
    assert_eq!(ask(&app, "/guarded/may", Some(KEY)).await, ok("contoso"));
    assert_eq!(ask(&app, "/lax/may", None).await, ok("anonymous"));
    assert_eq!(ask(&app, "/elsewhere/may", Some(KEY)).await, ok("none"));
    let (status, body) = ask(&app, "/elsewhere/must", Some(KEY)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("401"), "{body}");
    let (status, _) = ask(&app, "/guarded/must", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&app, "/nowhere", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn handler_without_the_layer_is_a_server_error() {
    let (status, body) = ask(&routes(), "/guarded/must", Some(KEY)).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let denial: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(denial["statusCode"], 500);
    let asks = tower_subscription_key::access::AccessRejection::NoLayer.to_string();
    assert!(
        asks.contains("is a `SubscriptionKeyLayer` installed"),
        "{asks}"
    );
    let (status, body) = ask(&routes(), "/guarded/may", Some(KEY)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "none"));
}

#[test]
fn access_for_tests_is_what_the_layer_would_insert() {
    use crate::support::catalog;
    use tower_subscription_key::{Access, DenialReason};
    let known = Access::for_tests(catalog(), "guarded", Some(KEY)).unwrap();
    assert_eq!(known.subscription().unwrap().id(), "contoso");
    assert_eq!(known.product().unwrap().id(), "starter");
    let anonymous = Access::for_tests(catalog(), "lax", None).unwrap();
    assert!(anonymous.subscription().is_none());
    for (api, key, reason) in [
        ("guarded", None, DenialReason::MissingKey),
        ("guarded", Some("wrong"), DenialReason::UnknownKey),
        ("nope", Some(KEY), DenialReason::NoSuchApi),
    ] {
        let denial = Access::for_tests(catalog(), api, key).unwrap_err();
        assert_eq!(denial.reason(), reason);
    }
}
