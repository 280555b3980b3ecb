//! Connections: HTTP/1.1 and HTTP/2 without TLS, until a signal to stop.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_subscription_key::{SubscriptionKeyLayer, SubscriptionStore};

use crate::answer::answer;
use crate::say;

/// Longer heads than servers accept by default, so that the layer answers them. (A
/// target has at most 65534 bytes: `http::Uri` accepts no more.)
const MAX_HEAD: u32 = 1 << 20;
const MAX_HEADERS: usize = 1024;

/// How long requests in progress may take to finish after a signal to stop.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve<S: SubscriptionStore>(
    listener: TcpListener,
    keys: SubscriptionKeyLayer<S>,
    stop: impl Future<Output = ()>,
) {
    let echo = ServiceBuilder::new().layer(keys).service_fn(answer);
    let service = service_fn(move |request| converse(echo.clone(), request));
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .max_buf_size(MAX_HEAD as usize)
        .max_headers(MAX_HEADERS)
        // A client may close its own side after its request.
        .half_close(true);
    server.http2().max_header_list_size(MAX_HEAD);

    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        // A broken connection concerns its client only.
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
}

/// Answers, and reads the body independently of it: a client that is still sending
/// when the connection closes may never read its answer, denied or not.
async fn converse<S, B, R>(echo: S, request: Request<B>) -> Result<Response<R>, S::Error>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<R>>,
    B: Body<Data: Send> + Send + 'static,
{
    let (head, body) = request.into_parts();
    let asks_first = head.headers.contains_key(header::EXPECT);
    let response = echo
        .oneshot(Request::from_parts(head, Empty::new()))
        .await?;
    if body.is_end_stream() {
        // The body has ended.
    } else if !asks_first {
        tokio::spawn(read_to_end(body));
    } else if response.status().is_success() {
        read_to_end(body).await;
    }
    Ok(response)
}

async fn read_to_end(body: impl Body) {
    let mut body = pin!(body);
    while let Some(Ok(_)) = body.frame().await {}
}

/// The next connection. An error of one is no reason to stop. If the system has no
/// resources for another, it may have some later.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written whole, so waiting for more gains nothing.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                say(
                    io::stderr(),
                    &format!("cannot accept a connection: {error}\n"),
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// The client went away before it was served.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
