use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::Rejection;
use super::quoted::percent_encoded;
use super::rejection::{response, roomy_headers};

const PREFIX: &[u8] = b"application/grpc";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The content type of a gRPC call, gRPC-Web included; none for other requests.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let value = headers.get(CONTENT_TYPE)?;
    let start = value.as_bytes().get(..PREFIX.len())?;
    start.eq_ignore_ascii_case(PREFIX).then_some(value)
}

/// A trailers-only answer: the trailers stand in the headers, and no body comes.
pub(super) fn answer(content_type: &HeaderValue, refusal: Rejection) -> Response<Bytes> {
    let mut headers = roomy_headers();
    headers.insert(CONTENT_TYPE, content_type.clone());
    headers.insert(GRPC_STATUS, status(refusal));
    if let Ok(message) = HeaderValue::from_maybe_shared(encoded(refusal.message())) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response(StatusCode::OK, headers, Bytes::new())
}

/// `UNAUTHENTICATED`, or `UNAVAILABLE`.
fn status(refusal: Rejection) -> HeaderValue {
    HeaderValue::from_static(match refusal {
        Rejection::MissingKey | Rejection::InvalidKey => "16",
        Rejection::Unavailable => "14",
    })
}

/// Percent-encoded as gRPC wants its messages; one that needs it not is not
/// copied.
fn encoded(message: &'static str) -> Bytes {
    if message.bytes().all(is_plain) {
        return Bytes::from_static(message.as_bytes());
    }
    let mut out = Vec::with_capacity(message.len() * 3);
    for byte in message.bytes() {
        if is_plain(byte) {
            out.push(byte);
        } else {
            out.extend(percent_encoded(byte));
        }
    }
    out.into()
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'%'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_content_type_of_grpc_is_one() {
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
    fn a_message_is_percent_encoded_by_grpcs_rule() {
        for (message, expected) in [
            ("plain \"text\" ~", "plain \"text\" ~"),
            ("100 %", "100 %25"),
            ("é\n\u{7f}", "%C3%A9%0A%7F"),
        ] {
            assert_eq!(encoded(message), expected);
        }
    }
}
