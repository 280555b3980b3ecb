use std::time::{Duration, SystemTime};

use tower_subscription_key::MemoryStore;
use tower_subscription_key::access::{Decision, DenialReason, Question, decide};
use tower_subscription_key::catalog::{
    Api, Catalog, CatalogError, Change, Entity, EntityKind, Field, IssueKind, KeySlot, Product,
    Scope, State, Subscription, SubscriptionKey,
};
use tower_subscription_key::key::{KeyDigest, Presented};

fn catalog() -> Catalog {
    let catalog = Catalog::builder().api(Api::new("echo", "/echo"));
    catalog.subscription(to_all("first", "K")).build().unwrap()
}

fn to_all(id: &str, key: &str) -> Subscription {
    let subscription = Subscription::new(id).with_scope(Scope::AllApis);
    subscription.with_primary_key(key)
}

fn decision(catalog: &Catalog, api: &str, key: &str, now: SystemTime) -> Decision {
    let question = Question::for_api(catalog.clone(), api);
    let key = Presented::Key(KeyDigest::of(key));
    decide(question.with_key(key).at(now))
}

/// The subscription and slot of a key.
fn caller(catalog: &Catalog, key: &str) -> Option<(String, KeySlot)> {
    match decision(catalog, "echo", key, SystemTime::now()) {
        Decision::Allow(access) => {
            let id = access.subscription().unwrap().id().to_owned();
            Some((id, access.key_slot().unwrap()))
        }
        _ => None,
    }
}

fn kinds(error: &CatalogError) -> Vec<&IssueKind> {
    error.issues().iter().map(|issue| &issue.kind).collect()
}

#[test]
fn changes_in_any_order_make_one_version() {
    let subscription = Subscription::new("new")
        .with_scope(Scope::Product("p".into()))
        .with_primary_key("L");
    let changes = [
        Change::PutSubscription(subscription),
        Change::PutProduct(Product::new("p").with_apis(["added"])),
        Change::PutApi(Api::new("added", "/added")),
    ];
    let next = catalog().apply(changes).unwrap();
    assert!(matches!(
        decision(&next, "added", "L", SystemTime::now()),
        Decision::Allow(_)
    ));
    assert_eq!(next.subscription_count(), 2);
}

#[test]
fn changes_with_an_invalid_one_change_nothing() {
    let store = MemoryStore::new(catalog());
    let error = store
        .apply([
            Change::PutApi(Api::new("added", "/added")),
            Change::RemoveSubscription("first".into()),
            Change::PutSubscription(to_all("thief", "L").with_secondary_key("L")),
        ])
        .unwrap_err();
    assert_eq!(kinds(&error), [&IssueKind::SameKeys]);
    let now = store.catalog();
    assert_eq!(now.api("added"), None);
    assert_eq!(caller(&now, "K"), Some(("first".into(), KeySlot::Primary)));
}

#[test]
fn keys_swapped_in_one_version_are_accepted() {
    let two = catalog()
        .apply([Change::PutSubscription(to_all("second", "L"))])
        .unwrap();
    let swap = [
        Change::PutSubscription(to_all("first", "L")),
        Change::PutSubscription(to_all("second", "K")),
    ];
    let one_alone = two.apply([swap[0].clone()]).unwrap_err();
    let taken = IssueKind::DuplicateKey {
        other: "second".into(),
        slot: KeySlot::Primary,
    };
    assert_eq!(kinds(&one_alone), [&taken]);
    let swapped = two.apply(swap).unwrap();
    assert_eq!(caller(&swapped, "K").unwrap().0, "second");
    assert_eq!(caller(&swapped, "L").unwrap().0, "first");
}

#[test]
fn changes_to_the_same_entity_apply_the_last_one() {
    let changed = catalog().apply([
        Change::RemoveApi("echo".into()),
        Change::PutApi(Api::new("echo", "/again")),
        Change::PutApi(Api::new("gone", "/gone")),
        Change::RemoveApi("gone".into()),
        Change::PutSubscription(to_all("new", "L")),
        Change::RemoveSubscription("new".into()),
        Change::RemoveSubscription("unknown".into()),
    ]);
    let changed = changed.unwrap();
    assert_eq!(changed.apis().count(), 1);
    assert_eq!(changed.api("echo").unwrap().path(), "/again");
    assert_eq!(changed.subscription_count(), 1);
    assert_eq!(caller(&changed, "K").unwrap().0, "first");
}

