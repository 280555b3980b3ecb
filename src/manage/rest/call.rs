//! One request, from its authorization to its answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::manage::rest::query::Query;
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::resource::Place;
use crate::manage::rest::route::Route;
use crate::manage::rest::shape::{List, Resource};
use crate::manage::rest::{Shared, body, etag, fields, filter, openapi};
use crate::manage::{Caller, Changed, FieldIssue, Filter, ListQuery, Manage, ManageError, Page};

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
                Method::PUT | Method::PATCH => self.set_subscription(&id).await,
                Method::DELETE => self.delete_subscription(&id).await,
                _ => self.get_subscription(&id, None).await,
            },
            Route::ListSecrets(id) => self.list_secrets(&id).await,
            Route::Regenerate(id, slot) => self.regenerate(&id, slot).await,
            Route::Rotate(id) => self.rotate(&id).await,
            Route::Products => self.list_products().await,
            Route::Product(id) => match *method {
                Method::PUT | Method::PATCH => self.set_product(&id).await,
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
            Route::UserSubscription(user, id) => self.get_subscription(&id, Some(&user)).await,
            Route::Apis => self.list_apis().await,
            Route::Api(id) => match *method {
                Method::PUT | Method::PATCH => self.set_api(&id).await,
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
        match (&self.caller, self.shared.replica_catalog()) {
            (Caller::Publisher(_), Some(catalog)) => Ok(catalog),
            _ => self.manage().export(&self.caller).await.map(Arc::new),
        }
    }

    /// The part of a list that the query asks for, limited by a filter of the path.
    pub(super) fn list_query(
        &self,
        of: filter::Of,
        limit: Option<Filter>,
    ) -> Result<ListQuery, Refusal> {
        let paging = self.query.paging()?;
        let asked = self.query.filter().map(|text| filter::parse(text, of));
        let asked = asked.transpose()?;
        let both = match (limit, asked) {
            (Some(limit), Some(asked)) => Some(limit.and(asked)),
            (limit, asked) => limit.or(asked),
        };
        Ok(ListQuery {
            filter: both,
            after: self.query.after().map(str::to_owned),
            skip: if self.query.after().is_some() {
                0
            } else {
                paging.skip
            },
            top: paging.top,
            ..ListQuery::default()
        })
    }

    /// Answers a page of a list.
    pub(super) fn list<R, P: Serialize>(
        &self,
        page: Page<R>,
        shape: impl Fn(&Place, R) -> Resource<P>,
    ) -> Answer {
        let paging = self.query.paging()?;
        let records = page.records.into_iter();
        let value: Vec<_> = records.map(|record| shape(&self.place, record)).collect();
        let until = paging.skip.saturating_add(value.len() as u64);
        // Records that were deleted meanwhile can make the total less than `until`.
        let is_last = value.len() < paging.top as usize || until == page.total;
        let next_link = match value.last() {
            Some(last) if !is_last => self.next_link(until, &last.name),
            _ => String::new(),
        };
        let list = List {
            value,
            count: page.total,
            next_link,
        };
        Ok(json(StatusCode::OK, &list))
    }

    /// The address of the next page of this list, as the client reaches it.
    fn next_link(&self, skip: u64, last: &str) -> String {
        let original = self.head.extensions.get::<OriginalUri>();
        let uri = original.map_or(&self.head.uri, |original| &original.0);
        let headers = &self.head.headers;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let forwarded = headers.get("x-forwarded-proto");
        let is_https = forwarded.is_some_and(|scheme| scheme.as_bytes() == b"https")
            || uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let scheme = if is_https { "https" } else { "http" };
        let (path, query) = (uri.path(), self.query.next(skip, last));
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

    /// The refusal of a request with fields. An update of a missing record is a 404 with
    /// any tag. Issues about fields that could not be read are left out.
    pub(super) fn refusal(&self, error: ManageError, own: &[FieldIssue]) -> Refusal {
        let error = match error {
            ManageError::PreconditionFailed {
                record,
                current: None,
            } if self.head.method == Method::PATCH => ManageError::not_found(record),
            error => error,
        };
        let name = fields::json_name_in(&self.body);
        Refusal::of(error, own, |field| {
            let name = name(field);
            let is_unread = own.iter().any(|issue| issue.field == name);
            (!is_unread).then_some(name)
        })
    }

    /// Answers a deletion. If there was nothing to delete, the answer is 204 with any tag.
    pub(super) async fn deleted(
        &self,
        deleted: Result<Changed<bool>, ManageError>,
        status: StatusCode,
    ) -> Answer {
        match deleted {
            Ok(deleted) if deleted.value => self.changed(deleted.number, empty(status)).await,
            Ok(_) | Err(ManageError::PreconditionFailed { current: None, .. }) => {
                Ok(empty(StatusCode::NO_CONTENT))
            }
            Err(error) => Err(error.into()),
        }
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
pub(super) fn record<P: Serialize>(status: StatusCode, content: &Resource<P>) -> Response {
    let mut response = json(status, content);
    etag::insert(&mut response, content.version);
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
