//! Lookups over connections that are reused, closed and mixed up.

use std::time::{Duration, SystemTime};

use tower_subscription_key::catalog::{
    Api, Catalog, KeySlot, Product, Scope, Subscription, SubscriptionKey,
};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::store::http::{HttpClient, HttpError, HttpLookupError};
use tower_subscription_key::{HttpLookupStore, HttpStore, KeyDigest, document};

use crate::remote::wire::{Asked, Reply, Wire, kept};
use crate::remote::{PATIENCE, within};

const GOOD: &str = "264a41411c0b43e782f483eb6f3eaeab";
const WRONG: &str = "00000000000000000000000000000000";
const UNKNOWN: &str = r#"{"subscription": null}"#;

fn owner() -> String {
    let contoso = Subscription::new("contoso")
        .with_scope(Scope::Product("starter".into()))
        .with_primary_key(GOOD);
    document::owner_to_json(Some((&contoso, KeySlot::Primary)))
}

fn digest_in(head: &str) -> String {
    let path = head.split(' ').nth(1).unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}

fn is_good(asked: &Asked) -> bool {
    digest_in(&asked.head) == KeyDigest::of(GOOD).to_hex()
}

/// The right answer, with or without the `Key-Digest` header.
fn right(asked: &Asked, is_named: bool) -> Reply {
    let body = match is_good(asked) {
        true => owner(),
        false => UNKNOWN.to_owned(),
    };
    let named = format!("key-digest: {}\r\n", digest_in(&asked.head));
    kept(if is_named { &named } else { "" }, &body)
}

fn store(wire: &Wire) -> HttpLookupStore<HttpClient> {
    let builder = HttpLookupStore::builder(&wire.url("/keys"));
    builder.timeout(PATIENCE).build().unwrap()
}

async fn is_found(store: &HttpLookupStore<HttpClient>, key: &str) -> Result<bool, HttpLookupError> {
    let owner = store.find(&KeyDigest::of(key)).await?;
    Ok(owner.is_some())
}

#[tokio::test]
async fn replaced_key_is_found_as_such_and_another_key_of_its_owner_is_not() {
    let wire = Wire::start(|asked| {
        let replaced = SubscriptionKey::new(GOOD).with_expiry(SystemTime::now());
        let contoso = Subscription::new("contoso")
            .with_scope(Scope::AllApis)
            .with_primary_key(WRONG)
            .with_retired_key(KeySlot::Primary, replaced);
        let body = document::owner_to_json(Some((&contoso, KeySlot::Primary)));
        let named = format!("key-digest: {}\r\n", digest_in(&asked.head));
        kept(&named, &body)
    })
    .await;
    let store = store(&wire);
    for (key, is_retired) in [(GOOD, true), (WRONG, false)] {
        let owner = store.find(&KeyDigest::of(key)).await.unwrap().unwrap();
        assert_eq!(owner.is_retired(), is_retired, "{key}");
    }
    assert!(is_found(&store, "another").await.is_err());
}

#[tokio::test]
async fn lookup_on_a_closed_connection_is_tried_on_a_new_one() {
    let wire = Wire::start(|asked| match (asked.connection, asked.nth) {
        (0, 1) => Reply::Close,
        _ => right(asked, true),
    })
    .await;
    let store = store(&wire);
    assert!(is_found(&store, GOOD).await.unwrap());
    assert!(is_found(&store, GOOD).await.unwrap());
    assert_eq!(wire.asked().len(), 3);
}

#[tokio::test]
async fn lookup_that_fails_on_a_new_connection_too_is_an_error() {
    let wire = Wire::start(|_| Reply::Close).await;
    let error = is_found(&store(&wire), GOOD).await.unwrap_err();
    assert!(matches!(
        error,
        HttpLookupError::Lookup(HttpError::Unreachable(_))
    ));
    assert_eq!(wire.asked().len(), 2);
}

