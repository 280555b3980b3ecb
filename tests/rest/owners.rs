use serde_json::json;

use crate::support::{Ask, JANE, JOHN, Plane, delete, get, patch, post, put};

async fn plane_of_jane() -> Plane {
    let plane = Plane::stocked().await;
    let own = json!({ "displayName": "Jane's", "scope": "/products/starter" });
    plane
        .expect(put("/subscriptions/janes", own).by(JANE), 201)
        .await;
    plane
}

#[tokio::test]
async fn owner_sees_others_and_hidden_records_exactly_as_absent_ones() {
    let plane = plane_of_jane().await;
    let open =
        json!({ "displayName": "Open", "state": "published", "subscriptionRequired": false });
    plane.expect(put("/products/open", open), 201).await;
    for (present, absent) in [
        (get("/subscriptions/janes"), get("/subscriptions/nojan")),
        (
            Ask::new("HEAD", "/subscriptions/janes"),
            Ask::new("HEAD", "/subscriptions/nojan"),
        ),
        (
            patch("/subscriptions/janes", json!({ "displayName": "x" })),
            patch("/subscriptions/nojan", json!({ "displayName": "x" })),
        ),
        (
            patch("/subscriptions/janes", json!({ "displayName": "x" }))
                .header("if-match", "\"1\""),
            patch("/subscriptions/nojan", json!({ "displayName": "x" }))
                .header("if-match", "\"1\""),
        ),
        (
            patch("/subscriptions/janes", json!({ "state": "cancelled" })),
            patch("/subscriptions/nojan", json!({ "state": "cancelled" })),
        ),
        (
            Ask::new("POST", "/subscriptions/janes/listSecrets"),
            Ask::new("POST", "/subscriptions/nojan/listSecrets"),
        ),
        (
            Ask::new("POST", "/subscriptions/janes/regeneratePrimaryKey"),
            Ask::new("POST", "/subscriptions/nojan/regeneratePrimaryKey"),
        ),
        (
            post("/subscriptions/janes/rotate", &json!({ "slot": "primary" })),
            post("/subscriptions/nojan/rotate", &json!({ "slot": "primary" })),
        ),
        (
            delete("/subscriptions/janes"),
            delete("/subscriptions/nojan"),
        ),
        (
            get("/users/jane/subscriptions/janes"),
            get("/users/jane/subscriptions/nojan"),
        ),
        (
            get("/users/jane/subscriptions"),
            get("/users/none/subscriptions"),
        ),
        (get("/products/internal"), get("/products/nonintel")),
        (get("/products/open"), get("/products/none")),
        (
            get("/products/internal/apis"),
            get("/products/nonintel/apis"),
        ),
        (
            get("/products/internal/subscriptions"),
            get("/products/nonintel/subscriptions"),
        ),
        (
            Ask::new("HEAD", "/products/internal/apis/echo"),
            Ask::new("HEAD", "/products/nonintel/apis/echo"),
        ),
        (
            Ask::new("PUT", "/products/internal/apis/echo"),
            Ask::new("PUT", "/products/nonintel/apis/echo"),
        ),
        (
            put("/products/internal", json!({ "displayName": "x" })),
            put("/products/nonintel", json!({ "displayName": "x" })),
        ),
        (get("/apis/echo"), get("/apis/none")),
        (delete("/apis/echo"), delete("/apis/none")),
        (
            put(
                "/subscriptions/new",
                json!({ "scope": "/products/internal" }),
            ),
            put(
                "/subscriptions/new",
                json!({ "scope": "/products/nonintel" }),
            ),
        ),
        (
            put(
                "/subscriptions/new",
                json!({ "scope": "/products/open", "termsAccepted": true }),
            ),
            put(
                "/subscriptions/new",
                json!({ "scope": "/products/none", "termsAccepted": true }),
            ),
        ),
    ] {
        let shown = format!("{present:?}");
        let [present, absent] = [
            plane.send(present.by(JOHN)).await,
            plane.send(absent.by(JOHN)).await,
        ];
        assert!(
            !present.status.is_success() || present.text.contains("\"count\":0"),
            "{shown}: {}",
            present.text
        );
        assert_eq!(present.status, absent.status, "{shown}");
        assert_eq!(present.headers, absent.headers, "{shown}");
        let absent = absent
            .text
            .replace("nonintel", "internal")
            .replace("nojan", "janes")
            .replace("/none", "/open")
            .replace("\\\"none\\\"", "\\\"open\\\"")
            .replace("`none`", "`open`");
        let present = present.text.replace("\\\"echo\\\"", "\\\"open\\\"");
        assert_eq!(present, absent, "{shown}");
    }
}

