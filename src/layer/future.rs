use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::{Span, debug};

use crate::access::Question;
use crate::key::KeyDigest;
use crate::layer::error::LookupError;
use crate::layer::gate::{Gate, Step};
use crate::response::ResponseBody;
use crate::store::{Answer, SubscriptionStore};

pin_project! {
    /// The response of [`SubscriptionKeyService`](super::SubscriptionKeyService).
    pub struct ResponseFuture<Inner, S, B>
    where
        Inner: Service<Request<B>>,
        S: SubscriptionStore,
    {
        #[pin]
        kind: Kind<Inner::Future, Lookup<Inner, S, B>>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, L: ?Sized> {
        Rejected { response: Option<Response<Bytes>> },
        Passed { #[pin] future: F },
        InSpan { #[pin] future: F, span: Span },
        Preflight { #[pin] future: F, rejection: Option<Response<Bytes>> },
        Waiting { lookup: Pin<Box<L>> },
    }
}

pin_project! {
    /// A request that waits for the store, in one allocation.
    struct WaitingFor<Inner, S, B, L: ?Sized> {
        held: Option<Held<Inner, S, B>>,
        #[pin]
        answer: L,
    }
}

/// A request and what it needs to go on.
struct Held<Inner, S, B> {
    /// The service that was polled ready.
    inner: Inner,
    gate: Arc<Gate<S>>,
    head: Parts,
    body: B,
    question: Question,
    /// How many lookups there were, including the one under way.
    lookups: u32,
}

type Lookup<Inner, S, B> = WaitingFor<Inner, S, B, AnswerFuture<S>>;
type AnswerFuture<S> = dyn Future<Output = LookupResult<S>> + Send;
type LookupResult<S> = Result<Answer, LookupError<<S as SubscriptionStore>::Error>>;

impl<Inner, S, B> ResponseFuture<Inner, S, B>
where
    Inner: Service<Request<B>>,
    S: SubscriptionStore,
{
    pub(super) fn rejected(response: Response<Bytes>) -> Self {
        let response = Some(response);
        let kind = Kind::Rejected { response };
        Self { kind }
    }

    pub(super) fn passed(inner: &mut Inner, request: Request<B>, span: Span) -> Self {
        let kind = if span.is_none() {
            let future = inner.call(request);
            Kind::Passed { future }
        } else {
            let future = span.in_scope(|| inner.call(request));
            Kind::InSpan { future, span }
        };
        Self { kind }
    }

    pub(super) fn preflight(
        inner: &mut Inner,
        request: Request<B>,
        rejection: Response<Bytes>,
    ) -> Self {
        let future = inner.call(request);
        let rejection = Some(rejection);
        let kind = Kind::Preflight { future, rejection };
        Self { kind }
    }

    pub(super) fn waiting(
        inner: Inner,
        gate: Arc<Gate<S>>,
        (head, body): (Parts, B),
        (digest, question): (KeyDigest, Question),
    ) -> Self {
        let held = Held {
            inner,
            gate,
            head,
            body,
            question,
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.kind.as_mut().project() {
                KindProjection::Passed { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                KindProjection::InSpan { future, span } => {
                    let _entered = span.enter();
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                KindProjection::Preflight { future, rejection } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(to_preflight(response, rejection.take())));
                }
                KindProjection::Rejected { response } => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response.map(ResponseBody::rejection))),
                        // Polled again after it was ready.
                        None => Poll::Pending,
                    };
                }
                KindProjection::Waiting { lookup } => {
                    let lookup = lookup.as_mut().project();
                    let answer = ready!(lookup.answer.poll(cx));
                    match lookup.held.take() {
                        Some(held) => held.resume(answer),
                        // Polled again after it was ready.
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
        let gate = Arc::clone(&self.gate);
        let lookup: Pin<Box<Lookup<Inner, S, B>>> = Box::pin(WaitingFor {
            held: Some(self),
            answer: async move { gate.lookup(&digest).await },
        });
        let kind = Kind::Waiting { lookup };
        ResponseFuture { kind }
    }

    fn resume(mut self, answer: LookupResult<S>) -> ResponseFuture<Inner, S, B> {
        let step = self
            .gate
            .resume(&mut self.head, self.question, answer, self.lookups);
        match step {
            Step::Pass(span) => {
                let request = Request::from_parts(self.head, self.body);
                ResponseFuture::passed(&mut self.inner, request, span)
            }
            Step::PassPreflight(rejection) => {
                let request = Request::from_parts(self.head, self.body);
                ResponseFuture::preflight(&mut self.inner, request, rejection)
            }
            Step::Reject(response) => ResponseFuture::rejected(response),
            Step::Lookup(digest, question) => {
                let lookups = self.lookups + 1;
                let held = Self {
                    question,
                    lookups,
                    ..self
                };
                held.wait(digest)
            }
        }
    }
}

/// The head of the inner service's response if it is one to a preflight, else the
/// rejection: a handler of all methods must not answer without a key.
fn to_preflight<R>(
    response: Response<R>,
    rejection: Option<Response<Bytes>>,
) -> Response<ResponseBody<R>> {
    let mut names = response.headers().keys();
    if !names.any(|name| name.as_str().starts_with("access-control-allow-")) {
        debug!("denied: the inner service did not answer the CORS preflight as one");
        return rejection.unwrap_or_default().map(ResponseBody::rejection);
    }
    let (mut head, _) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, ResponseBody::rejection(Bytes::new()))
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
