use std::time::{Duration, SystemTime};

use super::*;
use tower_subscription_key::catalog::{
    Api, KeySlot, Product, Scope, State, Subscription, SubscriptionKey,
};
use tower_subscription_key::key::{KeyDigest, KeyHeader, KeyQuery};

const TOML: &str = r#"
[[apis]]
id = "echo"                    # 1..256 characters, none of * # & + : < > ? /
display_name = "Echo API"      # optional
path = "/echo"                 # URL prefix on segment borders; the longest prefix wins. "" takes everything
subscription_required = true   # default true
key_names = { header = "X-Api-Key", query = "api_key" }   # each optional
metadata = { tier = "public" }                            # free

[[products]]
id = "starter"
display_name = "Starter"
apis = ["echo"]
subscription_required = true   # default true; false makes it an open product
published = false              # default true; no effect on access
metadata = { calls_per_minute = 5 }

[[subscriptions]]
id = "contoso"
display_name = "Contoso"
scope = "/products/starter"    # or: scopes = ["/products/starter", "/apis/orders"]
owner = "jane@contoso.example" # absent: standalone
state = "active"               # default active
primary_key = "264a41411c0b43e782f483eb6f3eaeab"          # a string is the key itself
secondary_key = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", expires_at = "2027-01-01T00:00:00Z" }
not_before = "2026-01-01T00:00:00Z"
expires_at = "2027-06-30T00:00:00Z"
"#;

const JSON: &str = r#"{
  "apis": [{
    "id": "echo", "display_name": "Echo API", "path": "/echo", "subscription_required": true,
    "key_names": { "header": "X-Api-Key", "query": "api_key" }, "metadata": { "tier": "public" }
  }],
  "products": [{
    "id": "starter", "display_name": "Starter", "apis": ["echo"],
    "subscription_required": true, "published": false, "metadata": { "calls_per_minute": 5 }
  }],
  "subscriptions": [{
    "id": "contoso", "display_name": "Contoso", "scope": "/products/starter",
    "owner": "jane@contoso.example", "state": "active",
    "primary_key": "264a41411c0b43e782f483eb6f3eaeab",
    "secondary_key": {
      "sha256": "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
      "expires_at": "2027-01-01T00:00:00Z"
    },
    "not_before": "2026-01-01T00:00:00Z", "expires_at": "2027-06-30T00:00:00Z"
  }]
}"#;

const YAML: &str = r#"
apis:
- id: echo
  display_name: Echo API
  path: /echo
  subscription_required: true
  key_names: { header: X-Api-Key, query: api_key }
  metadata: { tier: public }
products:
- id: starter
  display_name: Starter
  apis: [echo]
  subscription_required: true
  published: false
  metadata:
    calls_per_minute: 5
subscriptions:
- id: contoso
  display_name: Contoso
  scope: /products/starter
  owner: jane@contoso.example
  state: active
  primary_key: 264a41411c0b43e782f483eb6f3eaeab
  secondary_key:
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    expires_at: 2027-01-01T00:00:00Z
  not_before: 2026-01-01T00:00:00Z
  expires_at: 2027-06-30T00:00:00Z
"#;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The catalog that all three are.
fn expected() -> (Api, Product, Subscription) {
    let api = Api::new("echo", "/echo")
        .with_display_name("Echo API")
        .with_key_header(KeyHeader::new("X-Api-Key").unwrap())
        .with_key_query(KeyQuery::new("api_key").unwrap())
        .with_metadata(
            [("tier", "public")]
                .into_iter()
                .collect::<tower_subscription_key::catalog::Metadata>(),
        );
    let product = Product::new("starter")
        .with_display_name("Starter")
        .with_apis(["echo"])
        .with_published(false)
        .with_metadata(
            [("calls_per_minute", 5)]
                .into_iter()
                .collect::<tower_subscription_key::catalog::Metadata>(),
        );
    let secondary =
        SubscriptionKey::from_digest(KeyDigest::of("test")).with_expiry(at(1_798_761_600));
    let subscription = Subscription::new("contoso")
        .with_display_name("Contoso")
        .with_scope(Scope::Product("starter".into()))
        .with_owner("jane@contoso.example")
        .with_primary_key("264a41411c0b43e782f483eb6f3eaeab")
        .with_secondary_key(secondary)
        .with_not_before(at(1_767_225_600))
        .with_expiry(at(1_814_313_600));
    (api, product, subscription)
}

#[test]
fn catalog_in_every_format_is_the_same() {
    let (api, product, subscription) = expected();
    for (format, text) in FORMATS.into_iter().zip([TOML, JSON, YAML]) {
        for text in [
            text.to_owned(),
            format!("\u{feff}{text}"),
            text.replace('\n', "\r\n"),
        ] {
            let catalog = parse(format, &text).unwrap();
            assert_eq!(catalog.apis().collect::<Vec<_>>(), [&api], "{format:?}");
            assert_eq!(catalog.products().collect::<Vec<_>>(), [&product]);
            assert_eq!(
                catalog.subscriptions().collect::<Vec<_>>(),
                std::slice::from_ref(&subscription)
            );
        }
    }
}

#[test]
fn absent_field_has_its_default() {
    let text = r#"{"apis": [{"id": "a", "path": ""}], "products": [{"id": "p"}],
        "subscriptions": [{"id": "s", "scope": "/", "secondary_key": {"env": "CONTOSO_KEY"}}]}"#;
    let catalog = parse(Format::Json, text).unwrap();
    assert_eq!(catalog.api("a"), Some(&Api::new("a", "")));
    assert_eq!(catalog.product("p"), Some(&Product::new("p")));
    let expected = Subscription::new("s")
        .with_scope(Scope::Service)
        .with_secondary_key("from-the-environment");
    assert_eq!(catalog.subscription("s"), Some(expected));
}

