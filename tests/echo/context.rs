//! What the inner service sees, and which access a request has.

use super::process::Echo;
use super::*;

#[test]
fn answer_is_compact_json_in_the_order_of_the_contract() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let answer = echo.get(
        "/echo/resource?a=1",
        &[(HEADER, PRIMARY), ("Accept", "*/*")],
    );
    let body = format!(
        r#"{{"method":"GET","path":"/echo/resource","query":"a=1","headers":{{"accept":["*/*"],"connection":["close"],"host":["api.example:81"],"ocp-apim-subscription-key":["{PRIMARY}"]}},"access":{{"api":"echo","product":"starter","subscription":"contoso","key":"primary","scope":"/products/starter","owner":"jane@contoso.example"}}}}"#
    ) + "\n";
    assert_eq!(answer.body, body);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}",
        body.len()
    );
    assert_eq!(answer.head, head);
}

#[test]
fn access_follows_the_rules() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let anonymous_weather = "weather trial - - - -";
    for (path, key, access) in [
        (
            "/echo",
            PRIMARY,
            "echo starter contoso primary /products/starter jane@contoso.example",
        ),
        (
            "/echo",
            SECONDARY,
            "echo starter contoso secondary /products/starter jane@contoso.example",
        ),
        ("/echo", "all-apis", "echo - all-apis primary /apis -"),
        (
            "/echo/deep",
            "all-apis",
            "deep - all-apis primary /apis/deep -",
        ),
        ("/echo/deep/", "master", "deep - master primary / -"),
        ("/echo", "rotated-in", "echo - rotated secondary / -"),
        (
            "/weather",
            "rain",
            "weather trial rain primary /products/trial -",
        ),
        ("/weather", "master", "weather - master primary / -"),
        ("/weather", "", anonymous_weather),
        ("/weather", PRIMARY, anonymous_weather),
        ("/weather", "suspended", anonymous_weather),
        ("/weather", "unknown", anonymous_weather),
        ("/status", "all-apis", "status - all-apis primary /apis -"),
        ("/status", "", "status - - - - -"),
        ("/status", PRIMARY, "status - - - - -"),
    ] {
        let answer = echo.get(path, &[(HEADER, key)]);
        assert_eq!(answer.access(), access, "{path} {key:?}");
    }
    assert_eq!(echo.get("/weather", &[]).access(), anonymous_weather);
}

#[test]
fn path_is_matched_byte_by_byte() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    for (path, status) in [
        ("/echo", 200),
        ("/echo/", 200),
        ("/echo//x", 200),
        ("/echo/../weather", 401),
        ("/echoes", 401),
        ("/Echo", 401),
        ("/%65cho", 401),
        ("//echo", 401),
        ("/./echo", 401),
        ("/", 401),
        ("*", 401),
    ] {
        let method = if path == "*" { "OPTIONS" } else { "GET" };
        let answer = echo.ask(method, path, &[(HEADER, PRIMARY)]);
        assert_eq!(answer.status(), status, "{path}");
        if status == 401 {
            assert_eq!(answer.body, INVALID, "{path}");
        }
    }
}

#[test]
fn request_with_any_method_is_allowed() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
    ] {
        assert_eq!(echo.ask(method, "/status", &[]).seen()["method"], method);
        assert_eq!(echo.ask(method, "/echo", &[]).status(), 401, "{method}");
    }
    let answer = echo.ask("HEAD", "/status", &[]);
    assert_eq!((answer.status(), &*answer.body), (200, ""));
}

#[test]
fn header_values_that_are_not_text_keep_their_order() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let answer = echo.send(b"GET /status?%ff+? HTTP/1.1\r\nHost: h\r\nX-A: 2\r\nX-B: \xff\r\nx-a: 1\r\nConnection: close\r\n\r\n");
    let seen = answer.seen();
    assert_eq!(seen["query"], "%ff+?");
    assert_eq!(seen["headers"]["x-a"], serde_json::json!(["2", "1"]));
    assert_eq!(seen["headers"]["x-b"], serde_json::json!(["\u{fffd}"]));
}

/// More than the socket buffers hold: the client is still sending when the
/// response arrives.
#[test]
fn denied_client_that_still_sends_can_read_the_answer() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let body = "x".repeat(8 << 20);
    for (path, status) in [("/status", 200), ("/echo", 401)] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(echo.send(request).status(), status, "{path}");
    }
}

#[test]
fn denied_client_that_expects_100_continue_is_denied_before_the_body() {
    let echo = Echo::with_catalog(CATALOG, &[]);
    let headers = [("Content-Length", "5"), ("Expect", "100-continue")];
    let answer = echo.ask("POST", "/echo", &headers);
    assert_eq!((answer.status(), &*answer.body), (401, MISSING));
}

#[test]
fn wrong_key_for_an_open_api_with_the_flag_is_denied() {
    let echo = Echo::with_catalog(CATALOG, &["--inapplicable-key", "deny"]);
    for path in ["/weather", "/status"] {
        for key in [PRIMARY, "unknown", "suspended"] {
            let answer = echo.get(path, &[(HEADER, key)]);
            assert_eq!(
                (answer.status(), &*answer.body),
                (401, INVALID),
                "{path} {key}"
            );
        }
        for headers in [&[][..], &[(HEADER, "")], &[(HEADER, "master")]] {
            assert_eq!(echo.get(path, headers).status(), 200, "{path} {headers:?}");
        }
        let twice = [(HEADER, "master"), (HEADER, "master")];
        assert_eq!(echo.get(path, &twice).body, INVALID);
    }
    let echo = Echo::with_catalog(CATALOG, &["--inapplicable-key=ignore"]);
    assert_eq!(echo.get("/status", &[(HEADER, "unknown")]).status(), 200);
}

#[test]
fn unknown_path_with_the_flag_passes_without_access() {
    let echo = Echo::with_catalog(CATALOG, &["--unmatched", "pass"]);
    for headers in [&[][..], &[(HEADER, "master")], &[(HEADER, "unknown")]] {
        let answer = echo.get("/nowhere", headers);
        assert!(answer.body.trim_end().ends_with(
            r#""access":{"api":null,"product":null,"subscription":null,"key":null,"scope":null,"owner":null}}"#
        ));
    }
    assert_eq!(echo.get("/echo", &[]).status(), 401);
}

#[test]
fn http_2_without_tls_is_served() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};

    let echo = Echo::with_catalog(CATALOG, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ask = async |key: &str| {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let long = "x".repeat(100_000);
        let request = http::Request::get(format!("http://{}/echo", echo.address))
            .header(HEADER, key)
            .header("x-long", long);
        let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
        let answer = client.request(request).await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        let status = answer.status().as_u16();
        (
            status,
            answer.into_body().collect().await.unwrap().to_bytes(),
        )
    };
    let (status, body) = runtime.block_on(ask("wrong"));
    assert_eq!((status, &body[..]), (401, INVALID.as_bytes()));
    assert_eq!(runtime.block_on(ask(PRIMARY)).0, 200);
}
