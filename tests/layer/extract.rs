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
async fn a_handler_is_told_who_calls() {
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
async fn without_the_layer_nobody_gets_to_a_handler_that_asks_for_an_access() {
    let (status, body) = ask(&routes(), "/guarded/must", Some(KEY)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["statusCode"], 401);
    let (status, body) = ask(&routes(), "/guarded/may", Some(KEY)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "none"));
}