#[tokio::test]
async fn owner_creating_an_id_that_another_holds_learns_only_that_it_cannot() {
    let plane = plane_of_jane().await;
    let own = json!({ "displayName": "x", "scope": "/products/starter" });
    let refused = plane
        .expect(put("/subscriptions/janes", own).by(JOHN), 404)
        .await;
    let absent = plane
        .expect(get("/subscriptions/janes").by(JOHN), 404)
        .await;
    assert_eq!(refused.text, absent.text);
    assert_eq!(
        plane
            .expect(get("/subscriptions/janes"), 200)
            .await
            .properties()["displayName"],
        "Jane's"
    );
}

#[tokio::test]
async fn owner_does_for_itself_what_it_may() {
    let plane = plane_of_jane().await;
    assert_eq!(
        plane
            .expect(get("/subscriptions").by(JANE), 200)
            .await
            .names(),
        ["janes"]
    );
    assert_eq!(
        plane
            .expect(get("/subscriptions").by(JOHN), 200)
            .await
            .names(),
        Vec::<String>::new()
    );
    assert_eq!(
        plane.expect(get("/products").by(JANE), 200).await.names(),
        ["approved", "starter"]
    );
    assert_eq!(
        plane.expect(get("/products").by(JANE), 200).await.json()["count"],
        2
    );
    assert_eq!(
        plane
            .expect(get("/products/starter/apis").by(JANE), 200)
            .await
            .names(),
        ["echo"]
    );
    assert_eq!(
        plane
            .expect(get("/users/jane/subscriptions").by(JANE), 200)
            .await
            .names(),
        ["janes"]
    );
    plane.expect(get("/products/approved").by(JANE), 200).await;
    plane
        .expect(
            patch("/subscriptions/janes", json!({ "displayName": "New" })).by(JANE),
            200,
        )
        .await;
    plane
        .expect(
            Ask::new("POST", "/subscriptions/janes/listSecrets").by(JANE),
            200,
        )
        .await;
    plane
        .expect(
            post(
                "/subscriptions/janes/rotate",
                &json!({ "slot": "primary", "graceSeconds": 5 }),
            )
            .by(JANE),
            200,
        )
        .await;
    assert_eq!(
        plane.expect(get("/whoami").by(JANE), 200).await.json(),
        json!({ "role": "owner", "id": "jane" })
    );
    assert_eq!(
        plane.expect(get("/whoami"), 200).await.json(),
        json!({ "role": "publisher", "id": "admin" })
    );
}

#[tokio::test]
async fn owner_doing_more_is_forbidden_as_a_whole() {
    let plane = plane_of_jane().await;
    let before = plane.expect(get("/subscriptions/janes"), 200).await.text;
    let own = |more: serde_json::Value| {
        let mut properties = json!({ "displayName": "Other" });
        properties
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        properties
    };
    for more in [
        json!({ "scope": "/apis" }),
        json!({ "scopes": ["/products/starter", "/products/approved"] }),
        json!({ "ownerId": "john" }),
        json!({ "ownerId": null }),
        json!({ "primaryKey": "chosen" }),
        json!({ "expirationDate": "2099-01-01T00:00:00Z" }),
        json!({ "notBefore": "2020-01-01T00:00:00Z" }),
        json!({ "metadata": { "plan": "gold" } }),
        json!({ "state": "suspended" }),
        json!({ "stateComment": "x" }),
        json!({ "description": "x" }),
    ] {
        let refused = plane
            .expect(
                patch("/subscriptions/janes", own(more.clone())).by(JANE),
                403,
            )
            .await;
        assert_eq!(refused.code(), "Forbidden", "{more}");
    }
    assert_eq!(
        plane.expect(get("/subscriptions/janes"), 200).await.text,
        before
    );
    for more in [
        json!({ "scope": "/apis" }),
        json!({ "scope": "/apis/echo" }),
        json!({ "scope": "/products/starter", "ownerId": "john" }),
        json!({ "scope": "/products/starter", "state": "active" }),
    ] {
        plane
            .expect(put("/subscriptions/more", own(more.clone())).by(JANE), 403)
            .await;
        plane.expect(get("/subscriptions/more"), 404).await;
    }
    let rotate = json!({ "slot": "primary", "expiresAt": null });
    plane
        .expect(post("/subscriptions/janes/rotate", &rotate).by(JANE), 403)
        .await;
    for ask in [
        put("/products/starter", json!({ "displayName": "x" })),
        delete("/products/starter"),
        put("/apis/new", json!({ "path": "x" })),
        delete("/subscriptions/janes"),
        get("/apis"),
        get("/auditEvents"),
        get("/replicas"),
        Ask::new("PUT", "/products/starter/apis/orders"),
    ] {
        plane.expect(ask.by(JANE), 403).await;
    }
}