#[test]
fn api_with_users_is_removed_only_together_with_them() {
    let used = catalog()
        .apply([
            Change::PutApi(Api::new("other", "/other")),
            Change::PutProduct(Product::new("p").with_apis(["other"])),
            Change::PutSubscription(
                Subscription::new("s")
                    .with_scope(Scope::Api("other".into()))
                    .with_primary_key("L"),
            ),
        ])
        .unwrap();
    let remove = Change::RemoveApi("other".into());
    let user = |changes: Vec<Change>| {
        let error = used.apply(changes).unwrap_err();
        match &error.issues()[0].kind {
            IssueKind::InUse { by } => by.clone(),
            other => panic!("{other:?}"),
        }
    };
    let product = Change::RemoveProduct("p".into());
    let subscription = Change::RemoveSubscription("s".into());
    assert!(
        matches!(user(vec![remove.clone()]), Entity { kind: EntityKind::Product, id, .. } if id == "p")
    );
    assert!(
        matches!(user(vec![remove.clone(), product.clone()]), Entity { kind: EntityKind::Subscription, id, .. } if id == "s")
    );
    let removed = used.apply([remove, product, subscription]).unwrap();
    assert_eq!(removed.apis().map(Api::id).collect::<Vec<_>>(), ["echo"]);
    assert_eq!(removed.products().count(), 0);
    assert_eq!(removed.subscription_count(), 1);
}

#[test]
fn api_that_replaces_a_removed_one_comes_last_and_gets_no_old_grants() {
    let api = |n: usize| Api::new(format!("a{n}"), format!("/a{n}"));
    let to_a1 = Subscription::new("old")
        .with_scope(Scope::Api("a1".into()))
        .with_primary_key("L");
    let builder = Catalog::builder().api(api(0)).api(api(1)).api(api(2));
    let mut now = builder.subscription(to_a1).build().unwrap();
    for change in [
        Change::RemoveSubscription("old".into()),
        Change::RemoveApi("a1".into()),
        Change::PutApi(api(3)),
    ] {
        now = now.apply([change]).unwrap();
    }
    let ids: Vec<_> = now.apis().map(Api::id).collect();
    assert_eq!(ids, ["a0", "a2", "a3"]);
    let Decision::Deny(denial) = decision(&now, "a3", "L", SystemTime::now()) else {
        panic!("the key of a removed subscription opens an API");
    };
    assert_eq!(denial.reason(), DenialReason::UnknownKey);
    assert_eq!(
        now.apply([Change::RemoveApi("a3".into())])
            .unwrap()
            .apis()
            .count(),
        2
    );
}

#[test]
fn catalog_that_allows_no_apis_accepts_removal_of_the_last_one() {
    let empty = Catalog::builder().allow_no_apis().build().unwrap();
    let one = empty
        .apply([Change::PutApi(Api::new("echo", "/echo"))])
        .unwrap();
    assert_eq!(one.apis().count(), 1);
    let none = one.apply([Change::RemoveApi("echo".into())]).unwrap();
    assert_eq!(none.apis().count(), 0);
    let error = catalog().apply([
        Change::RemoveApi("echo".into()),
        Change::RemoveSubscription("first".into()),
    ]);
    assert_eq!(kinds(&error.unwrap_err()), [&IssueKind::LastApi]);
}

#[test]
fn retired_key_until_its_end_counts_as_the_key_of_its_slot() {
    // A catalog stores times in microseconds.
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let old = SubscriptionKey::new("old").with_expiry(end);
    let rotated = to_all("first", "new").with_retired_key(KeySlot::Primary, old);
    let changed = catalog()
        .apply([Change::PutSubscription(rotated.clone())])
        .unwrap();
    let built = Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .subscription(rotated.clone());
    for catalog in [changed, built.build().unwrap()] {
        for key in ["old", "new"] {
            let expected = Some(("first".to_owned(), KeySlot::Primary));
            assert_eq!(caller(&catalog, key), expected, "{key}");
        }
        assert_eq!(caller(&catalog, "K"), None);
        let Decision::Deny(denial) = decision(&catalog, "echo", "old", end) else {
            panic!("an ended key opens");
        };
        assert_eq!(denial.reason(), DenialReason::KeyExpired);
        assert_eq!(denial.key_slot(), Some(KeySlot::Primary));
        assert!(matches!(
            decision(&catalog, "echo", "new", end),
            Decision::Allow(_)
        ));
        assert_eq!(catalog.subscription("first"), Some(rotated.clone()));
        // After another rotation, the older retired key ends at once.
        let again = rotated.clone().with_retired_key(
            KeySlot::Primary,
            SubscriptionKey::new("new").with_expiry(end),
        );
        let again = again.with_primary_key("newest");
        let again = catalog.apply([Change::PutSubscription(again)]).unwrap();
        assert_eq!(caller(&again, "old"), None);
        assert!(caller(&again, "new").is_some() && caller(&again, "newest").is_some());
    }
}

