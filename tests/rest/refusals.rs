use serde_json::json;

use crate::support::{Ask, BASE, JANE, Plane, delete, get, patch, post, put};

/// A request that could be refused for every reason is refused for the first one
/// of the documented order; what is put right one after the other shows the rest.
#[tokio::test]
async fn refusals_come_in_the_documented_order() {
    let plane = Plane::stocked().await;
    let raw = |method: &str, path: &str| Ask::new(method, &format!("raw:{path}"));
    let record = format!("{BASE}/subscriptions/none");
    let huge = "x".repeat((1 << 20) + 1);

    let unknown = plane
        .expect(raw("BREW", "/nowhere").by("").body(&*huge), 401)
        .await;
    assert_eq!(
        unknown.header("www-authenticate"),
        Some("Bearer realm=\"management\"")
    );
    assert_eq!(unknown.code(), "Unauthorized");
    let path = plane
        .expect(raw("BREW", "/nowhere").body(&*huge), 404)
        .await;
    assert_eq!(path.code(), "ResourceNotFound");
    let method = plane.expect(raw("BREW", &record).body(&*huge), 405).await;
    assert_eq!(
        method.header("allow"),
        Some("GET, HEAD, PUT, PATCH, DELETE")
    );
    let version = plane.expect(raw("PATCH", &record).body(&*huge), 400).await;
    assert_eq!(version.code(), "MissingApiVersionParameter");
    let version = plane
        .expect(
            raw("PATCH", &format!("{record}?api-version=5")).body(&*huge),
            400,
        )
        .await;
    assert_eq!(version.code(), "InvalidApiVersionParameter");
    let ask = Ask::new("PATCH", "/subscriptions/none").header("if-match", "\"9\"");
    plane.expect(ask.clone().body(&*huge), 413).await;
    plane.expect(ask.clone().body("{"), 415).await;
    let json = ask
        .clone()
        .header("content-type", "Application/JSON; charset=utf-8");
    let text = plane.expect(json.clone().body("{"), 400).await;
    assert_eq!(text.code(), "InvalidRequestContent");
    let wrong = r#"{"properties":{"displayName":5,"state":"odd"}}"#;
    plane.expect(json.clone().body(wrong), 404).await;
    plane.subscription("none", "active").await;
    plane.expect(json.clone().by(JANE).body(wrong), 404).await;
    plane.expect(json.clone().body(wrong), 412).await;
    let values = plane
        .expect(
            Ask::new("PATCH", "/subscriptions/none")
                .header("content-type", "application/json")
                .body(wrong),
            400,
        )
        .await;
    assert_eq!(
        (values.code(), values.targets()),
        (
            "ValidationError".to_owned(),
            vec!["displayName".to_owned(), "state".to_owned()]
        )
    );
    let own = put(
        "/subscriptions/own",
        json!({ "scope": "/products/starter", "displayName": "x" }),
    )
    .by(JANE);
    plane.expect(own, 201).await;
    let forbidden = patch("/subscriptions/own", json!({ "description": "x" }))
        .by(JANE)
        .header("if-match", "\"9\"");
    plane.expect(forbidden, 403).await;
}

