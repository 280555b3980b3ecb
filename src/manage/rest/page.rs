//! The page: four files that are part of the program.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

/// Nothing but the page's own files and requests to its own host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            "/",
            file("text/html; charset=utf-8", include_str!("page/index.html")),
        )
        .route(
            "/style.css",
            file("text/css; charset=utf-8", include_str!("page/style.css")),
        )
        .route(
            "/script.js",
            file(
                "text/javascript; charset=utf-8",
                include_str!("page/script.js"),
            ),
        )
        .route(
            "/icon.svg",
            file("image/svg+xml", include_str!("page/icon.svg")),
        )
}

fn file<S>(content_type: &'static str, content: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(move || async move { respond(content_type, content) })
}

fn respond(content_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A newer program brings newer files under the same names.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}