#[test]
fn states_and_scopes_are_read_in_order() {
    for state in State::ALL {
        let text = format!(
            r#"{{"apis": [{{"id": "a", "path": "/"}}], "subscriptions": [
                {{"id": "s", "scopes": ["/apis/a", "/apis", "/"], "state": "{state}", "primary_key": "k"}}]}}"#
        );
        let subscription = parse(Format::Json, &text)
            .unwrap()
            .subscription("s")
            .unwrap();
        assert_eq!(subscription.state(), state);
        let scopes: Vec<String> = subscription
            .scopes()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(scopes, ["/apis/a", "/apis", "/"]);
    }
}

#[test]
fn metadata_of_every_json_type_is_read() {
    let json = r#"{"apis": [{"id": "a", "path": "/", "metadata":
        {"n": null, "b": true, "i": -5, "u": 18446744073709551615, "f": 0.5, "t": "ü\n", "l": [[], {}]}}]}"#;
    let catalog = parse(Format::Json, json).unwrap();
    let metadata = catalog.api("a").unwrap().metadata();
    let expected: serde_json::Value = serde_json::from_str(json).unwrap();
    let expected = expected["apis"][0]["metadata"].as_object().unwrap();
    assert_eq!(metadata, &expected.clone().into());

    let yaml = "apis:\n- {id: a, path: /, metadata: {n: ~, b: true, i: -5, u: 18446744073709551615, \
                f: .5, t: \"ü\\n\", l: [[], {}]}}";
    assert_eq!(
        parse(Format::Yaml, yaml)
            .unwrap()
            .api("a")
            .unwrap()
            .metadata(),
        metadata
    );

    let toml = "[[apis]]\nid = 'a'\npath = '/'\nmetadata = { since = 2026-01-01, at = 07:32:00 }";
    let catalog = parse(Format::Toml, toml).unwrap();
    let since = catalog.api("a").unwrap().metadata().get("since").cloned();
    assert_eq!(since, Some("2026-01-01".into()));
}

#[test]
fn toml_dates_and_dotted_tables_are_read() {
    let text = r#"
        [[apis]]
        id = "a"
        path = "/a"
        key_names.header = "X-Key"
        [apis.metadata]
        tier = "public"
        [[subscriptions]]
        id = "s"
        scope = "/apis"
        expires_at = 2027-06-30 00:00:00Z
        [subscriptions.primary_key]
        value = "k"
        expires_at = 2027-06-30T02:00:00+02:00
    "#;
    let catalog = parse(Format::Toml, text).unwrap();
    let subscription = catalog.subscription("s").unwrap();
    assert_eq!(subscription.expires_at(), Some(at(1_814_313_600)));
    let key = subscription.key(KeySlot::Primary).unwrap();
    assert_eq!(
        key,
        &SubscriptionKey::new("k").with_expiry(at(1_814_313_600))
    );
    assert!(catalog.api("a").unwrap().key_header().is_some());
}

#[test]
fn yaml_aliases_and_text_tags_are_read() {
    let text = "
apis:
- { id: a, path: /a, metadata: &m { plan: gold } }
- { id: !!str 12, path: /b, metadata: *m }
subscriptions:
- id: s
  scopes: &all [/apis]
  primary_key: !!str 12345678
  secondary_key: '264e4141'
- { id: t, scopes: *all, primary_key: |-
    block
  }
"
    .replace("|-\n    block\n  ", "block ");
    let catalog = parse(Format::Yaml, &text).unwrap();
    assert_eq!(
        catalog.api("a").unwrap().metadata(),
        catalog.api("12").unwrap().metadata()
    );
    let subscription = catalog.subscription("s").unwrap();
    let keys: Vec<_> = subscription.keys().map(|(_, key)| *key.digest()).collect();
    assert_eq!(keys, [KeyDigest::of("12345678"), KeyDigest::of("264e4141")]);
}

/// Only `<<` without quotes is a merge key of older versions of YAML.
#[test]
fn yaml_name_like_a_merge_key_in_quotes_is_text() {
    for name in ["\"<<\"", "'<<'", "!!str <<"] {
        let text = format!("apis: [{{id: a, path: /, metadata: {{{name}: 1, plan: <<}}}}]");
        let catalog = parse(Format::Yaml, &text).unwrap();
        let metadata = catalog.api("a").unwrap().metadata();
        assert_eq!(metadata.get("<<"), Some(&1.into()), "{text}");
        assert_eq!(metadata.get("plan"), Some(&"<<".into()));
    }
}

#[test]
fn extension_in_any_case_names_the_format() {
    for (path, format) in [
        ("a.toml", Ok(Format::Toml)),
        ("/etc/keys/A.JSON", Ok(Format::Json)),
        ("a.b.yaml", Ok(Format::Yaml)),
        ("a.yml", Ok(Format::Yaml)),
        (
            "a.txt",
            Err(tower_subscription_key::document::UnknownFormat::Extension),
        ),
        (
            "toml",
            Err(tower_subscription_key::document::UnknownFormat::Extension),
        ),
        (
            ".toml",
            Err(tower_subscription_key::document::UnknownFormat::Extension),
        ),
        (
            "",
            Err(tower_subscription_key::document::UnknownFormat::Extension),
        ),
    ] {
        assert_eq!(Format::from_path(path), format, "{path}");
    }
}
