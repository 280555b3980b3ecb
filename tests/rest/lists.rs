use serde_json::json;

use crate::support::{BASE, Plane, delete, get, put};

async fn names(plane: &Plane, path: &str, query: &str) -> Vec<String> {
    plane
        .expect(
            get(path).query(&query.replace(' ', "%20").replace('\'', "%27")),
            200,
        )
        .await
        .names()
}

#[tokio::test]
async fn list_pages_follow_each_other_to_the_end() {
    let plane = Plane::stocked().await;
    for n in 0..25 {
        plane.subscription(&format!("s{n:02}"), "active").await;
    }
    let mut found = Vec::new();
    let mut path = "/subscriptions".to_owned();
    let mut query = "$top=10&$filter=name%20ne%20'master'".to_owned();
    loop {
        let page = plane.expect(get(&path).query(&query), 200).await;
        let json = page.json();
        assert_eq!(json["count"], 25);
        found.extend(page.names());
        let next = json["nextLink"].as_str().unwrap();
        let Some(next) = next.strip_prefix("http://example.test:3100") else {
            assert_eq!(next, "");
            break;
        };
        path = format!("raw:{next}");
        query.clear();
    }
    let mut sorted = found.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!((found.len(), &found), (25, &sorted));
    let far = plane
        .expect(get("/subscriptions").query("$skip=1000"), 200)
        .await
        .json();
    assert_eq!(
        (&far["value"], &far["nextLink"], &far["count"]),
        (&json!([]), &json!(""), &json!(26))
    );
}

#[tokio::test]
async fn list_pages_miss_nothing_while_records_come_and_go() {
    let plane = Plane::stocked().await;
    for id in ["a", "b", "c", "d", "e"] {
        plane.subscription(id, "active").await;
    }
    let mut found = Vec::new();
    let mut query = "$top=2".to_owned();
    let mut path = "/subscriptions".to_owned();
    for (expected, meanwhile) in [
        (&["a", "b"][..], delete("/subscriptions/a")),
        (
            &["c", "d"],
            put("/subscriptions/aa", json!({ "scope": "/apis" })),
        ),
        (&["e", "master"], delete("/subscriptions/c")),
    ] {
        let page = plane.expect(get(&path).query(&query), 200).await;
        assert_eq!(page.names(), expected);
        found.extend(page.names());
        let next = page.json()["nextLink"].as_str().unwrap().to_owned();
        plane.send(meanwhile).await;
        path = next.replacen("http://example.test:3100", "raw:", 1);
        query.clear();
    }
    assert_eq!(path, "");
    // The audit trail has its newest entries first: new ones move no page.
    let first = plane.expect(get("/auditEvents").query("$top=3"), 200).await;
    plane.subscription("f", "active").await;
    let next = first.json()["nextLink"].as_str().unwrap().to_owned();
    let next = next.replacen("http://example.test:3100", "raw:", 1);
    let second = plane.expect(get(&next).query(""), 200).await;
    let all = plane
        .expect(get("/auditEvents").query("$skip=1&$top=6"), 200)
        .await;
    assert_eq!([first.names(), second.names()].concat(), all.names());
}

#[tokio::test]
async fn list_paging_out_of_range_is_refused() {
    let plane = Plane::stocked().await;
    for query in ["$top=0", "$top=1001", "$top=x", "$skip=-1", "%24skip=x"] {
        let refused = plane.expect(get("/products").query(query), 400).await;
        assert_eq!(
            refused.targets()[0],
            query.split('=').next().unwrap().replace("%24", "$")
        );
    }
}

#[tokio::test]
async fn list_filters_find_what_they_say() {
    let plane = Plane::stocked().await;
    for (id, properties) in [
        (
            "a",
            json!({ "displayName": "Alpha", "scope": "/products/starter", "ownerId": "jane", "state": "active" }),
        ),
        (
            "b",
            json!({ "displayName": "Beta's", "scope": "/apis/echo", "ownerId": "john", "stateComment": "why" }),
        ),
        (
            "c",
            json!({ "displayName": "alphabet", "scopes": ["/apis/orders", "/products/starter"], "state": "cancelled" }),
        ),
    ] {
        plane
            .expect(put(&format!("/subscriptions/{id}"), properties), 201)
            .await;
    }
    for (filter, expected) in [
        ("name eq 'a'", vec!["a"]),
        ("displayName eq 'alpha'", vec![]),
        ("displayName eq 'Beta''s'", vec!["b"]),
        ("contains(displayName,'lpha')", vec!["a", "c"]),
        (
            "startswith(displayName,'alpha') or endswith(displayName,'s')",
            vec!["b", "c"],
        ),
        ("substringof('eta', displayName)", vec!["b"]),
        ("state eq 'ACTIVE' and name ne 'master'", vec!["a"]),
        ("state eq 'submitted'", vec!["b"]),
        (
            "(ownerId eq 'jane' or ownerId eq '/users/john') and state eq 'active'",
            vec!["a"],
        ),
        ("userId eq 'PLACE/users/john'", vec!["b"]),
        ("scope eq '/products/starter'", vec!["a", "c"]),
        ("scope eq 'PLACE/apis/echo;rev=3'", vec!["b"]),
        ("productId eq 'starter' and name gt 'a'", vec!["c"]),
        ("stateComment eq 'why'", vec!["b"]),
        ("name ge 'b' and name le 'c'", vec!["b", "c"]),
        ("name lt 'b'", vec!["a"]),
    ] {
        let query = format!("$filter={}", filter.replace("PLACE", BASE));
        assert_eq!(
            names(&plane, "/subscriptions", &query).await,
            expected,
            "{filter}"
        );
    }
    assert_eq!(
        names(&plane, "/products", "$filter=contains(displayName,'tart')").await,
        ["starter"]
    );
    assert_eq!(
        names(&plane, "/apis", "%24filter=name eq 'echo'").await,
        ["echo"]
    );
    assert_eq!(
        names(
            &plane,
            "/products/starter/subscriptions",
            "$filter=name ne 'a'"
        )
        .await,
        ["c"]
    );
    assert_eq!(
        names(&plane, "/products/starter/apis", "$filter=name eq 'echo'").await,
        ["echo"]
    );
    assert_eq!(names(&plane, "/users/jane/subscriptions", "").await, ["a"]);
    assert_eq!(
        names(&plane, "/users/nobody/subscriptions", "").await,
        Vec::<String>::new()
    );
    plane.expect(get("/users/jane/subscriptions/a"), 200).await;
    plane.expect(get("/users/jane/subscriptions/b"), 404).await;
    plane.expect(get("/products/none/subscriptions"), 404).await;
}

#[tokio::test]
async fn list_filter_unknown_or_broken_is_refused() {
    let plane = Plane::stocked().await;
    for (path, filter) in [
        ("/subscriptions", "colour eq 'x'"),
        ("/subscriptions", "name eq"),
        ("/subscriptions", "name eq 'x' and"),
        ("/subscriptions", "state gt 'a'"),
        ("/products", "ownerId eq 'x'"),
        ("/apis", "("),
    ] {
        let query = format!("$filter={}", filter.replace(' ', "%20"));
        let refused = plane.expect(get(path).query(&query), 400).await;
        assert_eq!(
            (refused.code(), refused.targets()),
            ("ValidationError".to_owned(), vec!["$filter".to_owned()]),
            "{filter}"
        );
    }
}
