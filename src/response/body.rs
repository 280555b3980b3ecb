use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response: the inner service's, or a rejection's.
    ///
    /// It implements [`Body`] if `B` does and its data can be made from [`Bytes`].
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<B> {
        // None when it is empty or has been sent.
        Rejection { rest: Option<Bytes> },
        Inner { #[pin] body: B },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn rejection(body: Bytes) -> Self {
        let rest = Some(body).filter(|body| !body.is_empty());
        Self {
            kind: Kind::Rejection { rest },
        }
    }

    pub(crate) fn inner(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }
}

impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::inner(B::default())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().kind.project() {
            KindProjection::Rejection { rest } => {
                Poll::Ready(rest.take().map(|body| Ok(Frame::data(body.into()))))
            }
            KindProjection::Inner { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Rejection { rest } => rest.is_none(),
            Kind::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Rejection { rest } => {
                SizeHint::with_exact(rest.as_ref().map_or(0, |body| body.len() as u64))
            }
            Kind::Inner { body } => body.size_hint(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;

    use http::{HeaderMap, HeaderValue};
    use http_body_util::{BodyExt, Empty, Full};

    use super::*;

    type Ours = ResponseBody<Empty<Bytes>>;

    #[tokio::test]
    async fn rejection_body_is_one_frame_of_known_length() {
        let mut body = Ours::rejection(Bytes::from_static(b"no key"));
        assert_eq!(body.size_hint().exact(), Some(6));
        assert!(!body.is_end_stream());

        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "no key");
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn empty_rejection_body_has_no_frames() {
        let mut body = Ours::rejection(Bytes::new());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn inner_body_is_passed_on_with_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let sent = Ok::<_, Infallible>(trailers.clone());
        let full = Full::new(Bytes::from_static(b"orders"));
        let mut body = ResponseBody::inner(full.with_trailers(std::future::ready(Some(sent))));

        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "orders");
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_trailers().unwrap(), trailers);
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn inner_body_keeps_its_size_hint() {
        let full = ResponseBody::inner(Full::new(Bytes::from_static(b"orders")));
        assert_eq!(full.size_hint().exact(), Some(6));
        assert!(!full.is_end_stream());
        assert!(ResponseBody::<Full<Bytes>>::default().is_end_stream());

        struct Endless;
        impl Body for Endless {
            type Data = Bytes;
            type Error = Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                Poll::Pending
            }
        }
        let endless = ResponseBody::inner(Endless);
        assert_eq!(endless.size_hint().exact(), None);
        assert!(!endless.is_end_stream());
    }

    #[tokio::test]
    async fn inner_body_error_is_passed_on() {
        #[derive(Debug, PartialEq)]
        struct Broken;
        struct Fails;
        impl Body for Fails {
            type Data = Bytes;
            type Error = Broken;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
                Poll::Ready(Some(Err(Broken)))
            }
        }
        let error = ResponseBody::inner(Fails).frame().await.unwrap();
        assert_eq!(error.unwrap_err(), Broken);
    }
}
