//! Settings that cannot work: told when asked for, and never a way in.

use http::StatusCode;
use tower_subscription_key::catalog::Api;
use tower_subscription_key::{
    BoxStore, ConfigError, DenialReason, KeySource, MemoryStore, SubscriptionKeyLayer, Unmatched,
};

use crate::support::{KEY, Slow, catalog, definitions, get, keyed, layer, send};

type KeyLayer = SubscriptionKeyLayer<BoxStore>;

/// Each error's name, its sentence, and a layer that has it.
fn broken() -> Vec<(&'static str, &'static str, KeyLayer)> {
    let whole = || SubscriptionKeyLayer::new(BoxStore::new(MemoryStore::new(catalog())));
    let keys = || SubscriptionKeyLayer::new(BoxStore::new(Slow::new()));
    vec![
        (
            "KeyName",
            "\"X Key\" is not a header name",
            whole().header("X Key"),
        ),
        (
            "KeyName",
            "a query parameter needs a name",
            whole().query(""),
        ),
        (
            "NoSource",
            "there is no place to take a key from",
            whole().sources([]),
        ),
        (
            "UnusedName",
            "a header name is set, but the key sources have no `KeySource::header()`",
            whole().header("X-Key").sources([KeySource::query()]),
        ),
        (
            "UnusedName",
            "a query name is set, but the key sources have no `KeySource::query()`",
            whole().sources([KeySource::header()]).query("key"),
        ),
        (
            "Challenge",
            "is not an authentication scheme",
            whole().challenge_scheme("Api Key"),
        ),
        (
            "Challenge",
            "has control characters",
            whole().realm("a\r\nb"),
        ),
        (
            "UnknownApi",
            "the catalog has no API \"nope\", which the layer is set to",
            whole().api("nope"),
        ),
        ("NoApis", "the store knows keys but no APIs", keys()),
        (
            "TwoCatalogs",
            "the store brings its own APIs and products",
            whole().catalog(definitions().build().unwrap()),
        ),
        (
            "TwoCatalogs",
            "the store brings its own APIs and products",
            whole().single_api(Api::new("orders", "")),
        ),
        (
            "Catalog",
            "an id must not contain",
            keys().single_api(Api::new("a/b", "")),
        ),
        (
            "KeyName",
            "is not a header name",
            whole().header("X Key").header("X-Mended").realm("\n"),
        ),
    ]
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
fn a_check_tells_each_in_a_sentence() {
    for (name, sentence, layer) in broken() {
        let error = layer.check().unwrap_err();
        assert_eq!(name_of(&error), name);
        assert!(error.to_string().contains(sentence), "{error}");
    }
    assert!(layer().check().is_ok());
}

#[tokio::test]
async fn unchecked_they_let_nobody_in_and_say_503() {
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
            assert!(!body.contains("config"), "the client is told nothing of it");
        }
    }
}

#[tokio::test]
async fn an_api_that_is_taken_away_while_it_serves_lets_nobody_in() {
    let store = MemoryStore::new(catalog());
    let layer = SubscriptionKeyLayer::new(store.clone())
        .api("lax")
        .check()
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
