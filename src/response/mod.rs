//! Rejections: the responses to denied requests.
//!
//! 1. A gRPC call (`content-type: application/grpc…`, gRPC-Web included) gets a
//!    trailers-only response: HTTP 200 with `grpc-status` 16 for a denial and 14 if
//!    keys cannot be checked. The format does not apply, because gRPC clients
//!    understand nothing else.
//! 2. Every other request gets a response in the layer's [`RejectionFormat`]:
//!    [`AzureJson`] by default, [`ProblemJson`], or a closure.
//!
//! A rejection looks like this:
//!
//! ```text
//! HTTP/1.1 401 Unauthorized
//! content-type: application/json
//! www-authenticate: AzureApiManagementKey realm="https://api.example/echo",name="Ocp-Apim-Subscription-Key",type="header"
//!
//! { "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }
//! ```
//!
//! The client learns one of three things ([`Rejection`]) and not the reason: a
//! suspended key and an unknown one look the same. This module never receives the
//! reason, so no format can leak it.
//!
//! # Deployment caveat
//!
//! The realm contains the host as the request names it. Behind a proxy that
//! rewrites `Host`, clients see the rewritten one. Set
//! [`realm`](crate::SubscriptionKeyLayer::realm) to send a fixed one.

mod body;
mod challenge;
mod context;
mod format;
mod grpc;
mod host;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

pub use body::ResponseBody;
pub use challenge::ChallengeError;
pub(crate) use challenge::ChallengeSettings;
pub use context::{Rejection, RejectionContext};
pub use format::{AzureJson, ProblemJson, RejectionFormat};

/// How a layer responds to denied requests.
#[derive(Clone)]
pub(crate) struct ResponseSettings {
    pub(crate) format: Arc<dyn RejectionFormat>,
    pub(crate) challenge: ChallengeSettings,
    pub(crate) retry_after: Duration,
}

impl Default for ResponseSettings {
    fn default() -> Self {
        Self {
            format: Arc::new(AzureJson),
            challenge: ChallengeSettings::default(),
            retry_after: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for ResponseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseSettings")
            .field("challenge", &self.challenge)
            .field("retry_after", &self.retry_after)
            .finish_non_exhaustive()
    }
}

/// Makes the response to a denied request.
pub(crate) fn render(context: RejectionContext<'_>) -> Response<Bytes> {
    match grpc::content_type(context.headers).cloned() {
        Some(content_type) => grpc::render(content_type, context),
        None => context.settings.format.render(context),
    }
}

#[cfg(test)]
mod tests;
