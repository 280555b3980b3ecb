use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::layer::future::ResponseFuture;
use crate::layer::gate::Gate;
use crate::response::ResponseBody;
use crate::store::SubscriptionStore;

/// The service that [`SubscriptionKeyLayer`](crate::SubscriptionKeyLayer) produces.
///
/// The inner service has to be `Clone`. The instance that was polled ready is the
/// one that is called, also after a wait for the store. A denied request never
/// reaches it.
pub struct SubscriptionKeyService<Inner, S> {
    inner: Inner,
    gate: Arc<Gate<S>>,
}

impl<Inner, S> SubscriptionKeyService<Inner, S> {
    pub(super) fn new(inner: Inner, gate: Arc<Gate<S>>) -> Self {
        Self { inner, gate }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &Inner {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> Inner {
        self.inner
    }
}

impl<Inner, S, B, R> Service<Request<B>> for SubscriptionKeyService<Inner, S>
where
    Inner: Service<Request<B>, Response = Response<R>> + Clone,
    S: SubscriptionStore,
{
    type Response = Response<ResponseBody<R>>;
    type Error = Inner::Error;
    type Future = ResponseFuture<Inner, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let step = self.gate.begin(&mut request);
        ResponseFuture::after(step, &mut self.inner, &self.gate, request, 0)
    }
}

impl<Inner: Clone, S> Clone for SubscriptionKeyService<Inner, S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
        }
    }
}

impl<Inner: fmt::Debug, S> fmt::Debug for SubscriptionKeyService<Inner, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionKeyService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
