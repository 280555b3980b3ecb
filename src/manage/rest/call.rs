//! One request, from its authorization to its answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::manage::rest::query::Query;
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::resource::Place;
use crate::manage::rest::route::Route;
use crate::manage::rest::shape::List;
use crate::manage::rest::{Shared, body, etag, filter, openapi};
use crate::manage::{Caller, Filter, ListQuery, Manage, ManageError, Page};

const CHANGE_NUMBER: HeaderName = HeaderName::from_static("change-number");

/// What a request asks for, once nothing but its content can refuse it.
pub(super) struct Call<'s> {
    pub(super) shared: &'s Shared,
    pub(super) caller: Caller,
    pub(super) place: Place,
    pub(super) query: Query,
    pub(super) head: Parts,
    pub(super) body: Value,
}

pub(super) type Answer = Result<Response, Refusal>;

pub(super) async fn answer(shared: &Shared, request: Request) -> Response {
    let asks_for_head = request.method() == Method::HEAD;
    let answer = dispatch(shared, request).await;
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if asks_for_head {
        *response.body_mut() = Body::empty();
    }
    response
}

/// Refuses in the documented order, then calls the operation.
async fn dispatch(shared: &Shared, request: Request) -> Answer {
    let (head, content) = request.into_parts();
    let caller = shared
        .authorize
        .authorize(&head)
        .ok_or_else(Refusal::unauthorized)?;
    let (place, route) = Route::parse(head.uri.path()).ok_or_else(Refusal::unknown_path)?;
    if !route.methods().contains(&head.method) {
        return Err(Refusal::method_not_allowed(route.methods()));
    }
    let query = Query::parse(head.uri.query());
    if route == Route::OpenApi {
        return Ok(json(StatusCode::OK, &openapi::document()));
    }
    query.check_api_version()?;
    let body = body::read(&head.headers, content).await?;
    let call = Call {
        shared,
        caller,
        place,
        query,
        head,
        body,
    };
    call.perform(route).await
}

