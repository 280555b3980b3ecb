use serde_json::{Value, json};

use crate::support::{Ask, JANE, Plane, get, patch, put};

const STATES: [&str; 6] = [
    "active",
    "suspended",
    "submitted",
    "rejected",
    "cancelled",
    "expired",
];

/// A subscription of Jane's in the given state.
async fn janes(plane: &Plane, id: &str, state: &str) {
    let properties = json!({ "displayName": id, "scope": "/products/starter", "ownerId": "jane", "state": state });
    plane
        .expect(put(&format!("/subscriptions/{id}"), properties), 201)
        .await;
}

#[tokio::test]
async fn state_publisher_sets_any_from_any() {
    let plane = Plane::stocked().await;
    for from in STATES {
        for to in STATES {
            let id = format!("{from}-{to}");
            janes(&plane, &id, from).await;
            let ask = patch(
                &format!("/subscriptions/{id}"),
                json!({ "state": to.to_uppercase(), "stateComment": "because" }),
            );
            let set = plane.expect(ask, 200).await.properties();
            assert_eq!(
                (&set["state"], &set["stateComment"]),
                (&json!(to), &json!("because")),
                "{id}"
            );
            let ended = matches!(to, "cancelled" | "expired");
            assert!(!ended || set["endDate"].is_string(), "{id}: {set}");
            assert!(
                to != "active" || (set["startDate"].is_string() && set["endDate"].is_null()),
                "{id}: {set}"
            );
        }
    }
}

#[tokio::test]
async fn state_owner_cancels_what_may_be_cancelled_and_sets_no_other() {
    let plane = Plane::stocked().await;
    for from in STATES {
        for to in STATES.into_iter().filter(|to| *to != from) {
            let id = format!("{from}-{to}");
            janes(&plane, &id, from).await;
            let reply = plane
                .send(patch(&format!("/subscriptions/{id}"), json!({ "state": to })).by(JANE))
                .await;
            let cancels = to == "cancelled";
            let expected = match from {
                "active" | "suspended" | "submitted" if cancels => 200,
                _ if cancels => 400,
                _ => 403,
            };
            assert_eq!(reply.status, expected, "{id}: {}", reply.text);
            let state = if expected == 200 { to } else { from };
            assert_eq!(plane.state_of(&id).await, state, "{id}");
            if expected == 400 {
                assert_eq!(reply.targets(), ["state"]);
                assert!(
                    reply.text.contains(from) && reply.text.contains("cancelled"),
                    "{}",
                    reply.text
                );
            }
        }
    }
}

#[tokio::test]
async fn state_expired_by_date_is_revived_by_a_new_date_only() {
    let plane = Plane::stocked().await;
    let properties = json!({ "scope": "/products/starter", "state": "active", "expirationDate": "2020-01-01T00:00:00Z" });
    plane.expect(put("/subscriptions/a", properties), 201).await;
    assert_eq!(plane.state_of("a").await, "expired");
    let listed = plane
        .expect(
            get("/subscriptions").query("$filter=state%20eq%20'expired'"),
            200,
        )
        .await;
    assert_eq!(listed.names(), ["a"]);
    let set = |properties: Value| patch("/subscriptions/a", properties);
    let refused = plane.expect(set(json!({ "state": "active" })), 400).await;
    assert_eq!(refused.targets(), ["expirationDate"]);
    plane
        .expect(
            set(json!({ "expirationDate": "2099-01-01T00:00:00Z" })),
            200,
        )
        .await;
    assert_eq!(plane.state_of("a").await, "active");
    plane
        .expect(
            set(json!({ "expirationDate": "2020-01-01T00:00:00Z" })),
            200,
        )
        .await;
    plane
        .expect(
            set(json!({ "state": "active", "expirationDate": null })),
            200,
        )
        .await;
    assert_eq!(plane.state_of("a").await, "active");
}

#[tokio::test]
async fn state_of_a_new_subscription_follows_its_maker_and_product() {
    let plane = Plane::stocked().await;
    let make = |id: &str, product: &str, terms: bool| {
        put(
            &format!("/subscriptions/{id}"),
            json!({ "displayName": id, "scope": format!("/products/{product}"), "termsAccepted": terms }),
        )
    };
    let state = async |ask: Ask| {
        plane.expect(ask, 201).await.properties()["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(state(make("a", "starter", false)).await, "submitted");
    assert_eq!(state(make("b", "starter", false).by(JANE)).await, "active");
    let refused = plane
        .expect(make("c", "approved", false).by(JANE), 400)
        .await;
    assert_eq!(refused.targets(), ["termsAccepted"]);
    let accepted = plane
        .expect(make("c", "approved", true).by(JANE), 201)
        .await
        .properties();
    assert_eq!(accepted["state"], "submitted");
    assert!(accepted["termsAcceptedDate"].is_string());
}
