use bytes::Bytes;
use http::{HeaderValue, Response};

use super::{Rejection, RejectionContext};

/// How a refusal looks to clients of plain HTTP. gRPC clients are answered in
/// their own protocol, without it.
///
/// A closure is a format too. [`RejectionContext::response`] sets the status and the
/// headers that a refusal needs:
///
/// ```
/// use http::HeaderValue;
/// use tower_subscription_key::response::{RejectionFormat, RejectionContext};
///
/// fn plain() -> impl RejectionFormat {
///     |refused: &RejectionContext<'_>| {
///         let text = HeaderValue::from_static("text/plain");
///         refused.response(text, refused.refusal().message())
///     }
/// }
/// # let _ = plain();
/// ```
///
/// What it is given of the request is untrusted, and may hold a key: an answer
/// repeats none of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot render refusals",
    note = "use `AzureJson`, `ProblemJson`, or a closure `|refused: &RejectionContext<'_>| -> http::Response<Bytes>`"
)]
pub trait RejectionFormat: Send + Sync + 'static {
    /// The whole answer: status, headers and body.
    fn render(&self, refused: &RejectionContext<'_>) -> Response<Bytes>;

    /// Content type and body, where they depend on nothing but the refusal. The
    /// rest of the answer is then [`RejectionContext::response`]'s, and [`render`](Self::render)
    /// is not called. Nothing is allocated where the request has headers: the answer
    /// takes over their room.
    ///
    /// Default: none.
    fn content(&self, refusal: Rejection) -> Option<(HeaderValue, Bytes)> {
        let _ = refusal;
        None
    }
}

impl<F> RejectionFormat for F
where
    F: Fn(&RejectionContext<'_>) -> Response<Bytes> + Send + Sync + 'static,
{
    fn render(&self, refused: &RejectionContext<'_>) -> Response<Bytes> {
        self(refused)
    }
}

/// The JSON that Azure API Management answers with, byte for byte. The default.
#[derive(Debug, Clone, Copy, Default)]
pub struct AzureJson;

impl RejectionFormat for AzureJson {
    fn render(&self, refused: &RejectionContext<'_>) -> Response<Bytes> {
        refused.response(JSON, azure_json(refused.refusal()))
    }

    fn content(&self, refusal: Rejection) -> Option<(HeaderValue, Bytes)> {
        Some((JSON, Bytes::from_static(azure_json(refusal).as_bytes())))
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const fn azure_json(refusal: Rejection) -> &'static str {
    match refusal {
        Rejection::MissingKey => {
            r#"{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }"#
        }
        Rejection::InvalidKey => {
            r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }"#
        }
        Rejection::Unavailable => {
            r#"{ "statusCode": 503, "message": "The subscription key could not be checked. Try again later." }"#
        }
    }
}

/// Problem details (RFC 9457), of type `about:blank`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProblemJson;

impl RejectionFormat for ProblemJson {
    fn render(&self, refused: &RejectionContext<'_>) -> Response<Bytes> {
        refused.response(PROBLEM, problem_json(refused.refusal()))
    }

    fn content(&self, refusal: Rejection) -> Option<(HeaderValue, Bytes)> {
        Some((
            PROBLEM,
            Bytes::from_static(problem_json(refusal).as_bytes()),
        ))
    }
}

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

const fn problem_json(refusal: Rejection) -> &'static str {
    match refusal {
        Rejection::MissingKey => {
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."}"#
        }
        Rejection::InvalidKey => {
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."}"#
        }
        Rejection::Unavailable => {
            r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The subscription key could not be checked. Try again later."}"#
        }
    }
}
