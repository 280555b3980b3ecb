//! What a refused client gets.
//!
//! Rules, in this order:
//!
//! 1. A gRPC call (`content-type: application/grpc…`, gRPC-Web included) gets
//!    a trailers-only answer: HTTP 200 with `grpc-status` 16 for a refused key
//!    and 14 where keys cannot be checked. Formats have no say in it, because a
//!    gRPC client understands nothing else.
//! 2. Everything else is answered by the layer's [`RejectionFormat`]:
//!    [`AzureJson`] unless another one is set, [`ProblemJson`], or a closure.
//!
//! A refusal looks like this:
//!
//! ```text
//! HTTP/1.1 401 Unauthorized
//! content-type: application/json
//! www-authenticate: AzureApiManagementKey realm="https://api.example/echo",name="Ocp-Apim-Subscription-Key",type="header"
//!
//! { "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }
//! ```
//!
//! The client is told one of three things ([`Rejection`]) and nothing of the
//! operator's reason: a suspended key and an unknown one look the same. This
//! room is never given the reason, so no format can leak it.
//!
//! # Deployment caveat
//!
//! The realm names the host that the request names, which is the client's word
//! for it. Behind a proxy that rewrites `Host`, clients are told the rewritten
//! one; set a realm to tell them something else.

mod body;
mod challenge;
mod format;
mod grpc;
mod host;
mod memo;
mod quoted;
mod rejection;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, Uri};

pub use body::ResponseBody;
pub use challenge::ChallengeError;
pub(crate) use challenge::{ChallengeSettings, KeyKind, KeyPlace};
pub use format::{AzureJson, ProblemJson, RejectionFormat};
pub use rejection::{Rejection, RejectionContext};

/// How refusals are told: what a layer is set to.
#[derive(Clone)]
pub(crate) struct ResponseSettings {
    pub(crate) format: Arc<dyn RejectionFormat>,
    pub(crate) challenge: Arc<ChallengeSettings>,
    pub(crate) retry_after: Duration,
}

impl Default for ResponseSettings {
    fn default() -> Self {
        Self {
            format: Arc::new(AzureJson),
            challenge: Arc::default(),
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

/// What the answer to a refused request depends on. No `Debug`: the headers
/// and the query may hold a key.
#[derive(Clone, Copy)]
struct RequestHead<'a> {
    headers: &'a HeaderMap,
    uri: &'a Uri,
    /// The path of the API in the catalog, without a trailing slash.
    api_path: Option<&'a str>,
    key_place: KeyPlace<'a>,
}

/// The answer to a refused request, which has lost its headers then.
///
/// `api_path` is the path of the API in the catalog, without a trailing slash.
#[inline]
pub(crate) fn refuse(
    settings: &ResponseSettings,
    refusal: Rejection,
    head: &mut Parts,
    api_path: Option<&str>,
    key_place: KeyPlace<'_>,
) -> Response<Bytes> {
    if let Some(content_type) = grpc::content_type(&head.headers) {
        return grpc::answer(content_type, refusal);
    }
    let request = RequestHead {
        headers: &head.headers,
        uri: &head.uri,
        api_path,
        key_place,
    };
    let refused = RejectionContext::new(refusal, settings, request);
    match settings.format.content(refusal) {
        Some((content_type, body)) => {
            let rest = refused.rest();
            rest.response(&mut head.headers, content_type, body)
        }
        None => settings.format.render(&refused),
    }
}

#[cfg(test)]
mod tests;
