//! Back-pressure of the inner service is passed on.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt};
use tower_subscription_key::{SubscriptionKeyLayer, SubscriptionStore};

use crate::support::{KEY, Slow, keyed, layer, slow_layer};

/// Only the polled instance is ready; its clones are not.
#[derive(Default)]
struct Probe {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        let calls = Arc::clone(&self.calls);
        Self {
            ready: false,
            calls,
        }
    }
}

impl Service<Request<()>> for Probe {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.ready, "called without having been polled ready");
        self.ready = false;
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(())))
    }
}

async fn calls_of<S: SubscriptionStore>(layer: SubscriptionKeyLayer<S>) -> (usize, usize) {
    let probe = Probe::default();
    let calls = Arc::clone(&probe.calls);
    let mut service = layer.layer(probe);
    for key in [KEY, "wrong", "", KEY] {
        let before = calls.load(Ordering::Relaxed);
        let response = service.ready().await.unwrap().call(keyed("/guarded", key));
        let status = response.await.unwrap().status();
        let called = calls.load(Ordering::Relaxed) - before;
        assert_eq!(
            (status == StatusCode::OK, called),
            (key == KEY, usize::from(key == KEY))
        );
    }
    // Many concurrent calls, each polled ready separately.
    let mut under_way = Vec::new();
    for _ in 0..3 {
        let response = service.ready().await.unwrap().call(keyed("/guarded", KEY));
        under_way.push(response);
    }
    let at_once = calls.load(Ordering::Relaxed);
    for response in under_way {
        assert_eq!(response.await.unwrap().status(), StatusCode::OK);
    }
    (at_once, calls.load(Ordering::Relaxed))
}

#[tokio::test]
async fn service_instance_polled_ready_is_the_one_called() {
    assert_eq!(calls_of(layer()).await, (5, 5));
}

#[tokio::test]
async fn service_instance_polled_ready_is_called_after_a_wait_for_the_store() {
    assert_eq!(calls_of(slow_layer(&Slow::new())).await, (2, 5));
}

#[derive(Clone)]
struct Moody {
    open: Arc<AtomicBool>,
    broken: bool,
}

impl Service<Request<()>> for Moody {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Ready<Result<Response<()>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        match (self.broken, self.open.load(Ordering::Relaxed)) {
            (true, _) => Poll::Ready(Err("not ever")),
            (false, true) => Poll::Ready(Ok(())),
            (false, false) => Poll::Pending,
        }
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Err("not today"))
    }
}

#[tokio::test]
async fn readiness_of_the_inner_service_is_passed_on() {
    let open = Arc::new(AtomicBool::new(false));
    let inner = Moody {
        open: Arc::clone(&open),
        broken: false,
    };
    let mut service = layer().layer(inner.clone());
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || Service::<Request<()>>::poll_ready(&mut service, &mut cx);
    assert_eq!(poll(), Poll::Pending);
    open.store(true, Ordering::Relaxed);
    assert_eq!(poll(), Poll::Ready(Ok(())));

    let broken = Moody {
        broken: true,
        ..inner
    };
    let mut service = layer().layer(broken);
    let ready = ServiceExt::<Request<()>>::ready(&mut service).await;
    assert_eq!(ready.err(), Some("not ever"));
}

#[tokio::test]
async fn error_of_the_inner_service_is_passed_on_unchanged() {
    let inner = Moody {
        open: Arc::new(AtomicBool::new(true)),
        broken: false,
    };
    let immediate = layer().layer(inner.clone());
    let waiting = slow_layer(&Slow::new()).layer(inner);
    let request = || keyed("/guarded", KEY);
    assert_eq!(immediate.oneshot(request()).await.err(), Some("not today"));
    assert_eq!(
        waiting.clone().oneshot(request()).await.err(),
        Some("not today")
    );
    let denied = waiting.oneshot(keyed("/guarded", "wrong")).await;
    assert_eq!(denied.unwrap().status(), StatusCode::UNAUTHORIZED);
}
