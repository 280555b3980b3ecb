//! A real axum server and a real client on a real socket.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{OriginalUri, RawQuery, Request};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use axum::routing::{any, get, post};
use futures_util::{SinkExt, StreamExt};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite;
use tower::ServiceBuilder;
use tower_subscription_key::catalog::{Api, Product, Scope, Subscription};
use tower_subscription_key::{Access, Catalog, MemoryStore, SubscriptionKeyLayer, Unmatched};

const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";
const MISSING: &str = r#"{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }"#;
const INVALID: &str = r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }"#;

fn keys() -> SubscriptionKeyLayer<MemoryStore> {
    let catalog = Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .api(Api::new("status", "/status").with_subscription_required(false))
        .product(Product::new("starter").with_apis(["echo"]))
        .subscription(
            Subscription::new("contoso")
                .with_scope(Scope::Product("starter".into()))
                .with_owner("jane@contoso.example")
                .with_primary_key(KEY),
        );
    SubscriptionKeyLayer::new(MemoryStore::new(catalog.build().unwrap()))
}

/// Serves until the test's runtime ends.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// A request for the given path, with the key, if any, in its header.
fn request<B>(server: SocketAddr, path: &str, key: Option<&str>, body: B) -> Request<B> {
    let mut request = Request::builder().uri(format!("http://{server}{path}"));
    if let Some(key) = key {
        request = request.header("Ocp-Apim-Subscription-Key", key);
    }
    request.body(body).unwrap()
}

async fn ask(request: Request<Empty<Bytes>>) -> Response<String> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    collected(client.request(request).await.unwrap()).await
}

async fn collected<B>(response: Response<B>) -> Response<String>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
}

async fn get_it(server: SocketAddr, path: &str, key: Option<&str>) -> (StatusCode, String) {
    let response = ask(request(server, path, key, Empty::new())).await;
    (response.status(), response.into_body())
}

fn described(access: &Access) -> String {
    let subscription = access.subscription();
    format!(
        "{} {} {}",
        access.api().id(),
        access.product().map_or("-", |product| product.id()),
        subscription.map_or("-", |subscription| subscription.id()),
    )
}

#[tokio::test]
async fn handler_behind_the_layer_gets_the_caller_and_wrong_keys_are_denied() {
    let app = Router::new()
        .route("/echo", get(async |access: Access| described(&access)))
        .route("/status", get(async |access: Access| described(&access)))
        .route_layer(keys());
    let server = serve(app).await;

    let by_query = format!("/echo?subscription-key={KEY}");
    for (path, key, status, body) in [
        ("/echo", Some(KEY), StatusCode::OK, "echo starter contoso"),
        (&by_query, None, StatusCode::OK, "echo starter contoso"),
        ("/echo", None, StatusCode::UNAUTHORIZED, MISSING),
        ("/echo", Some("wrong"), StatusCode::UNAUTHORIZED, INVALID),
        ("/status", None, StatusCode::OK, "status - -"),
        ("/status", Some("wrong"), StatusCode::OK, "status - -"),
    ] {
        let answer = get_it(server, path, key).await;
        assert_eq!(answer, (status, body.to_owned()), "{path} {key:?}");
    }
}

#[tokio::test]
async fn denied_head_request_gets_a_length_without_a_body() {
    let app = Router::new().route("/echo", any(async || "in"));
    let server = serve(app.route_layer(keys())).await;
    let mut head = request(server, "/echo", None, Empty::new());
    *head.method_mut() = Method::HEAD;

    let response = ask(head).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["content-length"], "152");
    assert_eq!(response.body(), "");
}

