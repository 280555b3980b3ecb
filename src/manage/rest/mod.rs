//! The REST interface of management, and its page.
//!
//! [`Rest`] makes an [`axum::Router`] over a [`Manage`]. Clients, SDKs and scripts
//! of Azure API Management work against it once they use its address: it has the
//! same paths, bodies, codes and entity tags. What Azure has not (rotation with a
//! grace period, several scopes, dates that are enforced, the audit trail, the
//! explanation of a refused key) is added to it.
//!
//! The router holds no rule: it translates requests into calls of [`Manage`] and
//! its answers back. It cannot be built without an [`Authorize`], which
//! identifies the caller of a request:
//!
//! ```
//! use tower_subscription_key::manage::rest::{BearerTokens, Rest};
//! use tower_subscription_key::manage::{Caller, Manage};
//!
//! let tokens = BearerTokens::new()
//!     .with("a token of 128 random bits", Caller::publisher("admin"))
//!     .with("another one", Caller::owner("jane@contoso.example"));
//! let app: axum::Router = Rest::new(Manage::in_memory()?, tokens).into_router();
//! # Ok::<(), tower_subscription_key::manage::ManageError>(())
//! ```
//!
//! # Requests
//!
//! The base path is
//! `/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.ApiManagement/service/{svc}`.
//! The values in braces are free and are repeated in the ids of answers. The query
//! has an `api-version`. `GET …/openapi.json` describes everything.
//!
//! A request is refused in this order: unknown caller (401), unknown path (404),
//! method (405), `api-version` (400), a body above 1 MiB (413), a content type
//! other than JSON (415), text that is not JSON (400), the caller's rights (403) or
//! an absent record (404), a stale tag (412), wrong values (400, all at once). If
//! the database is unavailable, the answer is 503 with `Retry-After`.
//!
//! # Security
//!
//! - Every request but those for the page's own four files goes through the
//!   [`Authorize`].
//! - What belongs to others is to an owner exactly like what does not exist.
//! - Keys are only in the answers that make or read them, which no cache may keep.
//! - The interface speaks plain HTTP and sets no rate limit: put TLS and limits in
//!   front of it.

mod authorize;
mod body;
mod call;
mod definitions;
mod etag;
mod explain;
mod fields;
mod filter;
mod openapi;
mod others;
mod page;
mod query;
mod refusal;
mod resource;
mod route;
mod shape;
mod subscriptions;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};

use crate::catalog::Catalog;
use crate::manage::Manage;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::store::sql::SqlStore;

pub use authorize::{Authorize, BearerTokens, allow_all_for_development};

/// Builds the router of the REST interface and the page.
pub struct Rest {
    shared: Shared,
    has_page: bool,
}

/// What every request needs.
struct Shared {
    manage: Manage,
    authorize: Box<dyn Authorize>,
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    replica: Option<SqlStore>,
}

/// How long an answer waits for the process's own replica, which may be cut off
/// from the database.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
const REPLICA_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

impl Shared {
    /// Waits until the process's own replica has applied a change.
    async fn wait_applied(&self, number: u64) {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        if let Some(replica) = &self.replica {
            let applied = replica.wait_applied(number);
            if tokio::time::timeout(REPLICA_TIMEOUT, applied)
                .await
                .is_err()
            {
                tracing::warn!(
                    number,
                    "the replica of this process has not applied a change yet"
                );
            }
        }
        #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
        let _ = number;
    }

    /// Brings the report of the process's own replica up to date.
    async fn report_replica(&self) {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        if let Some(replica) = &self.replica {
            // If it fails, the report is as old as it says.
            let _ = tokio::time::timeout(REPLICA_TIMEOUT, replica.reload()).await;
        }
    }

    /// The catalog that is in force in this process.
    fn replica_catalog(&self) -> Option<Arc<Catalog>> {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        return self.replica.as_ref()?.catalog();
        #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
        None
    }
}

impl Rest {
    /// The REST interface of the given control plane, with the page, for the
    /// callers that `authorize` recognises.
    pub fn new(manage: Manage, authorize: impl Authorize) -> Self {
        let shared = Shared {
            manage,
            authorize: Box::new(authorize),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            replica: None,
        };
        Self {
            shared,
            has_page: true,
        }
    }

    /// Leaves the page out.
    #[must_use]
    pub fn without_page(mut self) -> Self {
        self.has_page = false;
        self
    }

    /// Names the store by which services of this process follow the database. An
    /// accepted change is then answered after the store has applied it, at most 5
    /// seconds later, so that a client can use a new key at once; and keys are
    /// explained on its catalog. Default: a change is answered when it is durable.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[must_use]
    pub fn with_replica(mut self, store: SqlStore) -> Self {
        self.shared.replica = Some(store);
        self
    }

    /// The router. Mount it at the root of a host, or nest it.
    pub fn into_router(self) -> Router {
        let pages = if self.has_page {
            page::router()
        } else {
            Router::new()
        };
        pages
            .fallback(serve)
            .method_not_allowed_fallback(serve)
            .with_state(Arc::new(self.shared))
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("has_page", &self.has_page)
            .finish_non_exhaustive()
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> axum::response::Response {
    call::answer(&shared, request).await
}
