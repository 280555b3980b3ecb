//! The settings of what a refused client gets, and of what an outer layer may read.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use tower_subscription_key::DenialReason;
use tower_subscription_key::catalog::KeySlot;
use tower_subscription_key::response::{ProblemJson, Rejection, RejectionContext};

use crate::support::{HEADER, INVALID, KEY, MISSING, get, keyed, layer, send, with};

#[tokio::test]
async fn a_denial_is_azures_to_the_byte() {
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
async fn other_forms_can_be_chosen() {
    let problem = send(&layer().format(ProblemJson), get("/guarded")).await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    let parsed: serde_json::Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!(parsed["status"], 401);
    problem.denied();

    let own = layer().format(|context: &RejectionContext<'_>| {
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

    let bare = layer().format(|_: &RejectionContext<'_>| Response::new(Bytes::new()));
    let answer = send(&bare, get("/guarded")).await;
    assert!(answer.headers.is_empty());
    assert_eq!(answer.refused(StatusCode::OK), "");
}

#[tokio::test]
async fn realm_and_scheme_can_be_set() {
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
async fn grpc_is_answered_in_its_own_protocol_whatever_the_format() {
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
async fn an_outer_layer_can_read_the_denial() {
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
