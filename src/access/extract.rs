use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::access::Access;

/// A handler asked for an [`Access`] that the request does not carry.
///
/// Either no [`SubscriptionKeyLayer`](crate::SubscriptionKeyLayer) stands before
/// the handler, or the request passed as one for an unknown path. It is answered
/// with 401: without the layer, nobody is let in. Take `Option<Access>` where
/// requests without one are meant to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request carries no access: put a SubscriptionKeyLayer before this handler, \
     or take `Option<Access>`"
)]
#[non_exhaustive]
pub struct AccessRejection;

impl IntoResponse for AccessRejection {
    fn into_response(self) -> Response {
        tracing::error!("refused: {self}");
        let body = r#"{ "statusCode": 401, "message": "Access denied: this resource needs a subscription." }"#;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = AccessRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AccessRejection> {
        parts.extensions.get().cloned().ok_or(AccessRejection)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Access {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}
