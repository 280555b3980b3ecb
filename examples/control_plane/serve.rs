//! Runs both servers until the process gets a stop signal.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_subscription_key::{SubscriptionKeyLayer, SubscriptionStore};

use crate::answer::answer;

/// How long requests that are under way get to finish.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve<S: SubscriptionStore>(
    management: TcpListener,
    rest: Router,
    gateway: TcpListener,
    keys: SubscriptionKeyLayer<S>,
    stop: impl Future<Output = ()>,
) {
    let echo = Router::new().fallback(echo).layer(keys);
    let (stopping, stopped) = watch::channel(false);
    let until = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let management = axum::serve(management, rest).with_graceful_shutdown(until(stopped.clone()));
    let gateway = axum::serve(gateway, echo).with_graceful_shutdown(until(stopped));
    let servers = async {
        let _ = tokio::join!(management, gateway);
    };
    let end = async {
        stop.await;
        let _ = stopping.send(true);
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = servers => {}
        () = end => {}
    }
}

async fn echo(request: Request) -> Response {
    match answer(request).await {
        Ok(response) => response.map(axum::body::Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Completes on ctrl-c, or when the system asks the process to end.
#[cfg(unix)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Completes on ctrl-c.
#[cfg(windows)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut ctrl_c = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = ctrl_c.recv().await;
    })
}