#[tokio::test]
async fn unknown_path_is_404_around_routes_and_denied_around_all() {
    let routes = || Router::new().route("/echo", get(async || "in"));

    let server = serve(routes().route_layer(keys())).await;
    let (status, _) = get_it(server, "/nowhere", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let server = serve(routes().layer(keys())).await;
    let answer = get_it(server, "/nowhere", None).await;
    assert_eq!(answer, (StatusCode::UNAUTHORIZED, MISSING.to_owned()));

    let server = serve(routes().layer(keys().unmatched(Unmatched::Pass))).await;
    let (status, _) = get_it(server, "/nowhere", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn access_extractor_is_required_or_optional() {
    let needed = async |access: Access| described(&access);
    let optional = async |access: Option<Access>| match access {
        Some(access) => described(&access),
        None => "nobody".to_owned(),
    };
    let app = Router::new()
        .route("/echo", get(optional))
        .route("/needed", get(needed))
        .route("/optional", get(optional))
        .route_layer(keys().unmatched(Unmatched::Pass));
    let server = serve(app.route("/without-layer", get(needed))).await;

    for (path, status, body) in [
        ("/echo", StatusCode::OK, "echo starter contoso"),
        ("/optional", StatusCode::OK, "nobody"),
    ] {
        let answer = get_it(server, path, Some(KEY)).await;
        assert_eq!(answer, (status, body.to_owned()), "{path}");
    }
    for (path, expected) in [
        ("/needed", StatusCode::UNAUTHORIZED),
        ("/without-layer", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let (status, body) = get_it(server, path, Some(KEY)).await;
        assert_eq!(status, expected, "{path}");
        assert!(!body.contains(KEY), "{path}");
    }
}

#[tokio::test]
async fn nested_router_is_decided_by_the_path_that_the_client_sent() {
    let inner = |keys: SubscriptionKeyLayer<MemoryStore>| {
        Router::new()
            .route("/resource", get(async |access: Access| described(&access)))
            .route("/orders", get(async || "orders of the administrator"))
            .route_layer(keys)
    };
    let app = Router::new().nest("/echo", inner(keys()));
    let server = serve(app).await;
    let answer = get_it(server, "/echo/resource", Some(KEY)).await;
    assert_eq!(answer, (StatusCode::OK, "echo starter contoso".to_owned()));

    // `/admin/orders` is not the open API `/orders`, even if the router strips `/admin`.
    let catalog = Catalog::builder()
        .api(Api::new("orders", "/orders").with_subscription_required(false))
        .api(Api::new("admin", "/admin"))
        .build()
        .unwrap();
    let keys = SubscriptionKeyLayer::new(MemoryStore::new(catalog));
    let app = Router::new().nest("/admin", inner(keys));
    let server = serve(app).await;
    let answer = get_it(server, "/admin/orders", None).await;
    assert_eq!(answer, (StatusCode::UNAUTHORIZED, MISSING.to_owned()));
}

#[tokio::test]
async fn stripped_key_is_hidden_from_the_handler() {
    let seen = async |RawQuery(query): RawQuery, headers: HeaderMap| {
        assert!(!headers.contains_key("ocp-apim-subscription-key"));
        query.unwrap_or_default()
    };
    let app = Router::new().route("/echo", get(seen));
    let server = serve(app.route_layer(keys().strip_key(true))).await;
    let path = format!("/echo?c=1&subscription-key={KEY}&b=%61");
    let answer = get_it(server, &path, Some(KEY)).await;
    assert_eq!(answer, (StatusCode::OK, "c=1&b=%61".to_owned()));
}

#[tokio::test]
async fn stripped_key_is_removed_from_the_original_uri() {
    let seen = async |OriginalUri(uri): OriginalUri, RawQuery(query): RawQuery| {
        format!("{uri} {}", query.unwrap_or_default())
    };
    let inner = Router::new().route("/resource", get(seen));
    let nested = Router::new().nest("/echo", inner.route_layer(keys().strip_key(true)));
    let around = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(keys().strip_key(true))
        .service(Router::new().route("/echo/resource", get(seen)));
    for service in [nested, Router::new().fallback_service(around)] {
        let server = serve(service).await;
        let path = format!("/echo/resource?subscription-key={KEY}&b=1");
        let answer = get_it(server, &path, None).await;
        assert_eq!(
            answer,
            (StatusCode::OK, "/echo/resource?b=1 b=1".to_owned())
        );
    }
}

#[tokio::test]
async fn web_socket_without_a_key_is_denied() {
    let upgrade = async |access: Access, upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket| {
            let greeting = Message::text(described(&access));
            socket.send(greeting).await.unwrap();
            while let Some(Ok(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        })
    };
    let app = Router::new().route("/echo", any(upgrade));
    let server = serve(app.route_layer(keys())).await;
    let open = async |query: &str| {
        let url = format!("ws://{server}/echo{query}");
        let stream = TcpStream::connect(server).await.unwrap();
        tokio_tungstenite::client_async(url, stream).await
    };

    match open("").await {
        Err(tungstenite::Error::Http(answer)) => {
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(answer.body().as_deref(), Some(MISSING.as_bytes()));
        }
        other => panic!("{other:?}"),
    }

    // Browsers cannot set headers on a web socket: the key is in the query.
    let (mut socket, _) = open(&format!("?subscription-key={KEY}")).await.unwrap();
    socket.send("hello".into()).await.unwrap();
    for text in ["echo starter contoso", "hello"] {
        let message = socket.next().await.unwrap().unwrap();
        assert_eq!(message.into_text().unwrap(), text);
    }
}

/// The answer's first half is read before the request's second half is sent.
#[tokio::test]
async fn body_through_the_layer_streams_both_ways_and_keeps_trailers() {
    let app = Router::new().route("/echo", post(async |body: Body| body));
    let server = serve(app.route_layer(keys())).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();

    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let mut upload = request(server, "/echo", Some(KEY), body);
    *upload.method_mut() = Method::POST;
    let response = client.request(upload).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.version(), Version::HTTP_2);
    let mut body = response.into_body();

    for text in ["one", "two"] {
        sender.send_data(text.into()).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("sum", HeaderValue::from_static("two"));
    sender.send_trailers(trailers.clone()).await.unwrap();
    drop(sender);
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap(), trailers);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn http_2_denial_equals_the_http_1_denial() {
    let app = Router::new().route("/echo", get(async || "in"));
    let server = serve(app.route_layer(keys())).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();

    let refused = request(server, "/echo", Some("wrong"), Empty::<Bytes>::new());
    let response = client.request(refused).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let response = collected(response).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["content-type"], "application/json");
    let challenge = format!(
        r#"AzureApiManagementKey realm="https://{server}/echo",name="Ocp-Apim-Subscription-Key",type="header""#
    );
    assert_eq!(response.headers()["www-authenticate"], challenge);
    assert_eq!(response.body(), INVALID);
}
