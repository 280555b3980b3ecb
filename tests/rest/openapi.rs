//! Every documented success is seen.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Ask, Plane, delete, get, patch, post, put};

#[tokio::test]
async fn openapi_every_documented_response_is_seen() {
    let plane = Plane::recoverable().await;
    let document = plane
        .expect(
            Ask::new("GET", &format!("raw:{}/openapi.json", crate::support::BASE)),
            200,
        )
        .await
        .json();
    assert_eq!(document["openapi"], "3.1.0");

    let mut seen: BTreeSet<(String, String, u16)> = BTreeSet::new();
    let api = json!({ "path": "e", "displayName": "E" });
    let subscription =
        json!({ "scope": "/products/p", "displayName": "S", "ownerId": "u", "state": "active" });
    let steps: Vec<(&str, Ask)> = vec![
        ("/apis/{aid}", put("/apis/a", api.clone())),
        ("/apis/{aid}", put("/apis/a", api)),
        ("/apis/{aid}", patch("/apis/a", json!({}))),
        ("/apis/{aid}", get("/apis/a")),
        ("/apis/{aid}", Ask::new("HEAD", "/apis/a")),
        ("/apis", get("/apis")),
        (
            "/products/{pid}",
            put("/products/p", json!({ "displayName": "P" })),
        ),
        ("/products/{pid}", put("/products/p", json!({}))),
        ("/products/{pid}", patch("/products/p", json!({}))),
        ("/products/{pid}", get("/products/p")),
        ("/products/{pid}", Ask::new("HEAD", "/products/p")),
        ("/products", get("/products")),
        (
            "/products/{pid}/apis/{aid}",
            Ask::new("PUT", "/products/p/apis/a"),
        ),
        (
            "/products/{pid}/apis/{aid}",
            Ask::new("PUT", "/products/p/apis/a"),
        ),
        (
            "/products/{pid}/apis/{aid}",
            Ask::new("HEAD", "/products/p/apis/a"),
        ),
        ("/products/{pid}/apis", get("/products/p/apis")),
        (
            "/subscriptions/{sid}",
            put("/subscriptions/s", subscription.clone()),
        ),
        (
            "/subscriptions/{sid}",
            put("/subscriptions/s", subscription),
        ),
        ("/subscriptions/{sid}", patch("/subscriptions/s", json!({}))),
        ("/subscriptions/{sid}", get("/subscriptions/s")),
        ("/subscriptions/{sid}", Ask::new("HEAD", "/subscriptions/s")),
        ("/subscriptions", get("/subscriptions")),
        (
            "/subscriptions/{sid}/listSecrets",
            Ask::new("POST", "/subscriptions/s/listSecrets"),
        ),
        (
            "/subscriptions/{sid}/regeneratePrimaryKey",
            Ask::new("POST", "/subscriptions/s/regeneratePrimaryKey"),
        ),
        (
            "/subscriptions/{sid}/regenerateSecondaryKey",
            Ask::new("POST", "/subscriptions/s/regenerateSecondaryKey"),
        ),
        (
            "/subscriptions/{sid}/rotate",
            post("/subscriptions/s/rotate", &json!({ "slot": "primary" })),
        ),
        (
            "/products/{pid}/subscriptions",
            get("/products/p/subscriptions"),
        ),
        ("/users/{uid}/subscriptions", get("/users/u/subscriptions")),
        (
            "/users/{uid}/subscriptions/{sid}",
            get("/users/u/subscriptions/s"),
        ),
        (
            "/explain",
            post("/explain", &json!({ "api": "a", "subscription": "s" })),
        ),
        ("/auditEvents", get("/auditEvents")),
        ("/replicas", get("/replicas")),
        ("/whoami", get("/whoami")),
        ("/openapi.json", get("/openapi.json")),
        ("/subscriptions/{sid}", delete("/subscriptions/s")),
        ("/subscriptions/{sid}", delete("/subscriptions/s")),
        ("/products/{pid}/apis/{aid}", delete("/products/p/apis/a")),
        ("/products/{pid}/apis/{aid}", delete("/products/p/apis/a")),
        ("/products/{pid}", delete("/products/p")),
        ("/products/{pid}", delete("/products/p")),
        ("/apis/{aid}", delete("/apis/a")),
    ];
    for (template, ask) in steps {
        let method = ask.method().to_owned();
        let refused = plane.send(ask.clone().by("")).await;
        assert_eq!(refused.status, 401);
        if method != "HEAD" {
            assert_eq!(refused.code(), "Unauthorized");
        }
        let reply = plane.send(ask).await;
        assert!(
            reply.status.is_success(),
            "{method} {template}: {}",
            reply.text
        );
        let status = reply.status.as_u16();
        let described = &described(&document, template, &method)["responses"][status.to_string()];
        assert!(
            described.is_object(),
            "{method} {template}: {status} is not documented"
        );
        let schema = described["content"]["application/json"]["schema"]["$ref"].as_str();
        if let Some(schema) = schema {
            let schema = &document["components"]["schemas"][schema.rsplit('/').next().unwrap()];
            let undocumented = undocumented(&document, schema, &reply.json());
            assert_eq!(undocumented, Vec::<String>::new(), "{method} {template}");
        } else if template != "/openapi.json" {
            assert!(reply.text.is_empty(), "{method} {template}");
        }
        seen.insert((template.to_owned(), method.to_lowercase(), status));
    }
    assert_eq!(seen, documented(&document));
}

fn described<'d>(document: &'d Value, template: &str, method: &str) -> &'d Value {
    let paths = document["paths"].as_object().unwrap();
    let (_, item) = paths
        .iter()
        .find(|(path, _)| path.ends_with(&format!("{{serviceName}}{template}")))
        .unwrap();
    &item[method.to_lowercase()]
}

fn documented(document: &Value) -> BTreeSet<(String, String, u16)> {
    let mut all = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let template = path.rsplit("{serviceName}").next().unwrap();
        for (method, operation) in item.as_object().unwrap() {
            let statuses = operation["responses"].as_object().unwrap().keys();
            all.extend(statuses.filter_map(|status| {
                Some((template.to_owned(), method.clone(), status.parse().ok()?))
            }));
        }
    }
    all
}

/// The names in a value that its schema does not have.
fn undocumented(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let schema = match schema["$ref"].as_str() {
        Some(name) => &document["components"]["schemas"][name.rsplit('/').next().unwrap()],
        None => schema,
    };
    match value {
        Value::Object(fields) if schema["properties"].is_object() => fields
            .iter()
            .flat_map(|(name, value)| match &schema["properties"][name] {
                Value::Null => vec![name.clone()],
                field => undocumented(document, field, value),
            })
            .collect(),
        Value::Array(items) if schema["items"].is_object() => items
            .iter()
            .flat_map(|item| undocumented(document, &schema["items"], item))
            .collect(),
        _ => Vec::new(),
    }
}
