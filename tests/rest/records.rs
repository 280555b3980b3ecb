use serde_json::json;

use crate::support::{Ask, BASE, JANE, Plane, delete, get, patch, post, put};

#[tokio::test]
async fn subscription_created_shows_both_keys_once() {
    let plane = Plane::stocked().await;
    let created = put(
        "/subscriptions/contoso",
        json!({ "displayName": "Contoso", "scope": "/products/starter", "ownerId": "/users/jane" }),
    );
    let created = plane.expect(created, 201).await;
    let content = created.json();
    assert_eq!(content["id"], format!("{BASE}/subscriptions/contoso"));
    assert_eq!(
        content["type"],
        "Microsoft.ApiManagement/service/subscriptions"
    );
    assert_eq!(content["name"], "contoso");
    let properties = &content["properties"];
    assert_eq!(properties["state"], "submitted");
    assert_eq!(properties["scope"], format!("{BASE}/products/starter"));
    assert_eq!(
        properties["scopes"],
        json!([format!("{BASE}/products/starter")])
    );
    assert_eq!(properties["ownerId"], format!("{BASE}/users/jane"));
    let keys =
        ["primaryKey", "secondaryKey"].map(|name| properties[name].as_str().unwrap().to_owned());
    assert_eq!(keys.each_ref().map(String::len), [32, 32]);
    assert_eq!(created.header("cache-control"), Some("no-store"));
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert!(created.header("change-number").is_some());

    let found = plane.expect(get("/subscriptions/contoso"), 200).await;
    assert!(!found.text.contains("primaryKey\""), "{}", found.text);
    let list = plane.expect(get("/subscriptions"), 200).await;
    for key in &keys {
        assert!(!found.text.contains(key) && !list.text.contains(key));
    }
    let again = put(
        "/subscriptions/contoso",
        json!({ "displayName": "Contoso 2" }),
    );
    let again = plane.expect(again, 200).await;
    assert!(
        again.properties().get("primaryKey").is_none(),
        "{}",
        again.text
    );
}