/// The second request on the first connection gets the answer to the first.
#[tokio::test]
async fn answer_to_an_earlier_request_is_not_taken_for_an_absence() {
    for is_named in [true, false] {
        let wire = Wire::start(move |asked| match (asked.connection, asked.nth) {
            (0, 0) => right(asked, true),
            (0, _) => {
                let named = format!("key-digest: {}\r\n", KeyDigest::of(WRONG).to_hex());
                kept(if is_named { &named } else { "" }, UNKNOWN)
            }
            _ => right(asked, true),
        })
        .await;
        let store = store(&wire);
        assert!(!is_found(&store, WRONG).await.unwrap());
        assert!(is_found(&store, GOOD).await.unwrap(), "{is_named}");
        let asked = wire.asked();
        assert!(asked[2].head.contains("connection: close\r\n"), "{asked:?}");
        if is_named {
            // That connection is not used again.
            assert!(is_found(&store, GOOD).await.unwrap());
            let first = wire
                .asked()
                .iter()
                .filter(|asked| asked.connection == 0)
                .count();
            assert_eq!(first, 2);
        }
    }
}

#[tokio::test]
async fn absence_without_digest_is_asked_for_twice() {
    for (is_named, requests) in [(true, 1), (false, 2)] {
        let wire = Wire::start(move |asked| right(asked, is_named)).await;
        assert!(!is_found(&store(&wire), WRONG).await.unwrap());
        assert_eq!(wire.asked().len(), requests);
    }
}

#[tokio::test]
async fn answer_that_is_always_about_another_key_is_an_error() {
    let wire = Wire::start(|_| {
        let named = format!("key-digest: {}\r\n", KeyDigest::of(WRONG).to_hex());
        kept(&named, UNKNOWN)
    })
    .await;
    let error = is_found(&store(&wire), GOOD).await.unwrap_err();
    assert!(matches!(
        error,
        HttpLookupError::Lookup(HttpError::OtherKey)
    ));
    assert!(error.is_about_one_key());
}

/// After its lookup, the first runtime stalls, and so does its pooled connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lookup_does_not_wait_for_the_connection_of_a_stalled_runtime() {
    let wire = Wire::start(|asked| right(asked, true)).await;
    let store = store(&wire);
    let stalled = tokio::task::spawn_blocking({
        let store = store.clone();
        move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            assert!(runtime.block_on(is_found(&store, GOOD)).unwrap());
            runtime
        }
    });
    let stalled = stalled.await.unwrap();
    let found = tokio::time::timeout(PATIENCE / 2, is_found(&store, GOOD)).await;
    assert!(found.unwrap().unwrap());
    assert_eq!(wire.asked()[1].connection, 1);
    stalled.shutdown_background();
}

fn catalog(products: &[&str]) -> String {
    let mut catalog = Catalog::builder().api(Api::new("echo", "/echo"));
    for product in products {
        catalog = catalog.product(Product::new(*product).with_apis(["echo"]));
    }
    document::to_json(&catalog.build().unwrap())
}

/// A remote server with two versions of its definitions. It sends the second version
/// from the second catalog request on.
async fn with_definitions(etag_of_answer: &'static str) -> (Wire, HttpLookupStore<HttpClient>) {
    let versions = std::sync::atomic::AtomicUsize::new(0);
    let wire = Wire::start(move |asked| {
        if !asked.head.starts_with("get /catalog") {
            let headers = format!(
                "key-digest: {}\r\ncatalog-etag: {etag_of_answer}\r\n",
                digest_in(&asked.head)
            );
            return kept(&headers, &owner());
        }
        match versions.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => kept("etag: \"v1\"\r\n", &catalog(&[])),
            _ => kept("etag: \"v2\"\r\n", &catalog(&["starter"])),
        }
    })
    .await;
    let hour = Duration::from_secs(3600);
    let definitions = HttpStore::builder(&wire.url("/catalog"))
        .poll_interval(hour)
        .timeout(PATIENCE);
    let definitions = definitions.open().await.unwrap();
    let store = HttpLookupStore::builder(&wire.url("/keys"))
        .timeout(PATIENCE)
        .definitions(definitions)
        .build()
        .unwrap();
    (wire, store)
}

#[tokio::test]
async fn answer_with_catalog_etag_carries_this_version_of_the_definitions() {
    let (_wire, store) = with_definitions("\"v2\"").await;
    let answer = within(store.lookup(&KeyDigest::of(GOOD))).await.unwrap();
    let definitions = answer.definitions().unwrap();
    assert!(definitions.product("starter").is_some());
}

#[tokio::test]
async fn answer_with_the_etag_of_no_published_version_is_an_error() {
    let (_wire, store) = with_definitions("\"v3\"").await;
    let error = within(store.lookup(&KeyDigest::of(GOOD)))
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        HttpLookupError::Lookup(HttpError::OtherVersion)
    ));
}
