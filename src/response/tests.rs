#![allow(clippy::unwrap_used)]

use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::catalog::Api;
use crate::key::{Place, default_names};

const REJECTIONS: [Rejection; 3] = [
    Rejection::MissingKey,
    Rejection::InvalidKey,
    Rejection::Unavailable,
];

const CHALLENGE: &str = r#"AzureApiManagementKey realm="https://api.example/echo",name="Ocp-Apim-Subscription-Key",type="header""#;

fn answer_to(
    settings: &ResponseSettings,
    rejection: Rejection,
    content_type: Option<&'static str>,
) -> Response<Bytes> {
    let mut request = Request::get("/echo/resource?subscription-key=K")
        .header(HOST, "api.example")
        .header("ocp-apim-subscription-key", "K")
        .header("x-twice", "1")
        .header("x-twice", "2");
    if let Some(value) = content_type {
        request = request.header(CONTENT_TYPE, value);
    }
    render_to(settings, rejection, &request.body(()).unwrap())
}

fn render_to(
    settings: &ResponseSettings,
    rejection: Rejection,
    request: &Request<()>,
) -> Response<Bytes> {
    render(RejectionContext {
        rejection,
        settings,
        headers: &mut request.headers().clone(),
        uri: request.uri(),
        api: Some(&Api::new("echo", "/echo")),
        key_place: Place::Header(default_names().header),
    })
}

fn with_format(format: impl RejectionFormat) -> ResponseSettings {
    ResponseSettings {
        format: Arc::new(format),
        ..ResponseSettings::default()
    }
}

/// All headers, so that one too many is seen as well.
fn headers_of(response: &Response<Bytes>) -> Vec<(&str, &str)> {
    let pairs = response.headers().iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect()
}

#[test]
fn azure_json_is_exact_to_the_byte() {
    let settings = ResponseSettings::default();
    let challenge = ("www-authenticate", CHALLENGE);
    for (rejection, status, header, len, body) in [
        (
            Rejection::MissingKey,
            401,
            challenge,
            152,
            r#"{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }"#,
        ),
        (
            Rejection::InvalidKey,
            401,
            challenge,
            143,
            r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }"#,
        ),
        (
            Rejection::Unavailable,
            503,
            ("retry-after", "5"),
            95,
            r#"{ "statusCode": 503, "message": "The subscription key could not be checked. Try again later." }"#,
        ),
    ] {
        let response = answer_to(&settings, rejection, Some("application/json"));
        assert_eq!(response.status(), status);
        let content_type = ("content-type", "application/json");
        assert_eq!(headers_of(&response), [content_type, header]);
        assert_eq!(response.body(), body);
        assert_eq!(response.body().len(), len);
    }
}

/// Names that a [`HeaderMap`] for a thousand headers puts into one place. After as many
/// as here it hashes with random keys.
fn colliding_names() -> impl Iterator<Item = HeaderName> {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    // The names that `http` does not know are hashed after a one.
    let start = 1u64.to_le_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    let names = (0..).map(|number| format!("x-secret-{number}"));
    let names = names.filter(move |name| name.as_bytes().iter().fold(start, fnv) % 2048 == 7);
    names.take(300).map(|name| name.parse().unwrap())
}

#[test]
fn response_contains_no_header_of_the_request() {
    let many = (0..500).map(|number| format!("x-secret-{number}").parse().unwrap());
    for names in [
        many.collect::<Vec<HeaderName>>(),
        colliding_names().collect(),
    ] {
        let mut request = Request::get("/echo").body(()).unwrap();
        request.headers_mut().reserve(1000);
        for name in names {
            let value = HeaderValue::from_static("secret");
            request.headers_mut().append(&name, value.clone());
            request.headers_mut().append(name, value);
        }
        for rejection in REJECTIONS {
            let response = render_to(&ResponseSettings::default(), rejection, &request);
            assert_eq!(response.headers().len(), 2);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            assert!(!format!("{response:?}").contains("secret"));
        }
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let response = render_to(&ResponseSettings::default(), REJECTIONS[0], &request);
        assert_eq!(response.headers().len(), 3);
        assert!(!format!("{response:?}").contains("secret"));
    }
}

