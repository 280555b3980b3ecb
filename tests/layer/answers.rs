//! Rejections and their settings, and what an outer layer can read.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use tower_subscription_key::catalog::KeySlot;
use tower_subscription_key::response::{ProblemJson, Rejection, RejectionContext};
use tower_subscription_key::{DenialReason, KeySource};

use crate::support::{HEADER, INVALID, KEY, MISSING, get, keyed, layer, send, with};

#[tokio::test]
async fn denial_by_default_equals_the_response_of_azure() {
    for (request, body, length) in [
        (with("/guarded", &[("host", "h")]), MISSING, 152),
        (
            with("/guarded", &[("host", "h"), (HEADER, "x")]),
            INVALID,
            143,
        ),
    ] {
        let answer = send(&layer(), request).await;
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(
            answer.header("www-authenticate"),
            r#"AzureApiManagementKey realm="https://h/guarded",name="Ocp-Apim-Subscription-Key",type="header""#
        );
        assert_eq!((answer.body.as_str(), answer.body.len()), (body, length));
        assert!(answer.denial.is_none(), "not unless it is set");
        assert_eq!(answer.denied(), body);
    }
}

#[tokio::test]
async fn denial_with_another_format_has_its_content_type() {
    let problem = send(&layer().format(ProblemJson), get("/guarded")).await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    let parsed: serde_json::Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!(parsed["status"], 401);
    problem.denied();

    let own = layer().format(|context: RejectionContext<'_>| {
        assert_eq!(context.rejection(), Rejection::InvalidKey);
        let text = HeaderValue::from_static("text/plain");
        let mut response = context.response(text, "no");
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    });
    let answer = send(&own, keyed("/guarded", "wrong")).await;
    assert_eq!(answer.header("content-type"), "text/plain");
    assert!(answer.headers.contains_key("www-authenticate"));
    assert_eq!(answer.refused(StatusCode::NOT_FOUND), "no");

    let bare = layer().format(|_: RejectionContext<'_>| Response::new(Bytes::new()));
    let answer = send(&bare, get("/guarded")).await;
    assert!(answer.headers.is_empty());
    assert_eq!(answer.refused(StatusCode::OK), "");
}

#[tokio::test]
async fn challenge_with_custom_realm_and_scheme_contains_both() {
    let layer = layer()
        .realm("our \"APIs\"")
        .unwrap()
        .challenge_scheme("ApiKey")
        .unwrap();
    let answer = send(&layer.validate().unwrap(), get("/guarded")).await;
    assert_eq!(
        answer.header("www-authenticate"),
        r#"ApiKey realm="our \"APIs\"",name="Ocp-Apim-Subscription-Key",type="header""#
    );
}

#[tokio::test]
async fn grpc_request_with_any_format_is_denied_in_grpc() {
    let layer = layer().format(ProblemJson).denial_extension(true);
    let call = with(
        "/guarded/Method",
        &[("content-type", "application/grpc+proto"), (HEADER, "x")],
    );
    let answer = send(&layer, call).await;
    assert_eq!(answer.header("grpc-status"), "16");
    assert_eq!(answer.header("content-type"), "application/grpc+proto");
    assert_eq!(
        answer.denial.as_ref().unwrap().reason(),
        DenialReason::UnknownKey
    );
    assert_eq!(answer.refused(StatusCode::OK), "");
}

#[tokio::test]
async fn denial_for_an_outer_layer_is_in_the_extensions() {
    let layer = layer().denial_extension(true);
    let denial = send(&layer, keyed("/lax/x", KEY)).await;
    assert!(denial.denial.is_none(), "it was let in");
    let inapplicable = tower_subscription_key::InapplicableKey::Deny;
    let layer = layer.inapplicable_key(inapplicable);
    let denial = send(&layer, keyed("/lax/x", KEY)).await.denial.unwrap();
    assert_eq!(denial.reason(), DenialReason::OutOfScope);
    assert_eq!(denial.api().unwrap().id(), "lax");
    assert_eq!(denial.subscription().unwrap().id(), "contoso");
    assert_eq!(denial.key_slot(), Some(KeySlot::Primary));
    assert!(denial.key_presented());
    let denial = send(&layer, get("/none")).await.denial.unwrap();
    assert_eq!(denial.reason(), DenialReason::NoSuchApi);
    assert!(!denial.key_presented() && denial.subscription().is_none());
}

#[tokio::test]
async fn rejection_of_any_kind_has_the_header_of_the_key_marked_sensitive() {
    use crate::support::{Slow, slow_layer};
    fn shows_headers(context: RejectionContext<'_>) -> Response<Bytes> {
        assert!(context.request_headers()[HEADER].is_sensitive());
        let text = HeaderValue::from_static("text/plain");
        let shown = format!("{:?}", context.request_headers());
        context.response(text, shown)
    }
    let down = slow_layer(&Slow::broken()).format(shows_headers);
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    for (body, status) in [
        (
            send(&layer().format(shows_headers), keyed("/guarded/x", "wrong")).await,
            StatusCode::UNAUTHORIZED,
        ),
        (
            send(&layer().format(shows_headers), keyed("/none", KEY)).await,
            StatusCode::UNAUTHORIZED,
        ),
        (
            send(&layer().format(shows_headers).api("nope"), keyed("/", KEY)).await,
            unavailable,
        ),
        (send(&down, keyed("/guarded", KEY)).await, unavailable),
    ] {
        let body = body.refused(status);
        assert!(body.contains("Sensitive") && !body.contains(KEY), "{body}");
    }
}

#[tokio::test]
async fn challenge_for_keys_in_authorization_has_their_scheme() {
    let bearer = layer().sources([KeySource::bearer()]).unwrap();
    let answer = send(&bearer, get("/guarded")).await;
    let expected = r#"Bearer realm="/guarded",name="Authorization",type="header""#;
    assert_eq!(answer.header("www-authenticate"), expected);
    let set = bearer.challenge_scheme("ApiKey").unwrap();
    let answer = send(&set, get("/guarded")).await;
    assert!(
        answer
            .header("www-authenticate")
            .starts_with("ApiKey realm=")
    );
}

#[tokio::test]
async fn key_without_a_checksum_is_rejected_without_a_lookup() {
    use crate::support::{Slow, slow_layer};
    use tower_subscription_key::key;
    let store = Slow::new();
    let layer = slow_layer(&store)
        .generated_keys_only(true)
        .denial_extension(true);
    let generated = key::generate_prefixed("app").unwrap();
    let mut mistyped = generated.expose().to_owned();
    mistyped.pop();
    for (text, asked, reason) in [
        (generated.expose(), 1, DenialReason::UnknownKey),
        (&*mistyped, 0, DenialReason::MalformedKey),
        (KEY, 0, DenialReason::MalformedKey),
        ("", 0, DenialReason::EmptyKey),
    ] {
        let answer = send(&layer, keyed("/guarded", text)).await;
        assert_eq!(answer.denial.unwrap().reason(), reason, "{text}");
        assert_eq!(store.asked(), asked, "{text}");
    }
}

#[tokio::test]
async fn denial_extension_without_a_subscriber_has_the_hint() {
    let layer = layer().denial_extension(true);
    for (key, hinted) in [("a, b", true), ("a b", false)] {
        let denial = send(&layer, keyed("/guarded", key)).await.denial.unwrap();
        assert_eq!(denial.to_string().contains("comma"), hinted, "{denial}");
    }
}