#[tokio::test]
async fn subscription_put_with_own_keys_shows_only_what_was_generated() {
    let plane = Plane::stocked().await;
    let properties =
        json!({ "scope": "/apis/echo", "primaryKey": "my own key", "keyPrefix": "acme_x" });
    let created = plane
        .expect(put("/subscriptions/a", properties), 201)
        .await
        .properties();
    assert!(created.get("primaryKey").is_none());
    assert!(
        created["secondaryKey"]
            .as_str()
            .unwrap()
            .starts_with("acme_x_")
    );
    let digests = json!({ "primaryKeySha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" });
    plane.expect(patch("/subscriptions/a", digests), 200).await;
    let taken = json!({ "scope": "/apis/echo", "primaryKey": "test" });
    let refused = plane.expect(put("/subscriptions/b", taken), 400).await;
    assert_eq!(refused.targets(), ["primaryKey"]);
    assert!(
        !refused.text.contains("\"test\"") && !refused.text.contains("9f86"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn subscription_put_with_a_wrong_prefix_is_refused_for_that_alone() {
    let plane = Plane::stocked().await;
    let properties = json!({ "scope": "/apis/echo", "keyPrefix": "acme_" });
    let refused = plane.expect(put("/subscriptions/a", properties), 400).await;
    assert_eq!(refused.targets(), ["keyPrefix"]);
}

#[tokio::test]
async fn subscription_put_keeps_what_it_does_not_name_and_null_clears() {
    let plane = Plane::stocked().await;
    let properties = json!({
        "displayName": "A", "scope": "/apis/echo", "ownerId": "jane", "state": "active", "description": "D",
        "metadata": { "plan": [1, { "a": null }] }, "expirationDate": "2099-06-30T00:00:00.1234567Z",
        "notBefore": "2020-01-01T02:00:00+02:00", "allowTracing": true, "unknown": { "is": "ignored" }, "stateComment": "C",
    });
    let created = plane
        .expect(put("/subscriptions/a", properties), 201)
        .await
        .properties();
    assert_eq!(created["notBefore"], "2020-01-01T00:00:00Z");
    assert_eq!(created["expirationDate"], "2099-06-30T00:00:00.123456Z");
    assert_eq!(created["metadata"], json!({ "plan": [1, { "a": null }] }));
    let renamed = plane
        .expect(put("/subscriptions/a", json!({ "displayName": "B" })), 200)
        .await
        .properties();
    for name in [
        "scope",
        "ownerId",
        "state",
        "description",
        "metadata",
        "expirationDate",
        "notBefore",
        "allowTracing",
        "stateComment",
        "createdDate",
        "startDate",
    ] {
        assert_eq!(renamed[name], created[name], "{name}");
    }
    let cleared = json!({ "displayName": null, "ownerId": null, "description": null, "metadata": null, "expirationDate": null, "notBefore": null, "stateComment": null, "state": null, "primaryKey": null });
    let cleared = plane
        .expect(patch("/subscriptions/a", cleared), 200)
        .await
        .properties();
    assert_eq!(cleared["displayName"], "a");
    assert_eq!(cleared["state"], "active");
    assert_eq!(cleared["metadata"], json!({}));
    for name in [
        "ownerId",
        "description",
        "expirationDate",
        "notBefore",
        "stateComment",
    ] {
        assert!(cleared[name].is_null(), "{name}");
    }
}

#[tokio::test]
async fn subscription_scope_alone_replaces_all_unless_it_is_the_first() {
    let plane = Plane::stocked().await;
    let scopes = json!({ "scopes": ["/products/starter", format!("{BASE}/apis/echo;rev=2")] });
    plane.expect(put("/subscriptions/a", scopes), 201).await;
    let full = |short: &str| format!("{BASE}{short}");
    let scopes_after = async |properties| {
        plane
            .expect(patch("/subscriptions/a", properties), 200)
            .await
            .properties()["scopes"]
            .clone()
    };
    assert_eq!(
        scopes_after(json!({ "scope": full("/products/starter") })).await,
        json!([full("/products/starter"), full("/apis/echo")])
    );
    assert_eq!(
        scopes_after(json!({ "scope": "/apis" })).await,
        json!([full("/apis")])
    );
    let disagreement = json!({ "scope": "/apis", "scopes": ["/apis/echo"] });
    plane
        .expect(patch("/subscriptions/a", disagreement), 400)
        .await;
}

#[tokio::test]
async fn etag_stale_or_of_an_absent_record_is_refused_and_fresh_is_taken() {
    let plane = Plane::stocked().await;
    plane.subscription("a", "active").await;
    let fresh = plane
        .expect(get("/subscriptions/a"), 200)
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let rename = |name: &str| patch("/subscriptions/a", json!({ "displayName": name }));
    let changed = plane
        .expect(rename("b").header("if-match", &fresh), 200)
        .await;
    assert_ne!(changed.header("etag"), Some(&*fresh));
    for ask in [
        rename("c"),
        put("/subscriptions/a", json!({})),
        delete("/subscriptions/a"),
    ] {
        let refused = plane.expect(ask.header("if-match", &fresh), 412).await;
        assert_eq!(refused.code(), "PreconditionFailed");
    }
    let absent = put("/subscriptions/new", json!({ "scope": "/apis" })).header("if-match", "\"1\"");
    plane.expect(absent.clone(), 412).await;
    plane.expect(get("/subscriptions/new"), 404).await;
    plane
        .expect(
            patch("/subscriptions/new", json!({})).header("if-match", "\"1\""),
            404,
        )
        .await;
    plane.expect(rename("d").header("if-match", "*"), 200).await;
    // One of several tags is enough.
    let current = plane.expect(get("/subscriptions/a"), 200).await;
    let tags = format!("{fresh}, \"x,y\" , {}", current.header("etag").unwrap());
    plane
        .expect(rename("e").header("if-match", &tags), 200)
        .await;
    plane
        .expect(rename("f").header("if-match", &tags), 412)
        .await;
    plane
        .expect(
            put("/subscriptions/new", json!({ "scope": "/apis" })).header("if-match", "*"),
            201,
        )
        .await;
    plane
        .expect(
            put("/subscriptions/new", json!({})).header("if-none-match", "*"),
            412,
        )
        .await;
}

#[tokio::test]
async fn record_made_again_does_not_match_its_old_tag() {
    let plane = Plane::stocked().await;
    plane.subscription("a", "active").await;
    let old = plane.expect(get("/subscriptions/a"), 200).await;
    plane
        .expect(delete("/subscriptions/a").header("if-match", "*"), 200)
        .await;
    plane.expect(delete("/subscriptions/a"), 204).await;
    plane.subscription("a", "active").await;
    let stale = patch("/subscriptions/a", json!({ "displayName": "x" }))
        .header("if-match", old.header("etag").unwrap());
    plane.expect(stale, 412).await;
}

#[tokio::test]
async fn change_that_changes_nothing_has_no_number_and_the_same_tag() {
    let plane = Plane::stocked().await;
    plane.subscription("a", "active").await;
    let before = plane.expect(get("/subscriptions/a"), 200).await;
    let same = plane
        .expect(
            patch("/subscriptions/a", json!({ "displayName": "a" })),
            200,
        )
        .await;
    assert_eq!(same.header("change-number"), None);
    assert_eq!(same.header("etag"), before.header("etag"));
}

#[tokio::test]
async fn keys_swapped_in_one_put_are_swapped() {
    let plane = Plane::recoverable().await;
    plane.stock().await;
    let properties = json!({ "scope": "/apis", "primaryKey": "one", "secondaryKey": "two" });
    plane.expect(put("/subscriptions/a", properties), 201).await;
    plane
        .expect(
            put(
                "/subscriptions/a",
                json!({ "primaryKey": "two", "secondaryKey": "one" }),
            ),
            200,
        )
        .await;
    let secrets = plane
        .expect(Ask::new("POST", "/subscriptions/a/listSecrets"), 200)
        .await;
    assert_eq!(
        secrets.json(),
        json!({ "primaryKey": "two", "secondaryKey": "one" })
    );
}

#[tokio::test]
async fn keys_not_recoverable_are_null_and_regenerate_names_rotate() {
    let plane = Plane::stocked().await;
    plane.subscription("a", "active").await;
    let secrets = plane
        .expect(Ask::new("POST", "/subscriptions/a/listSecrets"), 200)
        .await;
    assert_eq!(
        secrets.json(),
        json!({ "primaryKey": null, "secondaryKey": null })
    );
    let before = plane.expect(get("/subscriptions/a"), 200).await;
    for slot in ["Primary", "Secondary"] {
        let refused = plane
            .expect(
                Ask::new("POST", &format!("/subscriptions/a/regenerate{slot}Key")),
                409,
            )
            .await;
        assert_eq!(refused.code(), "KeysNotRecoverable");
        assert!(refused.text.contains("rotate"), "{}", refused.text);
    }
    assert_eq!(
        plane.expect(get("/subscriptions/a"), 200).await.text,
        before.text
    );
    plane
        .expect(
            Ask::new("POST", "/subscriptions/x/regeneratePrimaryKey"),
            404,
        )
        .await;
}

#[tokio::test]
async fn keys_recoverable_are_read_back_and_regenerated() {
    let plane = Plane::recoverable().await;
    plane.stock().await;
    let created = plane
        .expect(put("/subscriptions/a", json!({ "scope": "/apis" })), 201)
        .await
        .properties();
    let secrets = async || {
        plane
            .expect(Ask::new("POST", "/subscriptions/a/listSecrets"), 200)
            .await
            .json()
    };
    let first = secrets().await;
    assert_eq!(
        [&first["primaryKey"], &first["secondaryKey"]],
        [&created["primaryKey"], &created["secondaryKey"]]
    );
    let regenerated = plane
        .expect(
            Ask::new("POST", "/subscriptions/a/regeneratePrimaryKey"),
            204,
        )
        .await;
    assert!(regenerated.text.is_empty() && regenerated.header("change-number").is_some());
    let second = secrets().await;
    assert_ne!(second["primaryKey"], first["primaryKey"]);
    assert_eq!(second["secondaryKey"], first["secondaryKey"]);
    let reads = plane
        .expect(
            get("/auditEvents").query(
                "$filter=operation eq 'readSecrets'"
                    .replace(' ', "%20")
                    .as_str(),
            ),
            200,
        )
        .await;
    assert_eq!(reads.json()["count"], 2);
}

#[tokio::test]
async fn rotate_with_grace_answers_the_new_key_and_the_end_of_the_old_one() {
    let plane = Plane::stocked().await;
    plane.subscription("a", "active").await;
    let rotate = |body| post("/subscriptions/a/rotate", &body);
    let rotated = plane
        .expect(
            rotate(json!({ "slot": "primary", "graceSeconds": 60 })),
            200,
        )
        .await;
    let content = rotated.json();
    assert_eq!(content["slot"], "primary");
    assert_eq!(content["key"].as_str().unwrap().len(), 32);
    assert!(content["replacedKeyExpiresAt"].is_string());
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    let at_once = plane.expect(rotate(json!({ "slot": "secondary", "expiresAt": "2099-01-01T00:00:00Z", "keyPrefix": "p" })), 200).await.json();
    assert!(at_once["replacedKeyExpiresAt"].is_null());
    assert!(at_once["key"].as_str().unwrap().starts_with("p_"));
    for (body, targets) in [
        (json!({}), vec!["slot"]),
        (
            json!({ "slot": "third", "graceSeconds": -1, "expiresAt": "soon" }),
            vec!["slot", "graceSeconds", "expiresAt"],
        ),
        (
            json!({ "slot": "primary", "graceSeconds": 31_536_001 }),
            vec!["graceSeconds"],
        ),
        (
            json!({ "slot": "primary", "keyPrefix": "x_" }),
            vec!["keyPrefix"],
        ),
        (json!([]), vec!["body", "slot"]),
    ] {
        assert_eq!(
            plane.expect(rotate(body.clone()), 400).await.targets(),
            targets,
            "{body}"
        );
    }
    plane
        .expect(
            post("/subscriptions/x/rotate", &json!({ "slot": "third" })),
            404,
        )
        .await;
}

#[tokio::test]
async fn product_and_its_members_are_made_changed_and_deleted() {
    let plane = Plane::stocked().await;
    let product = plane
        .expect(get("/products/internal"), 200)
        .await
        .properties();
    assert_eq!(
        [
            &product["state"],
            &product["subscriptionRequired"],
            &product["approvalRequired"]
        ],
        [&json!("notPublished"), &json!(true), &json!(false)]
    );
    let limited = json!({ "subscriptionsLimit": 2, "terms": "T", "state": "Published" });
    let limited = plane
        .expect(patch("/products/internal", limited), 200)
        .await
        .properties();
    assert_eq!(
        [
            &limited["subscriptionsLimit"],
            &limited["terms"],
            &limited["state"]
        ],
        [&json!(2), &json!("T"), &json!("published")]
    );
    let cleared = plane
        .expect(
            put(
                "/products/internal",
                json!({ "subscriptionsLimit": null, "terms": "" }),
            ),
            200,
        )
        .await
        .properties();
    assert!(cleared["subscriptionsLimit"].is_null() && cleared["terms"].is_null());

    let member = "/products/starter/apis/orders;rev=1";
    plane.expect(Ask::new("HEAD", member), 404).await;
    assert_eq!(
        plane.expect(Ask::new("PUT", member), 201).await.json()["name"],
        "orders"
    );
    plane.expect(Ask::new("PUT", member), 200).await;
    plane.expect(Ask::new("HEAD", member), 204).await;
    assert_eq!(
        plane
            .expect(get("/products/starter/apis"), 200)
            .await
            .names(),
        ["echo", "orders"]
    );
    plane.expect(delete(member), 200).await;
    plane.expect(delete(member), 204).await;
    plane
        .expect(Ask::new("PUT", "/products/starter/apis/none"), 404)
        .await;
    plane
        .expect(Ask::new("PUT", "/products/none/apis/echo"), 404)
        .await;

    plane.subscription("a", "active").await;
    let refused = plane.expect(delete("/products/starter"), 400).await;
    assert_eq!(
        (refused.code(), refused.targets()),
        ("ValidationError".to_owned(), vec!["a".to_owned()])
    );
    plane
        .expect(
            delete("/products/starter").query("deleteSubscriptions=true"),
            200,
        )
        .await;
    plane.expect(get("/subscriptions/a"), 404).await;
    plane.expect(delete("/products/starter"), 204).await;
}

#[tokio::test]
async fn api_is_made_changed_and_deleted_as_azure_does() {
    let plane = Plane::stocked().await;
    let ask = put(
        "/apis/new;rev=1",
        json!({ "path": "/a/b", "displayName": "New", "subscriptionKeyParameterNames": { "header": "X-Key" }, "protocols": ["http"] }),
    );
    let created = plane.expect(ask.header("if-match", "*"), 201).await;
    let properties = created.properties();
    assert_eq!(created.json()["name"], "new");
    for (name, value) in [
        ("path", json!("a/b")),
        ("provisioningState", json!("Succeeded")),
        ("protocols", json!(["http"])),
        ("type", json!("http")),
        ("apiRevision", json!("1")),
        ("isCurrent", json!(true)),
        ("subscriptionRequired", json!(true)),
        (
            "subscriptionKeyParameterNames",
            json!({ "header": "X-Key", "query": null }),
        ),
    ] {
        assert_eq!(properties[name], value, "{name}");
    }
    let changed = plane
        .expect(
            put("/apis/new;rev=1", json!({ "subscriptionRequired": false })),
            200,
        )
        .await
        .properties();
    assert_eq!(changed["path"], "a/b");
    assert!(changed.get("provisioningState").is_none());
    let taken = plane
        .expect(put("/apis/other", json!({ "path": "a/b/" })), 400)
        .await;
    assert_eq!(taken.targets(), ["path"]);
    let names = json!({ "path": "c", "subscriptionKeyParameterNames": { "header": "not a name", "query": 5 } });
    let names = plane.expect(put("/apis/other", names), 400).await;
    assert_eq!(
        names.targets(),
        [
            "subscriptionKeyParameterNames.query",
            "subscriptionKeyParameterNames.header"
        ]
    );
    plane
        .expect(
            put(
                "/subscriptions/s",
                json!({ "scopes": ["/apis/new", "/apis"] }),
            ),
            201,
        )
        .await;
    assert_eq!(
        plane.expect(delete("/apis/new"), 400).await.targets(),
        ["s"]
    );
    plane
        .expect(delete("/apis/new").query("deleteSubscriptions=true"), 204)
        .await;
    assert_eq!(
        plane
            .expect(get("/subscriptions/s"), 200)
            .await
            .properties()["scopes"],
        json!([format!("{BASE}/apis")])
    );
    plane.expect(delete("/apis/new"), 204).await;
}

#[tokio::test]
async fn master_is_there_and_cannot_be_made_again() {
    let plane = Plane::empty().await;
    let master = plane
        .expect(get("/subscriptions/master"), 200)
        .await
        .properties();
    assert_eq!(
        (
            master["scope"].as_str().unwrap(),
            master["state"].as_str().unwrap()
        ),
        (&*format!("{BASE}/"), "active")
    );
    plane
        .expect(
            post(
                "/subscriptions/master/rotate",
                &json!({ "slot": "primary" }),
            ),
            200,
        )
        .await;
    plane
        .expect(
            patch(
                "/subscriptions/master",
                json!({ "displayName": "M", "state": "suspended" }),
            ),
            200,
        )
        .await;
    plane.expect(delete("/subscriptions/master"), 200).await;
    let again = plane
        .expect(put("/subscriptions/master", json!({ "scope": "/" })), 400)
        .await;
    assert_eq!(again.targets(), ["scope"]);
}

#[tokio::test]
async fn audit_tells_who_changed_what_and_never_a_key() {
    let plane = Plane::stocked().await;
    let created = plane
        .expect(
            put(
                "/subscriptions/a",
                json!({ "displayName": "A", "scope": "/products/starter" }),
            ),
            201,
        )
        .await;
    plane
        .expect(
            patch("/subscriptions/a", json!({ "displayName": "B" })),
            200,
        )
        .await;
    plane
        .expect(
            put("/subscriptions/b", json!({ "scope": "/products/none" })),
            400,
        )
        .await;
    plane
        .expect(
            put("/products/p", json!({ "displayName": "P" })).by(JANE),
            403,
        )
        .await;
    let events = plane.expect(get("/auditEvents").query("$top=3"), 200).await;
    for name in ["primaryKey", "secondaryKey"] {
        assert!(
            !events
                .text
                .contains(created.properties()[name].as_str().unwrap())
        );
    }
    let events = events.json();
    let [forbidden, refused, renamed] =
        [0, 1, 2].map(|at| events["value"][at]["properties"].clone());
    assert_eq!(
        forbidden["caller"],
        json!({ "role": "owner", "id": "jane" })
    );
    assert_eq!(
        [&forbidden["outcome"], &forbidden["code"]],
        ["refused", "Forbidden"]
    );
    assert_eq!(
        [&refused["operation"], &refused["outcome"], &refused["code"]],
        ["create", "refused", "ValidationError"]
    );
    assert_eq!(renamed["record"], format!("{BASE}/subscriptions/a"));
    assert_eq!(
        [&renamed["versionBefore"], &renamed["versionAfter"]],
        [&json!(1), &json!(2)]
    );
    assert_eq!(
        renamed["changes"],
        json!([{ "field": "displayName", "before": "A", "after": "B" }])
    );
    assert!(
        events["nextLink"]
            .as_str()
            .unwrap()
            .starts_with("http://example.test:3100/subscriptions/")
    );

    let count = async |filter: &str| {
        let filter = filter.replace(' ', "%20");
        plane
            .expect(get("/auditEvents").query(&format!("$filter={filter}")), 200)
            .await
            .json()["count"]
            .clone()
    };
    assert_eq!(count("record eq '/subscriptions/a'").await, 2);
    assert_eq!(count("record eq 'a' and operation eq 'update'").await, 1);
    assert_eq!(count("outcome eq 'refused' and caller eq 'jane'").await, 1);
    assert_eq!(
        count("time ge '2000-01-01T00:00:00Z' and time lt '2001-01-01T00:00:00Z'").await,
        0
    );
    for filter in [
        "colour eq 'x'",
        "record ne 'x'",
        "outcome eq 'odd'",
        "record eq 'a' or record eq 'b'",
    ] {
        let filter = filter.replace(' ', "%20");
        let refused = plane
            .expect(get("/auditEvents").query(&format!("$filter={filter}")), 400)
            .await;
        assert_eq!(refused.targets(), ["$filter"]);
    }
}
