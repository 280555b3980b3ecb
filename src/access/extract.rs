use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::access::Access;

/// The layer let the request through without an [`Access`]: its path belongs to no
/// API, or it is a CORS preflight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LetThrough;

/// The rejection of the extractor [`Access`] for a request that carries none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessRejection {
    /// No [`SubscriptionKeyLayer`](crate::SubscriptionKeyLayer) has handled the
    /// request. The response is a 500.
    #[error(
        "the request has no `Access`: is a `SubscriptionKeyLayer` installed around this route?"
    )]
    NoLayer,
    /// The layer let the request through because its path belongs to no API. The
    /// response is a 401. To serve such requests, take `Option<Access>`.
    #[error("the request has no `Access`, because its path belongs to no API")]
    Unmatched,
}

impl IntoResponse for AccessRejection {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::NoLayer => {
                tracing::error!("rejected: {self}");
                let body = r#"{ "statusCode": 500, "message": "Internal server error." }"#;
                (StatusCode::INTERNAL_SERVER_ERROR, body)
            }
            Self::Unmatched => {
                tracing::debug!("rejected: {self}");
                let body = r#"{ "statusCode": 401, "message": "Access denied: this resource needs a subscription." }"#;
                (StatusCode::UNAUTHORIZED, body)
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = AccessRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AccessRejection> {
        let access = parts.extensions.get().cloned();
        access.ok_or_else(|| match parts.extensions.get::<LetThrough>() {
            Some(LetThrough) => AccessRejection::Unmatched,
            None => AccessRejection::NoLayer,
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Access {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}