#[test]
fn retired_keys_that_break_a_rule_are_rejected() {
    let end = SystemTime::now();
    let retired = |text: &str| SubscriptionKey::new(text).with_expiry(end);
    let bare = Subscription::new("s").with_scope(Scope::AllApis);
    let secondary = KeySlot::Secondary;
    for (subscription, field, kind) in [
        (
            bare.clone().with_retired_key(secondary, retired("old")),
            Field::Whole,
            IssueKind::NoKey,
        ),
        (
            to_all("s", "L").with_retired_key(secondary, "old"),
            Field::RetiredKey(secondary),
            IssueKind::RetiredKeyWithoutExpiry,
        ),
        (
            to_all("s", "L").with_retired_key(secondary, retired("L")),
            Field::RetiredKey(secondary),
            IssueKind::SameKeys,
        ),
        (
            to_all("s", "L").with_retired_key(secondary, retired("K")),
            Field::RetiredKey(secondary),
            IssueKind::DuplicateKey {
                other: "first".into(),
                slot: KeySlot::Primary,
            },
        ),
    ] {
        let builder = Catalog::builder().api(Api::new("echo", "/echo"));
        let builder = builder.subscription(to_all("first", "K"));
        let built = builder.subscription(subscription.clone()).build();
        let put = catalog().apply([Change::PutSubscription(subscription)]);
        for error in [built.unwrap_err(), put.unwrap_err()] {
            assert_eq!(error.issues().len(), 1, "{error}");
            assert_eq!(
                (error.issues()[0].field, &error.issues()[0].kind),
                (field, &kind)
            );
        }
    }
}

#[test]
fn rotation_of_a_suspended_subscription_keeps_it_suspended() {
    let store = MemoryStore::new(catalog());
    let read_earlier = store.catalog().subscription("first").unwrap();
    let suspend = |s: Subscription| s.with_state(State::Suspended);
    assert_eq!(store.update_subscription("first", suspend), Ok(true));
    let rotate = |s: Subscription| s.with_primary_key("L");
    assert_eq!(store.update_subscription("first", rotate), Ok(true));
    let now = store.catalog().subscription("first").unwrap();
    assert_eq!(now.state(), State::Suspended);
    let rotated = read_earlier.with_primary_key("L");
    assert_eq!(now.key(KeySlot::Primary), rotated.key(KeySlot::Primary));
    assert_eq!(store.update_subscription("unknown", rotate), Ok(false));
}

#[test]
fn concurrent_updates_are_all_kept() {
    let store = MemoryStore::new(catalog());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let add = |s: Subscription| s.with_scope(Scope::Service);
                    store.update_subscription("first", add).unwrap();
                }
            });
        }
    });
    let first = store.catalog().subscription("first").unwrap();
    assert_eq!(first.scopes().len(), 401);
}

#[test]
fn update_that_returns_an_error_changes_nothing() {
    #[derive(Debug, PartialEq)]
    enum Failure {
        Own,
        Catalog,
    }
    impl From<CatalogError> for Failure {
        fn from(_: CatalogError) -> Self {
            Self::Catalog
        }
    }
    let store = MemoryStore::new(catalog());
    let own = store.update(|_| Err::<Vec<Change>, _>(Failure::Own));
    assert_eq!(own, Err(Failure::Own));
    let refused = store.update(|_| Ok([Change::RemoveApi("echo".into())]));
    assert_eq!(refused, Err(Failure::Catalog));
    assert_eq!(store.catalog().apis().count(), 1);
}
