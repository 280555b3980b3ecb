//! Stripping the key, and keeping it.

use super::process::Echo;
use super::*;

#[test]
fn key_by_default_is_kept() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let query = format!("c=1&subscription-key={PRIMARY}&b=%61");
    let seen = echo.get(&format!("/echo?{query}"), &[]).seen();
    assert_eq!(seen["query"], query);
    let seen = echo.get("/echo", &[(HEADER, PRIMARY)]).seen();
    assert_eq!(seen["headers"]["ocp-apim-subscription-key"][0], PRIMARY);
    assert!(seen["query"].is_null());
}

#[test]
fn query_after_stripping_lacks_only_the_key() {
    let echo = Echo::with_catalog(CATALOG, &["--strip"]);
    let key = format!("subscription-key={PRIMARY}");
    for (query, left) in [
        (format!("c=1&{key}&b=%61"), Some("c=1&b=%61")),
        (key.clone(), None),
        (format!("{key}&"), None),
        (format!("&{key}&&a"), Some("&&a")),
        (format!("a=%zz&{key}&+=;"), Some("a=%zz&+=;")),
        (format!("%73ubscription-key={PRIMARY}&x"), Some("x")),
        (
            format!("Subscription-Key=1&{key}"),
            Some("Subscription-Key=1"),
        ),
    ] {
        let seen = echo.get(&format!("/echo?{query}"), &[]).seen();
        assert_eq!(seen["query"].as_str(), left, "{query}");
    }
    for query in ["", "&&", "a&b"] {
        let seen = echo.get(&format!("/weather?{query}"), &[]).seen();
        assert_eq!(seen["query"], query);
    }
}

#[test]
fn key_names_that_apply_are_stripped_even_if_unused() {
    let echo = Echo::with_catalog(CATALOG, &["--strip"]);
    let lower = "ocp-apim-subscription-key";
    for target in [
        format!("/echo?subscription-key={PRIMARY}&a=1"),
        "/weather?a=1&subscription-key=x&subscription-key=y".to_owned(),
        "/status?subscription-key&a=1".to_owned(),
    ] {
        let seen = echo.get(&target, &[(HEADER, PRIMARY)]).seen();
        assert_eq!(seen["query"], "a=1", "{target}");
        assert!(seen["headers"].get(lower).is_none(), "{target}");
    }
}

#[test]
fn default_names_for_an_api_with_other_names_are_kept() {
    let echo = Echo::with_catalog(CATALOG, &["--strip"]);
    let headers = [("X-Api-Key", PRIMARY), (HEADER, "other")];
    let seen = echo
        .get("/named?subscription-key=b&api+key=c", &headers)
        .seen();
    assert_eq!(seen["query"], "subscription-key=b");
    assert!(seen["headers"].get("x-api-key").is_none());
    assert_eq!(seen["headers"]["ocp-apim-subscription-key"][0], "other");
}

#[test]
fn default_names_for_an_unmatched_path_are_stripped() {
    let echo = Echo::with_catalog(CATALOG, &["--strip", "--unmatched=pass"]);
    let seen = echo
        .get("/nowhere?subscription-key=b&a=1", &[(HEADER, PRIMARY)])
        .seen();
    assert_eq!(seen["query"], "a=1");
    assert!(seen["headers"].get("ocp-apim-subscription-key").is_none());
}
