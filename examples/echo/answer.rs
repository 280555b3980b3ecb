//! The service behind the keys: it answers with what it sees.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::Error;
use tower_subscription_key::Access;

#[derive(Serialize)]
struct Seen<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: BTreeMap<&'a str, Vec<Cow<'a, str>>>,
    access: Context<'a>,
}

/// How the request was let in. All `null` for an unmatched one.
#[derive(Serialize, Default)]
struct Context<'a> {
    api: Option<&'a str>,
    product: Option<&'a str>,
    subscription: Option<&'a str>,
    key: Option<&'a str>,
    scope: Option<String>,
    owner: Option<&'a str>,
}

impl<'a> Context<'a> {
    fn of(access: &'a Access) -> Self {
        Self {
            api: Some(access.api().id()),
            product: access.product().map(|product| product.id()),
            subscription: access.subscription().map(|subscription| subscription.id()),
            key: access.key_slot().map(|slot| slot.as_str()),
            scope: access.scope().map(|scope| scope.to_string()),
            owner: access.owner(),
        }
    }
}

/// Ignores the body of the request.
pub(crate) async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Error> {
    let access = request.extensions().get::<Access>();
    let seen = Seen {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query(),
        headers: by_name(request.headers()),
        access: access.map(Context::of).unwrap_or_default(),
    };
    let mut json = serde_json::to_vec(&seen)?;
    // So that the prompt of a shell begins on a new line.
    json.push(b'\n');
    let mut response = Response::new(Full::from(json));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

fn by_name(headers: &HeaderMap) -> BTreeMap<&str, Vec<Cow<'_, str>>> {
    let mut by_name = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        by_name.entry(name.as_str()).or_default().push(value);
    }
    by_name
}
