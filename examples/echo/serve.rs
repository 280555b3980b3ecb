//! Connections: HTTP/1.1 and HTTP/2 without TLS, until told to stop.

use std::io;
use std::pin::pin;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceBuilder;
use tower_subscription_key::{SubscriptionKeyLayer, SubscriptionStore};

use crate::answer::answer;
use crate::say;

/// Longer heads than servers take by default, so that it is the layer that
/// answers them. (A target has at most 65534 bytes: `http::Uri` takes no more.)
const MAX_HEAD: u32 = 1 << 20;
const MAX_HEADERS: usize = 1024;

/// How long requests that are under way get to finish.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve<S: SubscriptionStore>(
    listener: TcpListener,
    keys: SubscriptionKeyLayer<S>,
    stop: impl Future<Output = ()>,
) {
    let service = ServiceBuilder::new().layer(keys).service_fn(answer);
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .max_buf_size(MAX_HEAD as usize)
        .max_headers(MAX_HEADERS)
        // A client may close its own side as soon as it has asked.
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
        // A connection that breaks is its client's business.
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
}

/// The next connection. What goes wrong with one is no reason to stop; where
/// the system has no room for another, there may be room later.
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
