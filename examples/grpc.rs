//! A gRPC service behind keys, and a client without and with one.
//!
//! The service is gRPC's own health check; use your own in the same way. With
//! `--serve ADDR:PORT`, the example keeps serving.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower_subscription_key::catalog::{Api, Scope, Subscription};
use tower_subscription_key::{Access, Catalog, MemoryStore, SubscriptionKeyLayer};

const CONTOSO: &str = "3fa0c86b27d14e5f9b6a8d0c1e2f4a75";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let catalog = Catalog::builder()
        // The path of a gRPC call begins with the full name of its service.
        .api(Api::new("health", "/grpc.health.v1.Health"))
        .subscription(
            Subscription::new("contoso")
                .with_scope(Scope::Api("health".into()))
                .with_primary_key(CONTOSO),
        )
        .build()?;
    let keys = SubscriptionKeyLayer::new(MemoryStore::new(catalog))
        .strip_key(true)
        .validate()?;

    let health = HealthService::from_health_reporter(HealthReporter::new());
    Server::builder()
        .layer(keys)
        .add_service(HealthServer::with_interceptor(health, name_caller))
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

/// Interceptors and services read the access from the extensions of the request.
fn name_caller(request: Request<()>) -> Result<Request<()>, Status> {
    let access = request.extensions().get::<Access>();
    let caller = access.and_then(|access| access.subscription());
    println!(
        "server: called by {}",
        caller.map_or("an anonymous client", |s| s.id())
    );
    Ok(request)
}

async fn demo(address: SocketAddr) -> Result<(), BoxError> {
    let channel = Endpoint::new(format!("http://{address}"))?
        .connect()
        .await?;

    let mut stranger = HealthClient::new(channel.clone());
    match stranger.check(HealthCheckRequest::default()).await {
        Err(status) if status.code() == Code::Unauthenticated => {
            println!("client without a key: {status}");
        }
        other => return Err(format!("expected UNAUTHENTICATED, got {other:?}").into()),
    }

    let key = MetadataValue::from_static(CONTOSO);
    let with_key = move |mut request: Request<()>| {
        let metadata = request.metadata_mut();
        metadata.insert("ocp-apim-subscription-key", key.clone());
        Ok(request)
    };
    let mut contoso = HealthClient::with_interceptor(channel, with_key);
    let health = contoso.check(HealthCheckRequest::default()).await?;
    println!("client with a key: {:?}", health.get_ref().status());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            tokio::select! {
                result = serve(listener) => result,
                result = demo(address) => result,
            }
        }
        (Some("--serve"), Some(address)) => {
            let listener = TcpListener::bind(address).await?;
            println!("listening on {}", listener.local_addr()?);
            serve(listener).await
        }
        _ => Err("run it without arguments, or with --serve ADDR:PORT".into()),
    }
}