impl Call<'_> {
    async fn perform(&self, route: Route) -> Answer {
        let method = &self.head.method;
        match route {
            Route::Subscriptions => self.list_subscriptions(None).await,
            Route::Subscription(id) => match *method {
                Method::PUT => self.put_subscription(&id).await,
                Method::PATCH => self.patch_subscription(&id).await,
                Method::DELETE => self.delete_subscription(&id).await,
                _ => self.get_subscription(&id).await,
            },
            Route::ListSecrets(id) => self.list_secrets(&id).await,
            Route::Regenerate(id, slot) => self.regenerate(&id, slot).await,
            Route::Rotate(id) => self.rotate(&id).await,
            Route::Products => self.list_products().await,
            Route::Product(id) => match *method {
                Method::PUT => self.put_product(&id).await,
                Method::PATCH => self.patch_product(&id).await,
                Method::DELETE => self.delete_product(&id).await,
                _ => self.get_product(&id).await,
            },
            Route::ProductApis(id) => self.list_product_apis(&id).await,
            Route::ProductApi(product, api) => match *method {
                Method::PUT => self.add_member(&product, &api).await,
                Method::DELETE => self.remove_member(&product, &api).await,
                _ => self.has_member(&product, &api).await,
            },
            Route::ProductSubscriptions(id) => self.list_product_subscriptions(&id).await,
            Route::UserSubscriptions(user) => self.list_user_subscriptions(&user).await,
            Route::UserSubscription(user, id) => self.get_user_subscription(&user, &id).await,
            Route::Apis => self.list_apis().await,
            Route::Api(id) => match *method {
                Method::PUT => self.put_api(&id).await,
                Method::PATCH => self.patch_api(&id).await,
                Method::DELETE => self.delete_api(&id).await,
                _ => self.get_api(&id).await,
            },
            Route::Explain => self.explain().await,
            Route::AuditEvents => self.list_audit_events().await,
            Route::Replicas => self.list_replicas().await,
            Route::Whoami => self.whoami(),
            Route::OpenApi => Err(Refusal::unknown_path()),
        }
    }

    pub(super) fn manage(&self) -> &Manage {
        &self.shared.manage
    }

    /// The catalog in force in this process, or else that of the database. For
    /// publishers.
    pub(super) async fn catalog(&self) -> Result<Arc<Catalog>, ManageError> {
        let export = async || self.manage().export(&self.caller).await.map(Arc::new);
        match (&self.caller, self.shared.replica_catalog()) {
            (Caller::Publisher(_), Some(catalog)) => Ok(catalog),
            _ => export().await,
        }
    }

    /// The part of a list that the query asks for, limited by a filter of the path.
    pub(super) fn list_query(
        &self,
        of: filter::Of,
        limit: Option<Filter>,
    ) -> Result<ListQuery, Refusal> {
        let paging = self.query.paging()?;
        let asked = self
            .query
            .get("$filter")
            .filter(|text| !text.trim().is_empty());
        let asked = asked.map(|text| filter::parse(text, of)).transpose()?;
        let both = match (limit, asked) {
            (Some(limit), Some(asked)) => Some(limit.and(asked)),
            (limit, asked) => limit.or(asked),
        };
        Ok(ListQuery {
            filter: both,
            skip: paging.skip,
            top: paging.top,
            ..ListQuery::default()
        })
    }

    /// Answers a page of a list.
    pub(super) fn list<R, T: Serialize>(
        &self,
        page: Page<R>,
        shape: impl Fn(&Place, R) -> T,
    ) -> Answer {
        let skip = self.query.paging()?.skip;
        let until = skip.saturating_add(page.records.len() as u64);
        let is_last = until >= page.total || page.records.is_empty();
        let next_link = if is_last {
            String::new()
        } else {
            self.next_link(until)
        };
        let value: Vec<T> = page
            .records
            .into_iter()
            .map(|record| shape(&self.place, record))
            .collect();
        let count = page.total;
        let list = List {
            value,
            count,
            next_link,
        };
        Ok(json(StatusCode::OK, &list))
    }

    /// The address of another part of this list, as the client reaches it.
    fn next_link(&self, skip: u64) -> String {
        let original = self.head.extensions.get::<OriginalUri>();
        let uri = original.map_or(&self.head.uri, |original| &original.0);
        let host = self
            .head
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let forwarded = self.head.headers.get("x-forwarded-proto");
        let is_https = forwarded.is_some_and(|scheme| scheme.as_bytes() == b"https")
            || uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let scheme = if is_https { "https" } else { "http" };
        let (path, query) = (uri.path(), self.query.from(skip));
        format!("{scheme}://{}{path}?{query}", host.unwrap_or("localhost"))
    }

    /// Names an accepted change, after the process's own replica has applied it.
    pub(super) async fn changed(&self, number: Option<u64>, mut response: Response) -> Answer {
        if let Some(number) = number {
            self.shared.wait_applied(number).await;
            response.headers_mut().insert(CHANGE_NUMBER, number.into());
        }
        Ok(response)
    }
}

pub(super) fn json(status: StatusCode, content: &impl Serialize) -> Response {
    let body = match serde_json::to_vec(content) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer of the management interface cannot be written");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A record with its tag.
pub(super) fn record(status: StatusCode, version: u64, content: &impl Serialize) -> Response {
    let mut response = json(status, content);
    if let Some(tag) = etag::of(version) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

pub(super) fn empty(status: StatusCode) -> Response {
    status.into_response()
}

pub(super) fn created(created: bool) -> StatusCode {
    if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

/// An update of an absent record finds nothing, whatever tag it names.
pub(super) fn absent(error: ManageError) -> ManageError {
    match error {
        ManageError::PreconditionFailed {
            record,
            current: None,
        } => ManageError::not_found(record),
        error => error,
    }
}