#[tokio::test]
async fn body_values_that_break_rules_are_told_all_at_once() {
    let plane = Plane::stocked().await;
    let long = "x".repeat(101);
    for (path, properties, targets) in [
        ("/subscriptions/a", json!({}), &["scope"][..]),
        (
            "/subscriptions/a",
            json!({ "displayName": "", "scope": "/foo", "state": "odd", "primaryKey": "", "expirationDate": "soon", "ownerId": "a/b" }),
            &[
                "displayName",
                "expirationDate",
                "ownerId",
                "primaryKey",
                "scope",
                "state",
            ],
        ),
        (
            "/subscriptions/a",
            json!({ "displayName": long, "scope": 5, "scopes": {}, "metadata": [], "allowTracing": "yes", "termsAccepted": 1 }),
            &[
                "allowTracing",
                "displayName",
                "metadata",
                "scope",
                "scopes",
                "termsAccepted",
            ],
        ),
        ("/subscriptions/a", json!({ "scope": "/" }), &["scope"]),
        (
            "/subscriptions/a",
            json!({ "scope": "/products/none", "displayName": "" }),
            &["displayName", "scope"],
        ),
        (
            "/subscriptions/a",
            json!({ "scopes": ["/apis/none", "/apis/echo"] }),
            &["scopes"],
        ),
        ("/subscriptions/a", json!({ "scopes": [] }), &["scopes"]),
        (
            "/subscriptions/a",
            json!({ "scope": "/apis", "primaryKey": "same", "secondaryKey": "same" }),
            &["secondaryKey"],
        ),
        (
            "/subscriptions/a",
            json!({ "scope": "/apis", "primaryKey": "k".repeat(257), "secondaryKey": " x" }),
            &["primaryKey", "secondaryKey"],
        ),
        (
            "/subscriptions/a",
            json!({ "scope": "/apis", "primaryKey": "a", "primaryKeySha256": "b" }),
            &["primaryKeySha256"],
        ),
        (
            "/subscriptions/a",
            json!({ "scope": "/apis", "notBefore": "2030-01-01T00:00:00Z", "expirationDate": "2029-01-01T00:00:00Z" }),
            &["notBefore"],
        ),
        (
            "/subscriptions/a",
            json!({ "scope": "/apis", "keyPrefix": "_" }),
            &["keyPrefix"],
        ),
        (
            "/subscriptions/a%3Ab",
            json!({ "scope": "/apis" }),
            &["name"],
        ),
        (
            "/products/p",
            json!({ "displayName": "x".repeat(301), "state": "odd", "subscriptionsLimit": 0, "subscriptionRequired": "no" }),
            &[
                "displayName",
                "state",
                "subscriptionRequired",
                "subscriptionsLimit",
            ],
        ),
        (
            "/products/p",
            json!({ "subscriptionsLimit": -1 }),
            &["subscriptionsLimit"],
        ),
        (
            "/products/p",
            json!({ "subscriptionsLimit": 1.5 }),
            &["subscriptionsLimit"],
        ),
        ("/apis/p", json!({ "displayName": "x" }), &["path"]),
        (
            "/apis/p",
            json!({ "path": "a/{b}", "displayName": "" }),
            &["displayName", "path"],
        ),
        (
            "/apis/p",
            json!({ "path": 7, "protocols": "https", "subscriptionKeyParameterNames": [] }),
            &["path", "protocols", "subscriptionKeyParameterNames"],
        ),
    ] {
        let refused = plane.expect(put(path, properties.clone()), 400).await;
        assert_eq!(refused.code(), "ValidationError", "{properties}");
        let mut found = refused.targets();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, targets, "{properties}: {}", refused.text);
        plane.expect(get(path), 404).await;
    }
    for body in [
        json!([]),
        json!("text"),
        json!(5),
        json!(null),
        json!({ "properties": [] }),
    ] {
        let ask = Ask::new("PUT", "/subscriptions/a").json(&body);
        assert_eq!(
            plane.expect(ask, 400).await.code(),
            "ValidationError",
            "{body}"
        );
    }
}

#[tokio::test]
async fn body_not_json_or_too_long_changes_nothing() {
    let plane = Plane::stocked().await;
    let before = plane.expect(get("/auditEvents"), 200).await.text;
    let ask = Ask::new("PUT", "/products/starter").header("content-type", "application/json");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in ["{", "{\"properties\":{}} x", "\u{feff}{}", "{'a':1}", &deep] {
        let refused = plane.expect(ask.clone().body(body), 400).await;
        assert_eq!(refused.code(), "InvalidRequestContent", "{body:.20}");
    }
    plane.expect(ask.clone().body(vec![0xff; 10]), 400).await;
    plane
        .expect(ask.clone().body(vec![b' '; 10 << 20]), 413)
        .await;
    let padded = format!(
        "{}{}",
        r#"{"properties":{"displayName":"S2"}}"#,
        " ".repeat((1 << 20) - 35)
    );
    for content_type in ["text/plain", "application/xml", "json", ""] {
        let ask = Ask::new("PUT", "/products/starter").header("content-type", content_type);
        plane.expect(ask.body("{}"), 415).await;
    }
    assert_eq!(plane.expect(get("/auditEvents"), 200).await.text, before);
    plane.expect(ask.body(padded), 200).await;
}

#[tokio::test]
async fn key_another_subscription_holds_is_refused_without_telling_it() {
    let plane = Plane::stocked().await;
    let held =
        json!({ "scope": "/apis", "primaryKey": "a key of mine", "secondaryKey": "another" });
    plane.expect(put("/subscriptions/a", held), 201).await;
    for properties in [
        json!({ "scope": "/apis", "secondaryKey": "a key of mine" }),
        json!({ "scope": "/apis", "primaryKey": "another" }),
    ] {
        let refused = plane.expect(put("/subscriptions/b", properties), 400).await;
        assert!(
            !refused.text.contains("a key of mine") && !refused.text.contains("another\""),
            "{}",
            refused.text
        );
    }
}

