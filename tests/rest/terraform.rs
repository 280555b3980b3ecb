//! The calls of Terraform's azurerm provider, as it makes them.

use serde_json::json;

use crate::support::{Ask, BASE, Plane, get};

fn raw(method: &str, path: &str) -> Ask {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Ask::new(
        method,
        &format!("raw:{BASE}{path}?api-version=2022-08-01&{query}"),
    )
}

#[tokio::test]
async fn terraform_sequence_creates_reads_and_deletes() {
    let plane = Plane::empty().await;
    // azurerm_api_management_product
    plane.expect(raw("GET", "/products/starter"), 404).await;
    let product = json!({ "properties": { "description": "", "displayName": "Starter", "state": "published", "subscriptionRequired": true, "terms": "", "approvalRequired": false, "subscriptionsLimit": 5 } });
    plane
        .expect(raw("PUT", "/products/starter").json(&product), 201)
        .await;
    let read = plane
        .expect(raw("GET", "/products/starter"), 200)
        .await
        .properties();
    assert_eq!(
        [&read["subscriptionsLimit"], &read["state"]],
        [&json!(5), &json!("published")]
    );

    // azurerm_api_management_api
    plane.expect(raw("GET", "/apis/echo;rev=1"), 404).await;
    let api = json!({ "properties": { "type": "http", "apiType": "http", "description": "", "displayName": "Echo", "path": "echo", "protocols": ["https"], "serviceUrl": "", "subscriptionKeyParameterNames": { "header": "Ocp-Apim-Subscription-Key", "query": "subscription-key" }, "subscriptionRequired": true, "apiVersion": "", "apiRevisionDescription": "" } });
    let made = plane
        .expect(
            raw("PUT", "/apis/echo;rev=1")
                .header("if-match", "*")
                .json(&api),
            201,
        )
        .await;
    assert_eq!(made.properties()["provisioningState"], "Succeeded");
    plane.expect(raw("GET", "/apis/echo;rev=1"), 200).await;

    // azurerm_api_management_product_api
    plane
        .expect(raw("HEAD", "/products/starter/apis/echo"), 404)
        .await;
    plane
        .expect(raw("PUT", "/products/starter/apis/echo"), 201)
        .await;
    plane
        .expect(raw("HEAD", "/products/starter/apis/echo"), 204)
        .await;

    // azurerm_api_management_subscription, twice at the same time under one product
    let create = async |id: &str| {
        plane
            .expect(raw("GET", &format!("/subscriptions/{id}")), 404)
            .await;
        let body = json!({ "properties": { "displayName": id, "scope": format!("{BASE}/products/starter"), "state": "active", "allowTracing": true } });
        let path = format!("/subscriptions/{id}?appType=developerPortal&notify=false");
        plane.expect(raw("PUT", &path).json(&body), 201).await;
        let read = plane
            .expect(raw("GET", &format!("/subscriptions/{id}")), 200)
            .await
            .properties();
        assert_eq!(
            [&read["scope"], &read["state"], &read["allowTracing"]],
            [
                &json!(format!("{BASE}/products/starter")),
                &json!("active"),
                &json!(true)
            ]
        );
        plane
            .expect(
                raw("POST", &format!("/subscriptions/{id}/listSecrets")),
                200,
            )
            .await;
    };
    tokio::join!(
        create("one"),
        create("two"),
        create("three"),
        create("four")
    );

    // An update names everything again.
    let update = json!({ "properties": { "displayName": "renamed", "scope": "/apis", "state": "suspended", "allowTracing": false } });
    plane
        .expect(
            raw(
                "PUT",
                "/subscriptions/one?appType=developerPortal&notify=false",
            )
            .json(&update),
            200,
        )
        .await;
    let read = plane
        .expect(raw("GET", "/subscriptions/one"), 200)
        .await
        .properties();
    assert_eq!(
        [&read["displayName"], &read["state"], &read["scope"]],
        [
            &json!("renamed"),
            &json!("suspended"),
            &json!(format!("{BASE}/apis"))
        ]
    );

    for id in ["one", "two", "three", "four"] {
        plane
            .expect(raw("DELETE", &format!("/subscriptions/{id}")), 200)
            .await;
        plane
            .expect(raw("GET", &format!("/subscriptions/{id}")), 404)
            .await;
    }
    plane
        .expect(raw("DELETE", "/products/starter/apis/echo"), 200)
        .await;
    plane
        .expect(
            raw("DELETE", "/products/starter?deleteSubscriptions=true"),
            200,
        )
        .await;
    plane
        .expect(raw("DELETE", "/apis/echo;rev=1?deleteRevisions=true"), 204)
        .await;
    assert_eq!(
        plane.expect(get("/products"), 200).await.names(),
        Vec::<String>::new()
    );
}
