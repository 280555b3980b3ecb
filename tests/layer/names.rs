//! Which names carry a key: those of the layer, of the API, or the defaults.

use std::borrow::Cow;

use http::Request;
use tower_subscription_key::{KeySource, MemoryStore, SubscriptionKeyLayer};

use crate::support::{Answer, HEADER, INVALID, KEY, MISSING, get, keyed, layer, send, with};

async fn opens(layer: &SubscriptionKeyLayer<MemoryStore>, request: Request<()>) -> bool {
    let answer = send(layer, request).await;
    if answer.seen.is_none() {
        assert_eq!(answer.denied(), MISSING, "another name does not count");
        return false;
    }
    assert!(answer.access().subscription().is_some());
    true
}

#[tokio::test]
async fn key_name_of_the_layer_precedes_the_api_and_the_api_precedes_the_default() {
    let query = |path: &str, name: &str| get(&format!("{path}?a=1&{name}={KEY}"));
    for (layer_header, layer_query) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let mut layer = layer();
        if layer_header {
            layer = layer.header("X-Layer-Key").unwrap();
        }
        if layer_query {
            layer = layer.query("layer_key").unwrap();
        }
        for (path, api_header, api_query) in [
            ("/guarded", HEADER, "subscription-key"),
            ("/own", "X-Own-Key", "own_key"),
        ] {
            let header = if layer_header {
                "X-Layer-Key"
            } else {
                api_header
            };
            for name in [HEADER, "X-Own-Key", "X-Layer-Key"] {
                let request = with(path, &[(name, KEY)]);
                assert_eq!(
                    opens(&layer, request).await,
                    name == header,
                    "{path} {name}"
                );
            }
            let own_query = if layer_query { "layer_key" } else { api_query };
            for name in ["subscription-key", "own_key", "layer_key"] {
                let request = query(path, name);
                assert_eq!(
                    opens(&layer, request).await,
                    name == own_query,
                    "{path} {name}"
                );
            }
        }
    }
}

#[tokio::test]
async fn denied_client_gets_the_effective_key_name_as_configured() {
    let challenged = async |layer: &SubscriptionKeyLayer<MemoryStore>, uri: &str| {
        let answer = send(layer, with(uri, &[("host", "api.example:8080")])).await;
        answer.header("www-authenticate").to_owned()
    };
    let challenge = |path: &str, name: &str, kind: &str| {
        format!(
            r#"AzureApiManagementKey realm="https://api.example:8080{path}",name="{name}",type="{kind}""#
        )
    };
    let layer = layer();
    for uri in ["/guarded/x", "/guarded?subscription-key=wrong"] {
        assert_eq!(
            challenged(&layer, uri).await,
            challenge("/guarded", HEADER, "header")
        );
    }
    assert_eq!(
        challenged(&layer, "/own").await,
        challenge("/own", "X-Own-Key", "header")
    );
    assert_eq!(
        challenged(&layer, "/none").await,
        challenge("/", HEADER, "header")
    );
    let named = layer
        .clone()
        .header("x-LAYER-key")
        .unwrap()
        .query("q")
        .unwrap();
    assert_eq!(
        challenged(&named, "/own").await,
        challenge("/own", "x-LAYER-key", "header")
    );
    let query = layer.clone().sources([KeySource::query()]).unwrap();
    assert_eq!(
        challenged(&query, "/own").await,
        challenge("/own", "own_key", "query")
    );
    let bearer = layer
        .clone()
        .sources([KeySource::bearer(), KeySource::header()])
        .unwrap();
    assert_eq!(
        challenged(&bearer, "/guarded").await,
        challenge("/guarded", HEADER, "header")
    );
    let cookie = layer.sources([KeySource::cookie("k").unwrap()]).unwrap();
    assert_eq!(
        challenged(&cookie, "/guarded").await,
        challenge("/guarded", "k", "cookie")
    );
}

