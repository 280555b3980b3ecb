//! Settings that cannot work are reported, and every request is denied.

use http::StatusCode;
use tower_subscription_key::catalog::Api;
use tower_subscription_key::{
    BoxStore, ConfigError, DenialReason, KeySource, MemoryStore, SubscriptionKeyLayer, Unmatched,
};

use crate::support::{KEY, Slow, catalog, definitions, get, keyed, layer, send};

type KeyLayer = SubscriptionKeyLayer<BoxStore>;

/// The error's name, its message, and a layer with settings that cannot work.
fn broken() -> Vec<(&'static str, &'static str, KeyLayer)> {
    let whole = || SubscriptionKeyLayer::new(BoxStore::new(MemoryStore::new(catalog())));
    let keys = || SubscriptionKeyLayer::new(BoxStore::new(Slow::new()));
    vec![
        (
            "UnusedName",
            "a header name is set, but no key source uses it: add `KeySource::header()`",
            whole()
                .header("X-Key")
                .and_then(|layer| layer.sources([KeySource::query()]))
                .unwrap(),
        ),
        (
            "UnusedName",
            "a query name is set, but no key source uses it: add `KeySource::query()`",
            whole()
                .sources([KeySource::header()])
                .and_then(|layer| layer.query("key"))
                .unwrap(),
        ),
        (
            "UnknownApi",
            "the layer is set to API \"nope\", which the catalog does not have",
            whole().api("nope"),
        ),
        ("NoApis", "the store knows keys but no APIs", keys()),
        (
            "TwoCatalogs",
            "the store has its own APIs and products",
            whole().catalog(definitions().build().unwrap()),
        ),
        (
            "TwoCatalogs",
            "the store has its own APIs and products",
            whole().single_api(Api::new("orders", "")).unwrap(),
        ),
    ]
}

#[test]
fn setter_with_an_invalid_value_returns_the_error() {
    for (name, sentence, result) in [
        (
            "KeyName",
            "\"X Key\" is not a header name",
            layer().header("X Key"),
        ),
        (
            "KeyName",
            "the header \"Host\" cannot carry a key",
            layer().header("Host"),
        ),
        (
            "KeyName",
            "the query parameter has an empty name",
            layer().query(""),
        ),
        ("NoSource", "there is no key source", layer().sources([])),
        (
            "Challenge",
            "is not an authentication scheme",
            layer().challenge_scheme("Api Key"),
        ),
        (
            "Challenge",
            "contains control characters",
            layer().realm("a\r\nb"),
        ),
        ("Catalog", "a/b", layer().single_api(Api::new("a/b", ""))),
    ] {
        let error = result.unwrap_err();
        assert_eq!(name_of(&error), name);
        assert!(error.to_string().contains(sentence), "{error}");
    }
}

fn name_of(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::KeyName(_) => "KeyName",
        ConfigError::NoSource => "NoSource",
        ConfigError::UnusedName { .. } => "UnusedName",
        ConfigError::Challenge(_) => "Challenge",
        ConfigError::UnknownApi { .. } => "UnknownApi",
        ConfigError::NoApis => "NoApis",
        ConfigError::TwoCatalogs => "TwoCatalogs",
        ConfigError::Catalog(_) => "Catalog",
        _ => "another",
    }
}

#[test]
fn validate_reports_settings_that_cannot_work() {
    for (name, sentence, layer) in broken() {
        let error = layer.validate().unwrap_err();
        assert_eq!(name_of(&error), name);
        assert!(error.to_string().contains(sentence), "{error}");
    }
    assert!(layer().validate().is_ok());
}

#[tokio::test]
async fn layer_that_was_not_validated_denies_every_request_with_503() {
    for (name, _, layer) in broken() {
        let layer = layer.denial_extension(true).pass_preflights(true);
        let layer = layer.unmatched(Unmatched::Pass);
        for request in [
            keyed("/guarded", KEY),
            get("/lax"),
            get("/none"),
            get("/given"),
        ] {
            let answer = send(&layer, request).await;
            let denial = answer.denial.clone().unwrap();
            assert_eq!(denial.reason(), DenialReason::Misconfigured, "{name}");
            assert!(answer.headers.contains_key("retry-after"));
            let body = answer.refused(StatusCode::SERVICE_UNAVAILABLE);
            assert!(
                !body.contains("config"),
                "the client does not see the cause"
            );
        }
    }
}

#[tokio::test]
async fn api_that_is_removed_while_serving_denies_every_request() {
    let store = MemoryStore::new(catalog());
    let layer = SubscriptionKeyLayer::new(store.clone())
        .api("lax")
        .validate()
        .unwrap();
    send(&layer, get("/")).await.passed();
    assert_eq!(store.remove_api("lax"), Ok(true));
    send(&layer, get("/"))
        .await
        .refused(StatusCode::SERVICE_UNAVAILABLE);
    store
        .put_api(Api::new("lax", "/lax").with_subscription_required(false))
        .unwrap();
    send(&layer, get("/")).await.passed();
}
