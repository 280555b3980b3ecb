//! Paths that a service behind the layer could read as a path of another API.

use http::StatusCode;
use tower_subscription_key::access::Decision;
use tower_subscription_key::access::{Question, decide};
use tower_subscription_key::catalog::{Api, Catalog, Scope, Subscription};
use tower_subscription_key::{Access, DenialReason, MemoryStore, SubscriptionKeyLayer, Unmatched};

use crate::preflights::preflight;
use crate::support::{INVALID, KEY, MISSING, get, keyed, send, with};

/// `open` needs no key, and every key grants access to `private`.
fn keys() -> SubscriptionKeyLayer<MemoryStore> {
    SubscriptionKeyLayer::new(MemoryStore::new(catalog()))
}

fn catalog() -> Catalog {
    let open = |id: &str, path: &str| Api::new(id, path).with_subscription_required(false);
    Catalog::builder()
        .api(open("status", "/status"))
        .api(open("files", "/files"))
        .api(Api::new("private", "/private"))
        .api(Api::new("secret", "/files/secret"))
        .subscription(
            Subscription::new("contoso")
                .with_scope(Scope::Service)
                .with_primary_key(KEY),
        )
        .build()
        .unwrap()
}

const AMBIGUOUS: [&str; 8] = [
    "/priv%61te/x",
    "//private/x",
    "/./private/x",
    "/status/../private",
    "/files//secret/x",
    "/files/%73ecret",
    "\\private",
    "/private/../x",
];

#[tokio::test]
async fn ambiguous_path_with_any_key_and_settings_is_denied() {
    let layer = keys().denial_extension(true).unmatched(Unmatched::Pass);
    let layer = layer.pass_preflights(true);
    for path in AMBIGUOUS {
        let Ok(uri) = path.parse::<http::Uri>() else {
            assert_eq!(path, "\\private", "no request has this path");
            continue;
        };
        let uri = uri.to_string();
        for (request, body) in [
            (get(&uri), MISSING),
            (keyed(&uri, KEY), INVALID),
            (preflight(&uri), MISSING),
        ] {
            let answer = send(&layer, request).await;
            let denial = answer.denial.clone().unwrap();
            assert_eq!(denial.reason(), DenialReason::AmbiguousPath, "{path}");
            assert!(denial.api().is_none());
            assert_eq!(answer.denied(), body, "{path}");
        }
        let request = with(&uri, &[("host", "api.example")]);
        let answer = send(&layer, request).await;
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains(r#"realm="https://api.example/""#),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn path_with_equal_readings_is_decided_normally() {
    for (path, api) in [
        ("/status/..%20x", "status"),
        ("/files/a%20b", "files"),
        ("/files/a//b/./c", "files"),
        ("/files/secret/x/%2e%2e/y", "secret"),
    ] {
        let access: Access = send(&keys(), keyed(path, KEY)).await.access();
        assert_eq!(access.api().id(), api, "{path}");
    }
    let layer = keys().unmatched(Unmatched::Pass);
    let answer = send(&layer, get("/none//%61")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[test]
fn question_for_an_ambiguous_path_is_denied() {
    for path in AMBIGUOUS {
        let question = Question::for_path(catalog(), path);
        match decide(question) {
            Decision::Deny(denial) => {
                assert_eq!(denial.reason(), DenialReason::AmbiguousPath, "{path}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}
