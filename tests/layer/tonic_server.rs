//! A real tonic server and a real client on a real socket.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::codegen::BoxStream;
use tonic::metadata::MetadataValue;
use tonic::service::LayerExt;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_subscription_key::catalog::KeyOwner;
use tower_subscription_key::catalog::{Api, Scope, Subscription};
use tower_subscription_key::store::Holdings;
use tower_subscription_key::{
    Access, Catalog, KeyDigest, MemoryStore, SubscriptionKeyLayer, SubscriptionStore,
};

const HEADER: &str = "ocp-apim-subscription-key";
const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";
const MISSING: &str = "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.";
const INVALID: &str = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.";
const UNAVAILABLE: &str = "The subscription key could not be checked. Try again later.";

/// Answers if the layer identified the caller and stripped the key.
struct KnownCallers;

fn check_access<T>(request: &Request<T>) -> Result<(), Status> {
    let access = request.extensions().get::<Access>();
    let access = access.ok_or_else(|| Status::internal("no access"))?;
    let caller = access.subscription().map(|s| s.id());
    match (access.api().id(), caller, request.metadata().get(HEADER)) {
        ("health", Some("contoso"), None) => Ok(()),
        other => Err(Status::internal(format!("{other:?}"))),
    }
}

#[tonic::async_trait]
impl Health for KnownCallers {
    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        check_access(&request)?;
        Ok(Response::new(serving()))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        check_access(&request)?;
        let answers = futures_util::stream::iter((0..3).map(|_| Ok(serving())));
        Ok(Response::new(Box::pin(answers)))
    }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse {
        status: ServingStatus::Serving.into(),
    }
}

fn keys() -> SubscriptionKeyLayer<MemoryStore> {
    let catalog = Catalog::builder()
        .api(Api::new("health", "/grpc.health.v1.Health"))
        .subscription(
            Subscription::new("contoso")
                .with_scope(Scope::Api("health".into()))
                .with_primary_key(KEY),
        );
    SubscriptionKeyLayer::new(MemoryStore::new(catalog.build().unwrap())).strip_key(true)
}

/// Serves until the test's runtime ends.
async fn serve<S: SubscriptionStore>(keys: SubscriptionKeyLayer<S>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .accept_http1(true)
        .layer(keys)
        .add_service(HealthServer::new(KnownCallers))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);
    address
}

async fn connect(server: SocketAddr) -> HealthClient<Channel> {
    let endpoint = Endpoint::new(format!("http://{server}")).unwrap();
    HealthClient::new(endpoint.connect().await.unwrap())
}

fn question(key: Option<&'static str>) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest::default());
    if let Some(key) = key {
        let key = MetadataValue::from_static(key);
        request.metadata_mut().insert(HEADER, key);
    }
    request
}

#[tokio::test]
async fn call_with_a_key_is_allowed_and_identifies_the_caller() {
    let mut client = connect(serve(keys()).await).await;
    let answer = client.check(question(Some(KEY))).await.unwrap();
    assert_eq!(answer.get_ref().status(), serving().status());
}

#[tokio::test]
async fn stream_with_a_key_is_allowed() {
    let mut client = connect(serve(keys()).await).await;
    let answer = client.watch(question(Some(KEY))).await.unwrap();
    let mut stream = answer.into_inner();
    let mut count = 0;
    while let Some(answer) = stream.message().await.unwrap() {
        assert_eq!(answer.status(), serving().status());
        count += 1;
    }
    assert_eq!(count, 3);
}

#[tokio::test]
async fn call_or_stream_without_a_good_key_is_unauthenticated() {
    let mut client = connect(serve(keys()).await).await;
    for (key, message) in [(None, MISSING), (Some("wrong"), INVALID)] {
        let refused = [
            client.check(question(key)).await.map(drop).unwrap_err(),
            client.watch(question(key)).await.map(drop).unwrap_err(),
        ];
        for status in refused {
            assert_eq!(status.code(), Code::Unauthenticated, "{key:?}");
            assert_eq!(status.message(), message);
        }
    }
}

/// A store that never reached its source, or lost it.
#[derive(Clone, Copy)]
enum Down {
    Always,
    WhenAskedForKeys,
}

#[derive(Debug, thiserror::Error)]
#[error("down")]
struct IsDown;

impl SubscriptionStore for Down {
    type Error = IsDown;

    async fn find(&self, _: &KeyDigest) -> Result<Option<KeyOwner>, IsDown> {
        Err(IsDown)
    }

    fn holdings(&self) -> Result<Holdings, IsDown> {
        match self {
            Self::Always => Err(IsDown),
            Self::WhenAskedForKeys => Ok(Holdings::Keys),
        }
    }
}

#[tokio::test]
async fn call_with_a_failing_store_is_unavailable() {
    for down in [Down::Always, Down::WhenAskedForKeys] {
        let keys = SubscriptionKeyLayer::new(down)
            .single_api(Api::new("health", ""))
            .unwrap();
        let mut client = connect(serve(keys).await).await;
        let status = client.check(question(Some(KEY))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.message(), UNAVAILABLE);
    }
}

#[tokio::test]
async fn grpc_web_denial_is_in_the_headers_with_its_content_type() {
    let server = serve(keys()).await;
    for content_type in ["application/grpc-web+proto", "application/grpc-web-text"] {
        let mut stream = TcpStream::connect(server).await.unwrap();
        let request = format!(
            "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: {server}\r\n\
             Content-Type: {content_type}\r\nContent-Length: 5\r\nConnection: close\r\n\r\n\0\0\0\0\0"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();

        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let lines: Vec<_> = head.lines().collect();
        assert_eq!(lines[0], "HTTP/1.1 200 OK");
        let message = format!("grpc-message: {MISSING}");
        for line in [
            &format!("content-type: {content_type}"),
            "grpc-status: 16",
            "content-length: 0",
            &message,
        ] {
            assert!(lines.contains(&line), "{line} in {answer}");
        }
        assert_eq!(body, "");
    }
}

#[tokio::test]
async fn layer_around_one_service_keeps_its_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = keys().named_layer(HealthServer::new(KnownCallers));
    let server = Server::builder()
        .add_service(health)
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);
    let mut client = connect(address).await;
    assert!(client.check(question(Some(KEY))).await.is_ok());
    let denied = client.check(question(None)).await.unwrap_err();
    assert_eq!(denied.code(), Code::Unauthenticated);
}
