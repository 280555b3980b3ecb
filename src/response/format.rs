use bytes::Bytes;
use http::{HeaderValue, Response};

use super::{Rejection, RejectionContext};

/// The form of rejections. gRPC clients get gRPC's form instead.
///
/// A closure is a format too. [`RejectionContext::response`] sets the status and
/// the headers that belong to the rejection, and reuses the header map of the request:
///
/// ```
/// use http::HeaderValue;
/// use tower_subscription_key::response::{RejectionContext, RejectionFormat};
///
/// fn plain_text() -> impl RejectionFormat {
///     |context: RejectionContext<'_>| {
///         let message = context.rejection().message();
///         context.response(HeaderValue::from_static("text/plain"), message)
///     }
/// }
/// # let _ = plain_text();
/// ```
///
/// The request in the context is untrusted and may contain a key. Implementations
/// must not repeat any of it in the response.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a format of rejections",
    note = "use `AzureJson`, `ProblemJson`, or a closure with a typed argument: \
            `|context: RejectionContext<'_>| -> http::Response<Bytes>`"
)]
pub trait RejectionFormat: Send + Sync + 'static {
    /// The whole response: status, headers and body.
    fn render(&self, context: RejectionContext<'_>) -> Response<Bytes>;
}

impl<F> RejectionFormat for F
where
    F: Fn(RejectionContext<'_>) -> Response<Bytes> + Send + Sync + 'static,
{
    fn render(&self, context: RejectionContext<'_>) -> Response<Bytes> {
        self(context)
    }
}

/// The JSON of Azure API Management, byte for byte. The default.
#[derive(Debug, Clone, Copy, Default)]
pub struct AzureJson;

impl RejectionFormat for AzureJson {
    fn render(&self, context: RejectionContext<'_>) -> Response<Bytes> {
        let body = match context.rejection() {
            Rejection::MissingKey => {
                r#"{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }"#
            }
            Rejection::InvalidKey => {
                r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }"#
            }
            Rejection::Unavailable => {
                r#"{ "statusCode": 503, "message": "The subscription key could not be checked. Try again later." }"#
            }
        };
        context.response(HeaderValue::from_static("application/json"), body)
    }
}

/// Problem details (RFC 9457) of type `about:blank`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProblemJson;

impl RejectionFormat for ProblemJson {
    fn render(&self, context: RejectionContext<'_>) -> Response<Bytes> {
        let body = match context.rejection() {
            Rejection::MissingKey => {
                r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."}"#
            }
            Rejection::InvalidKey => {
                r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."}"#
            }
            Rejection::Unavailable => {
                r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The subscription key could not be checked. Try again later."}"#
            }
        };
        context.response(HeaderValue::from_static("application/problem+json"), body)
    }
}
