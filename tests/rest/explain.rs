use serde_json::json;

use crate::support::{JANE, Plane, get, post, put};

#[tokio::test]
async fn explain_names_the_obstacle_and_its_cure_and_never_the_key() {
    let plane = Plane::stocked().await;
    let made = put(
        "/subscriptions/a",
        json!({ "displayName": "A", "scope": "/products/starter", "state": "suspended" }),
    );
    let key = plane.expect(made, 201).await.properties()["secondaryKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let explain = |body| post("/explain", &body);
    let by_key = plane
        .expect(explain(json!({ "path": "/echo/x", "key": key })), 200)
        .await;
    let by_id = plane
        .expect(
            explain(json!({ "api": "echo;rev=1", "subscription": "a", "slot": "Secondary" })),
            200,
        )
        .await;
    for reply in [by_key, by_id] {
        let explanation = reply.json();
        for (name, value) in [
            ("outcome", "denied"),
            ("told", "invalid"),
            ("reason", "inactive"),
            ("api", "echo"),
            ("subscription", "a"),
            ("slot", "secondary"),
        ] {
            assert_eq!(explanation[name], value, "{name}");
        }
        assert!(explanation["scope"].is_null() && explanation["product"].is_null());
        assert!(explanation["steps"][0]["holds"].is_boolean());
        assert!(!explanation["cures"].as_array().unwrap().is_empty());
        assert!(!reply.text.contains(&key));
    }
    let without = plane
        .expect(
            explain(json!({ "path": "/nowhere", "unmatched": "pass" })),
            200,
        )
        .await
        .json();
    assert_eq!(without["outcome"], "unmatched");
    let master = plane
        .expect(
            explain(json!({ "api": "echo", "subscription": "master" })),
            200,
        )
        .await
        .json();
    assert_eq!([&master["outcome"], &master["scope"]], ["access", "/"]);
    let later = json!({ "api": "echo", "subscription": "master", "at": "2099-01-01T00:00:00Z", "inapplicableKey": "deny" });
    plane.expect(explain(later), 200).await;
}

#[tokio::test]
async fn explain_wrong_questions_are_refused() {
    let plane = Plane::stocked().await;
    for (body, targets) in [
        (json!({}), &["path"][..]),
        (json!({ "path": "/a", "api": "echo" }), &["path"]),
        (
            json!({ "path": "/a", "key": "k", "subscription": "master" }),
            &["key"],
        ),
        (
            json!({ "path": "/a", "subscription": "none" }),
            &["subscription"],
        ),
        (
            json!({ "path": 5, "slot": "third", "at": "soon", "unmatched": "maybe", "inapplicableKey": 1 }),
            &["path", "slot", "inapplicableKey", "unmatched", "at"],
        ),
    ] {
        assert_eq!(
            plane.expect(post("/explain", &body), 400).await.targets(),
            targets,
            "{body}"
        );
    }
    plane
        .expect(post("/explain", &json!({})).by(JANE), 403)
        .await;
    plane.expect(get("/explain"), 405).await;
}
