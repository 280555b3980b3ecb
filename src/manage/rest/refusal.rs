//! What a refused request is answered with: one envelope for all.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::manage::rest::fields::json_name;
use crate::manage::{FieldIssue, ManageError, RepositoryError};

pub(super) const VALIDATION: &str = "ValidationError";

/// The seconds after which a client may try again when the database is unavailable.
const RETRY_SECONDS: &str = "5";

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorEnvelope {
    error: ErrorBody,
}

#[derive(Debug, Serialize, ToSchema)]
struct ErrorBody {
    /// A word for programs.
    code: &'static str,
    /// A sentence for people.
    message: String,
    /// Every wrong field, if the values were refused.
    details: Option<Vec<ErrorDetail>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ErrorDetail {
    code: &'static str,
    /// The JSON name of the field, or the id of the record in the way.
    target: String,
    message: String,
}

/// A refused request.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: ErrorBody,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let (message, details) = (message.into(), None);
        let body = ErrorBody {
            code,
            message,
            details,
        };
        Self {
            status,
            body,
            header: None,
        }
    }

    pub(super) fn unauthorized() -> Self {
        let message = "the request carries no known token: send `Authorization: Bearer TOKEN`";
        let challenge = HeaderValue::from_static("Bearer realm=\"management\"");
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
            .with_header(WWW_AUTHENTICATE, challenge)
    }

    pub(super) fn unknown_path() -> Self {
        let message = "no resource has this path: check its segments and ids";
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
    }

    pub(super) fn method_not_allowed(allowed: &[Method]) -> Self {
        let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let allowed = allowed.join(", ");
        let message = format!("this resource takes {allowed}");
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
        match HeaderValue::try_from(allowed) {
            Ok(allowed) => refusal.with_header(ALLOW, allowed),
            Err(_) => refusal,
        }
    }

    /// The validation of one or more fields, each by its JSON name.
    pub(super) fn validation(issues: impl IntoIterator<Item = FieldIssue>) -> Self {
        let message = "One or more fields contain incorrect values:";
        let mut refusal = Self::new(StatusCode::BAD_REQUEST, VALIDATION, message);
        let details = issues.into_iter().map(|issue| ErrorDetail {
            code: VALIDATION,
            target: issue.field,
            message: issue.message,
        });
        refusal.body.details = Some(details.collect());
        refusal
    }

    /// The validation of one field.
    pub(super) fn field(target: impl Into<String>, message: impl Into<String>) -> Self {
        Self::validation([FieldIssue::new(target, message)])
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The refusal of `manage`, with its fields renamed to those of the request. The
    /// request's own issues keep their names; issues without a name are left out.
    pub(super) fn of(
        error: ManageError,
        own: &[FieldIssue],
        rename: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let status = match &error {
            ManageError::NotFound { .. } => StatusCode::NOT_FOUND,
            ManageError::Forbidden { .. } => StatusCode::FORBIDDEN,
            ManageError::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
            ManageError::KeysNotRecoverable { .. } => StatusCode::CONFLICT,
            ManageError::Unavailable(cause) => return Self::unavailable(cause),
            _ => StatusCode::BAD_REQUEST,
        };
        if status != StatusCode::BAD_REQUEST {
            return Self::new(status, error.code(), error.to_string());
        }
        let issues = error.issues().into_iter().filter_map(|issue| {
            if own.contains(&issue) {
                return Some(issue);
            }
            Some(FieldIssue::new(rename(&issue.field)?, issue.message))
        });
        let mut refusal = Self::validation(issues);
        if let ManageError::LimitReached { .. } = error {
            refusal.body.message = error.to_string();
        }
        refusal
    }

    fn unavailable(cause: &RepositoryError) -> Self {
        tracing::error!(
            error = cause as &(dyn std::error::Error + 'static),
            "the database of the control plane is unavailable"
        );
        let message = "the database is unavailable: nothing was changed, try again later";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            message,
        )
        .with_header(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS))
    }
}

/// The refusal of a request without fields.
impl From<ManageError> for Refusal {
    fn from(error: ManageError) -> Self {
        Self::of(error, &[], |field| Some(json_name(field)))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let envelope = ErrorEnvelope { error: self.body };
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(header) = self.header {
            headers.insert(header.0, header.1);
        }
        response
    }
}
