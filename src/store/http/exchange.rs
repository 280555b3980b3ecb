//! One request, one whole answer.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_service::Service;

use crate::store::http::HttpError;

/// The body of a request to the remote server: empty.
#[derive(Debug, Clone, Default)]
pub struct RequestBody(());

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

/// An HTTP client: any [`Service`] from [`Request<RequestBody>`](RequestBody) to
/// `Response<impl Body>` that can be cloned and sent to other threads. It is
/// implemented for all of them.
///
/// The store applies its own timeouts and limits. Retries, proxies and tracing are
/// up to the client. It must not follow redirects to other hosts, because the
/// `Authorization` header would go there too. A request with `Connection: close`
/// should use a new connection: the store sends one when an answer on a reused
/// connection cannot be trusted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an HTTP client",
    label = "not a `tower::Service<http::Request<RequestBody>>`",
    note = "it must be `Clone + Send + 'static`, answer with `http::Response<impl http_body::Body>`, \
            and its futures, body and errors must be `Send`"
)]
pub trait HttpService: sealed::Exchange {}

impl<C: sealed::Exchange> HttpService for C {}

mod sealed {
    use super::*;

    pub trait Exchange: Clone + Send + 'static {
        /// The head of the answer, and for status 200 the body.
        fn exchange(
            self,
            request: Request<RequestBody>,
            max_bytes: usize,
        ) -> impl Future<Output = Result<Response<Bytes>, HttpError>> + Send;
    }

    impl<C, B> Exchange for C
    where
        C: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        C::Error: Into<Box<dyn Error + Send + Sync>>,
        C::Future: Send,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send,
    {
        async fn exchange(
            mut self,
            request: Request<RequestBody>,
            max_bytes: usize,
        ) -> Result<Response<Bytes>, HttpError> {
            let unreachable = |error: C::Error| HttpError::Unreachable(error.into());
            poll_fn(|cx| self.poll_ready(cx))
                .await
                .map_err(unreachable)?;
            let response = self.call(request).await.map_err(unreachable)?;
            let (head, body) = response.into_parts();
            // No other body is read for its content.
            let body = match head.status {
                StatusCode::OK => collect(body, max_bytes).await?,
                _ => Bytes::new(),
            };
            Ok(Response::from_parts(head, body))
        }
    }
}

pub(super) use sealed::Exchange;

async fn collect<B>(body: B, max_bytes: usize) -> Result<Bytes, HttpError>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    match Limited::new(body, max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(HttpError::TooLarge(max_bytes)),
        Err(error) => Err(HttpError::Body(error)),
    }
}
