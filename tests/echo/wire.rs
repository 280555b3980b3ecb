//! The exact bytes that a denied client gets.

use super::process::{Answer, Echo};
use super::*;

fn denial(body: &str, realm: &str, name: &str) -> Answer {
    Answer {
        head: format!(
            "HTTP/1.1 401 Unauthorized\r\n\
             content-type: application/json\r\n\
             www-authenticate: AzureApiManagementKey realm=\"{realm}\",name=\"{name}\",type=\"header\"\r\n\
             connection: close\r\n\
             content-length: {}",
            body.len()
        ),
        body: body.to_owned(),
    }
}

#[test]
fn denial_bodies_have_the_lengths_of_the_contract() {
    assert_eq!((MISSING.len(), INVALID.len()), (152, 143));
}

#[test]
fn denial_names_the_reason_and_the_key_location() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    for (target, realm, name) in [
        ("/echo", "https://api.example:81/echo", HEADER),
        ("/echo/resource?a=1", "https://api.example:81/echo", HEADER),
        ("/echo/deep/x", "https://api.example:81/echo/deep", HEADER),
        ("/named", "https://api.example:81/named", "X-Api-Key"),
        ("/nowhere", "https://api.example:81/", HEADER),
        ("http://h.example/echo/x", "https://h.example/echo", HEADER),
    ] {
        let answer = echo.get(target, &[]);
        assert_eq!(answer, denial(MISSING, realm, name), "{target}");
        let answer = echo.get(target, &[(name, "wrong")]);
        assert_eq!(answer, denial(INVALID, realm, name), "{target}");
    }
    let realm = "https://api.example:81/echo";
    let answer = echo.get("/echo?subscription-key=wrong", &[]);
    assert_eq!(answer, denial(INVALID, realm, HEADER));
    let answer = echo.get("/named?api+key=wrong", &[]);
    let realm = "https://api.example:81/named";
    assert_eq!(answer, denial(INVALID, realm, "X-Api-Key"));
}

#[test]
fn realm_without_a_host_is_the_path() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let answer = echo.send("GET /echo HTTP/1.0\r\n\r\n");
    assert!(
        answer.head.starts_with("HTTP/1.0 401 Unauthorized\r\n"),
        "{answer:?}"
    );
    assert!(answer.head.contains("realm=\"/echo\""), "{answer:?}");
}

#[test]
fn request_target_without_a_slash_is_not_repeated() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    for target in ["subscription-key=K", "echo&subscription-key=K"] {
        let answer = echo.get(target, &[]);
        let realm = "https://api.example:81/";
        assert_eq!(answer, denial(MISSING, realm, HEADER), "{target}");
    }
}

#[test]
fn denial_of_any_wrong_key_has_the_same_bytes() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let unknown = echo.get("/echo", &[(HEADER, "unknown")]);
    let long = "k".repeat(257);
    for key in [
        "suspended",
        "submitted",
        "rejected",
        "cancelled",
        "expired",
        "past",
        "future",
        "rotated-out",
        "rain",
        &long,
        &PRIMARY.to_uppercase(),
        &format!("{PRIMARY},{PRIMARY}"),
    ] {
        assert_eq!(echo.get("/echo", &[(HEADER, key)]), unknown, "{key}");
    }
    let twice = [(HEADER, PRIMARY), (HEADER, PRIMARY)];
    assert_eq!(echo.get("/echo", &twice), unknown);
    let twice = format!("/echo?subscription-key={PRIMARY}&subscription-key={PRIMARY}");
    assert_eq!(echo.get(&twice, &[]), unknown);
}

#[test]
fn key_header_even_if_empty_precedes_the_query() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let good_query = format!("/echo?subscription-key={PRIMARY}");
    for (header, body) in [("", MISSING), ("  ", MISSING), ("wrong", INVALID)] {
        let answer = echo.get(&good_query, &[(HEADER, header)]);
        assert_eq!((answer.status(), &*answer.body), (401, body), "{header:?}");
    }
    let answer = echo.get("/echo?subscription-key=wrong", &[(HEADER, PRIMARY)]);
    assert_eq!(answer.status(), 200);
    let answer = echo.get("/echo?subscription-key=", &[]);
    assert_eq!((answer.status(), &*answer.body), (401, MISSING));
}

#[test]
fn key_is_trimmed_in_headers_and_decoded_in_queries() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let encoded: String = PRIMARY.bytes().map(|b| format!("%{b:02x}")).collect();
    let padded = format!(" \t {PRIMARY} \t");
    assert_eq!(echo.get("/echo", &[(HEADER, &padded)]).status(), 200);
    for (target, status) in [
        (format!("/echo?subscription-key={encoded}"), 200),
        (format!("/echo?subscription%2Dkey={PRIMARY}"), 200),
        (format!("/named?api+key={PRIMARY}"), 200),
        (format!("/named?api%20key={PRIMARY}"), 200),
        (format!("/named?subscription-key={PRIMARY}"), 401),
        (format!("/echo?Subscription-Key={PRIMARY}"), 401),
        (format!("/echo?a=1;subscription-key={PRIMARY}"), 401),
        (format!("/echo?subscription-key=+{PRIMARY}"), 401),
    ] {
        assert_eq!(echo.get(&target, &[]).status(), status, "{target}");
    }
}

#[test]
fn grpc_denial_is_trailers_only() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    for content_type in ["application/grpc", "application/grpc-web+proto"] {
        let headers = [("Content-Type", content_type), (HEADER, "wrong")];
        let answer = echo.ask("POST", "/echo", &headers);
        let expected = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ngrpc-status: 16\r\n\
             grpc-message: Access denied due to invalid subscription key. Make sure to provide a \
             valid key for an active subscription.\r\nconnection: close\r\ncontent-length: 0"
        );
        assert_eq!(answer.head, expected);
        assert_eq!(answer.body, "");
    }
}

#[test]
fn long_queries_and_heads_reach_the_layer() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let longest = 65_534 - "/echo?".len();
    let query = "a".repeat(longest);
    let answer = echo.get(&format!("/echo?{query}"), &[]);
    let realm = "https://api.example:81/echo";
    assert_eq!(answer, denial(MISSING, realm, HEADER));

    let key = format!("&subscription-key={PRIMARY}");
    let rest = &query[key.len()..];
    let answer = echo.get(&format!("/echo?{rest}{key}"), &[]);
    assert_eq!(answer.seen()["query"], format!("{rest}{key}"));

    let long = "x".repeat(500_000);
    let answer = echo.get("/weather", &[("X-Long", &long)]);
    assert_eq!(answer.seen()["headers"]["x-long"][0], long);
    let many = vec![("X-Many", "x"); 500];
    let answer = echo.get("/weather", &many);
    assert_eq!(
        answer.seen()["headers"]["x-many"].as_array().unwrap().len(),
        500
    );
}
