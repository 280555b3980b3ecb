//! One request, one whole answer.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use crate::store::http::HttpError;

/// The body of a request to the remote server: empty.
#[derive(Debug, Clone, Copy, Default)]
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
/// Time-outs and limits are the store's own; retries, proxies and tracing are
/// for the client, which must not follow redirects to other hosts, or else the
/// authorization goes there too.
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
        /// The head of the answer, and of status 200 the body.
        fn exchange(
            self,
            request: Request<RequestBody>,
            limit: usize,
        ) -> impl Future<Output = Result<Response<Vec<u8>>, HttpError>> + Send;
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
            limit: usize,
        ) -> Result<Response<Vec<u8>>, HttpError> {
            let unreachable = |error: C::Error| HttpError::Unreachable(error.into());
            poll_fn(|cx| self.poll_ready(cx))
                .await
                .map_err(unreachable)?;
            let response = self.call(request).await.map_err(unreachable)?;
            let (head, body) = response.into_parts();
            // Nothing else is read for its content.
            let bytes = match head.status {
                StatusCode::OK => collect(body, limit).await?,
                _ => Vec::new(),
            };
            Ok(Response::from_parts(head, bytes))
        }
    }
}

pub(super) use sealed::Exchange;

async fn collect<B>(body: B, limit: usize) -> Result<Vec<u8>, HttpError>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(HttpError::TooLarge(limit));
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| HttpError::Body(error.into()))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        if data.remaining() > limit - bytes.len() {
            return Err(HttpError::TooLarge(limit));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            let taken = chunk.len();
            bytes.extend_from_slice(chunk);
            data.advance(taken);
        }
    }
    Ok(bytes)
}
