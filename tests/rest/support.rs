//! A control plane behind its router, and requests to it.

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use tower_subscription_key::SqlStore;
use tower_subscription_key::manage::rest::{BearerTokens, Rest};
use tower_subscription_key::manage::{Caller, Manage, ManageBuilder};

pub(crate) const BASE: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/v";

pub(crate) const PUBLISHER: &str = "publisher-token";
pub(crate) const JANE: &str = "jane-token";
pub(crate) const JOHN: &str = "john-token";

pub(crate) struct Plane {
    router: Router,
    folder: Option<TempDir>,
}

impl Plane {
    /// Without anything but the all-access subscription, on a SQLite file.
    pub(crate) async fn empty() -> Self {
        Self::on_file(Manage::builder()).await
    }

    /// A control plane with recoverable keys.
    pub(crate) async fn recoverable() -> Self {
        Self::on_file(Manage::builder().encryption_key([7; 32])).await
    }

    async fn on_file(builder: ManageBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.db");
        let mut plane = Self::over(builder.open(file.to_str().unwrap()).await.unwrap());
        plane.folder = Some(folder);
        plane
    }

    /// The database, for a test that breaks it.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("keys.db")
    }

    pub(crate) fn in_memory() -> Self {
        Self::over(Manage::in_memory().unwrap())
    }

    /// One of a process that also follows its database.
    pub(crate) fn with_replica(manage: Manage, store: SqlStore) -> Self {
        let rest = Rest::new(manage, tokens()).with_replica(store);
        Self {
            router: rest.into_router(),
            folder: None,
        }
    }

    fn over(manage: Manage) -> Self {
        let router = Rest::new(manage, tokens()).into_router();
        let folder = None;
        Self { router, folder }
    }

    /// With two APIs and three products: `starter` is offered, `approved` needs
    /// approval and has terms, `internal` is not published.
    pub(crate) async fn stocked() -> Self {
        let plane = Self::empty().await;
        plane.stock().await;
        plane
    }

    pub(crate) async fn stock(&self) {
        for (id, path) in [("echo", "echo"), ("orders", "shop/orders")] {
            let api = put(
                &format!("/apis/{id}"),
                json!({ "path": path, "displayName": id }),
            );
            self.expect(api, 201).await;
        }
        for (id, properties) in [
            (
                "starter",
                json!({ "displayName": "Starter", "state": "published" }),
            ),
            (
                "approved",
                json!({ "displayName": "Approved", "state": "published", "approvalRequired": true, "terms": "Be kind." }),
            ),
            ("internal", json!({ "displayName": "Internal" })),
        ] {
            self.expect(put(&format!("/products/{id}"), properties), 201)
                .await;
            self.expect(Ask::new("PUT", &format!("/products/{id}/apis/echo")), 201)
                .await;
        }
    }

    /// A subscription to `starter` in the given state.
    pub(crate) async fn subscription(&self, id: &str, state: &str) {
        let properties = json!({ "displayName": id, "scope": "/products/starter", "state": state });
        self.expect(put(&format!("/subscriptions/{id}"), properties), 201)
            .await;
    }

    pub(crate) async fn send(&self, ask: Ask) -> Reply {
        let uri = match ask.path.strip_prefix("raw:") {
            Some(raw) => raw.to_owned(),
            None => format!("{BASE}{}?api-version=2024-05-01{}", ask.path, ask.query),
        };
        let mut request = Request::builder()
            .method(ask.method)
            .uri(uri)
            .header("host", "example.test:3100");
        if !ask.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", ask.token));
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(ask.body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn expect(&self, ask: Ask, status: u16) -> impl Future<Output = Reply> {
        let caller = std::panic::Location::caller();
        async move {
            let asked = format!("{} {}{}", ask.method, ask.path, ask.query);
            let reply = self.send(ask).await;
            assert_eq!(reply.status, status, "{asked} at {caller}: {}", reply.text);
            reply
        }
    }

    pub(crate) async fn state_of(&self, id: &str) -> String {
        let found = self.expect(get(&format!("/subscriptions/{id}")), 200).await;
        found.properties()["state"].as_str().unwrap().to_owned()
    }
}

fn tokens() -> BearerTokens {
    BearerTokens::new()
        .with(PUBLISHER, Caller::publisher("admin"))
        .with(JANE, Caller::owner("jane"))
        .with(JOHN, Caller::owner("john"))
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    query: String,
    token: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: String::new(),
            token: PUBLISHER.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn method(&self) -> &str {
        self.method.as_str()
    }

    pub(crate) fn by(mut self, token: &str) -> Self {
        self.token = token.to_owned();
        self
    }

    pub(crate) fn query(mut self, query: &str) -> Self {
        self.query = format!("&{query}");
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }
}

pub(crate) fn get(path: &str) -> Ask {
    Ask::new("GET", path)
}

pub(crate) fn put(path: &str, properties: Value) -> Ask {
    Ask::new("PUT", path).json(&json!({ "properties": properties }))
}

pub(crate) fn patch(path: &str, properties: Value) -> Ask {
    Ask::new("PATCH", path).json(&json!({ "properties": properties }))
}

pub(crate) fn post(path: &str, body: &Value) -> Ask {
    Ask::new("POST", path).json(body)
}

pub(crate) fn delete(path: &str) -> Ask {
    Ask::new("DELETE", path)
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    #[track_caller]
    pub(crate) fn properties(&self) -> Value {
        self.json()["properties"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let error = json["error"].as_object().unwrap();
        assert_eq!(
            error.keys().map(String::as_str).collect::<Vec<_>>(),
            ["code", "details", "message"]
        );
        error["code"].as_str().unwrap().to_owned()
    }

    /// The targets of the details, in order.
    #[track_caller]
    pub(crate) fn targets(&self) -> Vec<String> {
        let json = self.json();
        let details = json["error"]["details"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", self.text));
        details
            .iter()
            .map(|detail| detail["target"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The names of a list, in order.
    #[track_caller]
    pub(crate) fn names(&self) -> Vec<String> {
        let json = self.json();
        let value = json["value"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", self.text));
        value
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    }
}