#[tokio::test]
async fn head_is_answered_without_a_body_also_when_refused() {
    let plane = Plane::stocked().await;
    plane.subscription("a", "active").await;
    for (path, status) in [
        ("/subscriptions/a", 200),
        ("/products/starter", 200),
        ("/apis/echo", 200),
        ("/subscriptions/none", 404),
        ("/subscriptions", 200),
    ] {
        let reply = plane.expect(Ask::new("HEAD", path), status).await;
        assert!(reply.text.is_empty());
        let is_record = status == 200 && path != "/subscriptions";
        assert_eq!(reply.header("etag").is_some(), is_record, "{path}");
    }
}

#[tokio::test]
async fn method_unknown_is_refused_with_those_that_are_taken() {
    let plane = Plane::stocked().await;
    for (method, path, allow) in [
        ("POST", "/subscriptions", "GET, HEAD"),
        (
            "OPTIONS",
            "/subscriptions/a",
            "GET, HEAD, PUT, PATCH, DELETE",
        ),
        ("GET", "/subscriptions/a/listSecrets", "POST"),
        ("GET", "/products/starter/apis/echo", "HEAD, PUT, DELETE"),
        ("DELETE", "/whoami", "GET, HEAD"),
    ] {
        let refused = plane.expect(Ask::new(method, path), 405).await;
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test]
async fn path_letter_case_matters_in_ids_only() {
    let plane = Plane::stocked().await;
    let odd = "/SUBSCRIPTIONS/S/resourcegroups/G/PROVIDERS/microsoft.apimanagement/Service/V";
    let found = plane
        .expect(
            get(&format!(
                "raw:{odd}/PRODUCTS/starter?api-version=2022-09-01-preview"
            )),
            200,
        )
        .await;
    assert_eq!(
        found.json()["id"],
        "/subscriptions/S/resourceGroups/G/providers/Microsoft.ApiManagement/service/V/products/starter"
    );
    plane.expect(get("/products/Starter"), 404).await;
    for id in [".", "..", "%2e%2E"] {
        plane
            .expect(
                put(&format!("/subscriptions/{id}"), json!({ "scope": "/apis" })),
                404,
            )
            .await;
    }
}

#[tokio::test]
async fn limit_reached_is_the_sentence_of_azure() {
    let plane = Plane::stocked().await;
    plane
        .expect(
            patch("/products/starter", json!({ "subscriptionsLimit": 1 })),
            200,
        )
        .await;
    plane.subscription("a", "active").await;
    let second = put(
        "/subscriptions/b",
        json!({ "scope": "/products/starter", "displayName": "b" }),
    );
    let refused = plane.expect(second, 400).await;
    assert_eq!(
        refused.json()["error"]["message"],
        "Subscriptions limit reached for same user"
    );
    assert_eq!(refused.code(), "ValidationError");
}

#[tokio::test]
async fn unauthorized_request_learns_nothing() {
    let plane = Plane::stocked().await;
    let mut texts = Vec::new();
    for ask in [
        get("/subscriptions/a"),
        get("/none"),
        delete("/products/starter"),
        post("/subscriptions/master/rotate", &json!({})),
        get("/openapi.json"),
    ] {
        for token in ["", "wrong"] {
            texts.push(plane.expect(ask.clone().by(token), 401).await.text);
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
}

#[tokio::test]
async fn database_that_cannot_be_read_or_written_is_503_with_a_time_to_retry() {
    let plane = Plane::stocked().await;
    let file = plane.file();
    let other = sqlx::SqlitePool::connect(file.to_str().unwrap())
        .await
        .unwrap();
    let tables = sqlx::query_scalar::<_, String>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%subscription%'",
    );
    for table in tables.fetch_all(&other).await.unwrap() {
        let gone = sqlx::AssertSqlSafe(format!(
            "ALTER TABLE \"{table}\" RENAME TO \"{table}_gone\""
        ));
        sqlx::query(gone).execute(&other).await.unwrap();
    }
    let made = put("/subscriptions/a", json!({ "scope": "/apis" }));
    for ask in [
        get("/subscriptions/master"),
        get("/subscriptions"),
        made,
        delete("/subscriptions/master"),
    ] {
        let refused = plane.expect(ask, 503).await;
        assert_eq!(refused.code(), "ServiceUnavailable");
        assert!(
            refused
                .header("retry-after")
                .unwrap()
                .parse::<u32>()
                .is_ok()
        );
        assert!(
            !refused.text.contains("keys.db") && !refused.text.contains("table"),
            "{}",
            refused.text
        );
    }
}
