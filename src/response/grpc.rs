use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::{Rejection, RejectionContext};

const PREFIX: &[u8] = b"application/grpc";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The content type of a gRPC call, gRPC-Web included. `None` for other requests.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let value = headers.get(CONTENT_TYPE)?;
    let start = value.as_bytes().get(..PREFIX.len())?;
    start.eq_ignore_ascii_case(PREFIX).then_some(value)
}

/// A trailers-only response: the trailers are in the headers, and the body is empty.
pub(super) fn render(content_type: HeaderValue, context: RejectionContext<'_>) -> Response<Bytes> {
    let rejection = context.rejection();
    // `UNAUTHENTICATED` or `UNAVAILABLE`.
    let status = match rejection {
        Rejection::MissingKey | Rejection::InvalidKey => "16",
        Rejection::Unavailable => "14",
    };
    let mut response = Response::new(Bytes::new());
    let headers = context.reuse_headers(&mut response);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(GRPC_STATUS, HeaderValue::from_static(status));
    // gRPC percent-encodes `%` and whatever is not printable ASCII: no message has any.
    let message = HeaderValue::from_static(rejection.message());
    headers.insert(GRPC_MESSAGE, message);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_type_of_grpc_in_any_form_is_recognized() {
        for (value, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", true),
            ("application/grpc-web+proto", true),
            ("application/grpc-web-text", true),
            ("APPLICATION/GRPC", true),
            ("Application/gRPC+json", true),
            ("text/grpc", false),
            ("application/json", false),
            ("application/grp", false),
            ("x-application/grpc", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            let expected = grpc.then(|| HeaderValue::from_static(value));
            assert_eq!(content_type(&headers), expected.as_ref(), "{value}");
        }
        assert_eq!(content_type(&HeaderMap::new()), None);
    }

    #[test]
    fn messages_need_no_percent_encoding() {
        for rejection in [
            Rejection::MissingKey,
            Rejection::InvalidKey,
            Rejection::Unavailable,
        ] {
            let message = rejection.message().bytes();
            assert!({ message }.all(|byte| matches!(byte, b' '..=b'~') && byte != b'%'));
        }
    }
}