#[test]
fn realm_contains_the_host_that_the_request_names() {
    let settings = ResponseSettings::default();
    let realm_of = |target: &'static str, host: Option<&'static str>| {
        let mut request = Request::get(target);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let request = request.body(()).unwrap();
        let response = render_to(&settings, Rejection::InvalidKey, &request);
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        challenge.split('"').nth(1).unwrap().to_owned()
    };
    for (target, host, realm) in [
        ("/", Some("api.example"), "https://api.example/echo"),
        ("/", Some("api.examplf"), "https://api.examplf/echo"),
        ("/", Some("API.example"), "https://API.example/echo"),
        ("/", Some("api.example:1"), "https://api.example:1/echo"),
        ("/", Some("me:pw@api.example"), "https://api.example/echo"),
        ("/", Some("you:pw@api.example"), "https://api.example/echo"),
        ("/", Some("api example"), "/echo"),
        ("/", Some(""), "/echo"),
        ("/", None, "/echo"),
        (
            "http://b.example/",
            Some("a.example"),
            "https://b.example/echo",
        ),
        ("http://me@b.example/", None, "https://b.example/echo"),
    ] {
        assert_eq!(realm_of(target, host), realm, "{target} {host:?}");
    }
}

#[test]
fn problem_json_is_a_problem_with_the_same_message() {
    let settings = with_format(ProblemJson);
    for (rejection, title, header) in [
        (
            Rejection::MissingKey,
            "Unauthorized",
            ("www-authenticate", CHALLENGE),
        ),
        (
            Rejection::InvalidKey,
            "Unauthorized",
            ("www-authenticate", CHALLENGE),
        ),
        (
            Rejection::Unavailable,
            "Service Unavailable",
            ("retry-after", "5"),
        ),
    ] {
        let response = answer_to(&settings, rejection, None);
        assert_eq!(response.status(), rejection.status());
        let content_type = ("content-type", "application/problem+json");
        assert_eq!(headers_of(&response), [content_type, header]);
        assert_eq!(
            serde_json::from_slice::<Value>(response.body()).unwrap(),
            json!({
                "type": "about:blank",
                "title": title,
                "status": rejection.status().as_u16(),
                "detail": rejection.message(),
            })
        );
    }
}

#[test]
fn rejection_body_contains_its_message_and_status() {
    for rejection in REJECTIONS {
        let response = answer_to(&ResponseSettings::default(), rejection, None);
        assert_eq!(
            serde_json::from_slice::<Value>(response.body()).unwrap(),
            json!({ "statusCode": rejection.status().as_u16(), "message": rejection.message() })
        );
    }
}

#[test]
fn grpc_request_with_any_format_is_denied_in_grpc() {
    for settings in [ResponseSettings::default(), with_format(ProblemJson)] {
        for content_type in ["application/grpc+proto", "APPLICATION/GRPC-WEB"] {
            for (rejection, status) in [
                (Rejection::MissingKey, "16"),
                (Rejection::InvalidKey, "16"),
                (Rejection::Unavailable, "14"),
            ] {
                let response = answer_to(&settings, rejection, Some(content_type));
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(
                    headers_of(&response),
                    [
                        ("content-type", content_type),
                        ("grpc-status", status),
                        ("grpc-message", rejection.message()),
                    ]
                );
                assert!(response.body().is_empty());
            }
        }
    }
}

#[test]
fn retry_after_is_the_configured_time() {
    let settings = ResponseSettings {
        retry_after: Duration::from_millis(29_001),
        ..ResponseSettings::default()
    };
    let response = answer_to(&settings, Rejection::Unavailable, None);
    assert_eq!(response.headers()[RETRY_AFTER], "30");
}

#[test]
fn closure_as_a_format_makes_the_whole_response() {
    let settings = with_format(|context: RejectionContext<'_>| {
        assert_eq!(context.rejection(), Rejection::InvalidKey);
        assert_eq!(context.challenge().unwrap(), CHALLENGE);
        assert_eq!(context.retry_after_value(), None);
        assert_eq!(context.retry_after(), Duration::from_secs(5));
        assert_eq!(context.request_headers()[HOST], "api.example");
        assert_eq!(context.uri().path(), "/echo/resource");
        let mut response = Response::new(Bytes::from_static(b"mine"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    });
    let response = answer_to(&settings, Rejection::InvalidKey, None);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    assert_eq!(response.body(), "mine");
}

#[test]
fn debug_omits_the_request() {
    let settings = with_format(|context: RejectionContext<'_>| {
        assert_eq!(
            format!("{context:?}"),
            "RejectionContext { rejection: MissingKey, .. }"
        );
        Response::default()
    });
    answer_to(&settings, Rejection::MissingKey, None);
}