#[tokio::test]
async fn layer_clone_has_independent_settings() {
    let first = layer();
    let second = first
        .clone()
        .header("X-Second-Key")
        .unwrap()
        .strip_key(true)
        .api("own");
    assert!(opens(&first, keyed("/guarded", KEY)).await);
    assert!(!opens(&first, with("/guarded", &[("X-Second-Key", KEY)])).await);
    let passed = send(
        &second,
        with("/elsewhere", &[("X-Second-Key", KEY), (HEADER, "kept")]),
    )
    .await;
    let seen = passed.passed();
    assert!(!seen.headers.contains_key("X-Second-Key"));
    assert_eq!(seen.headers[HEADER], "kept");
    assert_eq!(send(&first, get("/elsewhere")).await.denied(), MISSING);
}

#[tokio::test]
async fn first_present_key_source_decides() {
    let layer = layer()
        .sources([
            KeySource::bearer(),
            KeySource::cookie("k").unwrap(),
            KeySource::header(),
            KeySource::query(),
        ])
        .unwrap();
    let good = format!("/guarded?subscription-key={KEY}");
    let bearer = format!("bEaReR {KEY}");
    let cookie = format!("a=1; k={KEY}");
    for (headers, expected) in [
        (&[][..], None),
        (&[("authorization", &*bearer), (HEADER, "wrong")], None),
        (&[("authorization", "Basic x"), ("cookie", &*cookie)], None),
        (&[("cookie", "k=wrong"), (HEADER, KEY)], Some(INVALID)),
        (&[("authorization", "Bearer"), (HEADER, KEY)], Some(MISSING)),
        (&[(HEADER, "wrong")], Some(INVALID)),
        (&[(HEADER, "")], Some(MISSING)),
        (&[(HEADER, KEY), (HEADER, KEY)], Some(INVALID)),
    ] {
        let answer: Answer = send(&layer, with(&good, headers)).await;
        match expected {
            None => assert!(answer.access().subscription().is_some()),
            Some(expected) => assert_eq!(answer.denied(), expected, "{headers:?}"),
        }
    }
}

#[tokio::test]
async fn api_is_found_by_path_by_name_or_by_a_custom_rule() {
    let api_of = async |layer: &SubscriptionKeyLayer<MemoryStore>, request| {
        send(layer, request).await.access().api().id().to_owned()
    };
    let fixed = layer().api("lax");
    assert_eq!(api_of(&fixed, get("/guarded")).await, "lax");
    assert_eq!(api_of(&fixed, get("*")).await, "lax");
    let by_path = layer();
    assert_eq!(send(&by_path, get("/guarded")).await.denied(), MISSING);
    assert_eq!(api_of(&by_path, get("/given/x")).await, "given");
    for path in [
        "/Guarded",
        "/%67uarded",
        "//guarded",
        "/guardedx",
        "/x/../guarded",
    ] {
        let answer = send(&by_path.clone().denial_extension(true), keyed(path, KEY)).await;
        assert_eq!(answer.denial.unwrap().api(), None, "{path}");
    }

    let by_rule = layer().api_by(|request| {
        assert!(!format!("{request:?}").contains(KEY));
        assert!(request.uri().query().is_some());
        let host = request.headers().get("host")?.to_str().ok()?;
        match (request.method().as_str(), request.extensions().get::<u8>()) {
            ("GET", None) => Some(host.to_owned().into()),
            ("GET", Some(_)) => Some(Cow::Borrowed("given")),
            _ => None,
        }
    });
    let request = || with("/own?x", &[("host", "lax"), (HEADER, KEY)]);
    assert_eq!(api_of(&by_rule, request()).await, "lax");
    let mut extended = request();
    extended.extensions_mut().insert(1u8);
    assert_eq!(api_of(&by_rule, extended).await, "given");
    let mut unknown = request();
    *unknown.method_mut() = http::Method::POST;
    assert_eq!(send(&by_rule, unknown).await.denied(), INVALID);
    let no_such_id = with("/own?x", &[("host", "nobody"), (HEADER, KEY)]);
    assert_eq!(send(&by_rule, no_such_id).await.denied(), INVALID);
}
