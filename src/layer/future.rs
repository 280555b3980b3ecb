use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use crate::catalog::KeyOwner;
use crate::key::KeyDigest;
use crate::layer::gate::{BodyElsewhere, Context, Gate, Step};
use crate::response::ResponseBody;
use crate::store::SubscriptionStore;

pin_project! {
    /// The response of [`SubscriptionKeyService`](super::SubscriptionKeyService).
    pub struct ResponseFuture<Inner, S, B>
    where
        Inner: Service<Request<B>>,
        S: SubscriptionStore,
    {
        #[pin]
        kind: Kind<Inner::Future, Asking<Inner, S, B>>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, W: ?Sized> {
        Rejected { response: Option<Response<Bytes>> },
        Passed { #[pin] future: F },
        Traced { #[pin] future: F, span: Span },
        Waiting { waiting: Pin<Box<W>> },
    }
}

pin_project! {
    /// A request on its way to the store: all of it in one allocation.
    struct Waiting<Inner, S, B, L: ?Sized> {
        held: Option<Held<Inner, S, B>>,
        #[pin]
        lookup: L,
    }
}

struct Held<Inner, S, B> {
    ready: Inner,
    gate: Arc<Gate<S>>,
    request: Request<BodyElsewhere>,
    body: B,
    context: Context,
    /// This one included.
    lookups: u32,
}

type Asking<Inner, S, B> = Waiting<Inner, S, B, Finding<S>>;
type Finding<S> = dyn Future<Output = FindResult<S>> + Send;
type FindResult<S> = Result<Option<KeyOwner>, <S as SubscriptionStore>::Error>;

impl<Inner, S, B> ResponseFuture<Inner, S, B>
where
    Inner: Service<Request<B>>,
    S: SubscriptionStore,
{
    #[inline]
    pub(super) fn refused(response: Response<Bytes>) -> Self {
        let response = Some(response);
        let kind = Kind::Rejected { response };
        Self { kind }
    }

    #[inline]
    pub(super) fn passed(inner: &mut Inner, request: Request<B>, span: Span) -> Self {
        // Where nobody listens, there is nothing to enter and to carry along.
        if span.is_none() {
            let future = inner.call(request);
            let kind = Kind::Passed { future };
            return Self { kind };
        }
        Self::traced(inner, request, span)
    }

    #[cold]
    fn traced(inner: &mut Inner, request: Request<B>, span: Span) -> Self {
        let future = span.in_scope(|| inner.call(request));
        let kind = Kind::Traced { future, span };
        Self { kind }
    }

    pub(super) fn waiting(
        ready: Inner,
        gate: Arc<Gate<S>>,
        request: Request<B>,
        digest: KeyDigest,
        context: Context,
    ) -> Self {
        let (head, body) = request.into_parts();
        let held = Held {
            ready,
            gate,
            request: Request::from_parts(head, BodyElsewhere),
            body,
            context,
            lookups: 1,
        };
        held.wait(digest)
    }
}

impl<Inner, S, B, R> Future for ResponseFuture<Inner, S, B>
where
    Inner: Service<Request<B>, Response = Response<R>>,
    S: SubscriptionStore,
{
    type Output = Result<Response<ResponseBody<R>>, Inner::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.kind.as_mut().project() {
                KindProjection::Passed { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                KindProjection::Traced { future, span } => {
                    let _entered = span.enter();
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                KindProjection::Rejected { response } => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response.map(ResponseBody::refusal))),
                        // Polled again after it was ready.
                        None => Poll::Pending,
                    };
                }
                KindProjection::Waiting { waiting } => {
                    let waiting = waiting.as_mut().project();
                    let answer = ready!(waiting.lookup.poll(cx));
                    match waiting.held.take() {
                        Some(held) => held.resume(answer),
                        None => return Poll::Pending,
                    }
                }
            };
            this.kind.set(next.kind);
        }
    }
}

impl<Inner, S, B> Held<Inner, S, B>
where
    Inner: Service<Request<B>>,
    S: SubscriptionStore,
{
    fn wait(self, digest: KeyDigest) -> ResponseFuture<Inner, S, B> {
        let asked = Arc::clone(&self.gate);
        let waiting = Waiting {
            held: Some(self),
            lookup: async move { asked.find(&digest).await },
        };
        let waiting: Pin<Box<Asking<Inner, S, B>>> = Box::pin(waiting);
        let kind = Kind::Waiting { waiting };
        ResponseFuture { kind }
    }

    fn resume(mut self, answer: FindResult<S>) -> ResponseFuture<Inner, S, B> {
        let request = &mut self.request;
        match self
            .gate
            .resume(request, self.context, answer, self.lookups)
        {
            Step::Pass(span) => {
                let (head, BodyElsewhere) = self.request.into_parts();
                let request = Request::from_parts(head, self.body);
                ResponseFuture::passed(&mut self.ready, request, span)
            }
            Step::Refuse(response) => ResponseFuture::refused(response),
            Step::Find(digest, context) => {
                let lookups = self.lookups + 1;
                let held = Self {
                    context,
                    lookups,
                    ..self
                };
                held.wait(digest)
            }
        }
    }
}

impl<Inner, S, B> fmt::Debug for ResponseFuture<Inner, S, B>
where
    Inner: Service<Request<B>>,
    S: SubscriptionStore,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture(..)")
    }
}
