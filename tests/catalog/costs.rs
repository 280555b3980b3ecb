//! Costs that must not depend on the number of subscriptions, in allocations and
//! bytes.

use allocation_counter::{AllocationInfo, measure};
use tower_subscription_key::catalog::{Api, Catalog, Change, Product, Scope, State, Subscription};
use tower_subscription_key::key::KeyDigest;

fn subscription(n: usize) -> Subscription {
    let digest = |slot: &str| KeyDigest::of(format!("{n} {slot}"));
    Subscription::new(format!("subscription-{n:07}"))
        .with_scope(Scope::product("p"))
        .with_primary_key(digest("primary"))
        .with_secondary_key(digest("secondary"))
}

fn catalog(subscriptions: usize) -> Catalog {
    let mut builder = Catalog::builder()
        .api(Api::new("a", "/a"))
        .product(Product::new("p").with_apis(["a"]));
    for n in 0..subscriptions {
        builder.push_subscription(subscription(n));
    }
    builder.build().unwrap()
}

#[test]
fn subscription_with_two_keys_takes_less_than_200_bytes() {
    const COUNT: usize = 10_000;
    let mut kept = None;
    // A larger catalog is built by two threads, and only one would be counted.
    let used = measure(|| kept = Some(catalog(COUNT)));
    let each = used.bytes_current / COUNT as i64;
    assert!((100..200).contains(&each), "{each} bytes");
}

/// The cost of suspending one subscription.
fn change(catalog: &Catalog) -> AllocationInfo {
    let suspended = subscription(7).with_state(State::Suspended);
    let mut next = None;
    measure(|| next = catalog.apply([Change::PutSubscription(suspended)]).ok())
}

#[test]
fn change_of_one_subscription_costs_the_same_among_few_and_many() {
    let few = change(&catalog(10));
    let many = change(&catalog(100_000));
    assert_eq!(few.count_total, many.count_total);
    assert!(many.bytes_total < 4_000, "{many:?}");
}

#[test]
fn clone_of_a_catalog_allocates_nothing() {
    let catalog = catalog(1_000);
    let mut kept = None;
    assert_eq!(measure(|| kept = Some(catalog.clone())).count_total, 0);
}

#[test]
fn change_after_thousands_of_removed_apis_costs_what_the_first_one_did() {
    let replace = |catalog: &Catalog, n: usize| {
        let before = catalog.apis().last().unwrap().id().to_owned();
        let api = Api::new(format!("other-{n:05}"), "/other");
        let changes = [Change::RemoveApi(before), Change::PutApi(api)];
        catalog.apply(changes).unwrap()
    };
    let one = Change::PutApi(Api::new("other", "/other"));
    let mut now = catalog(10).apply([one]).unwrap();
    now = replace(&now, 0);
    let mut next = None;
    let first = measure(|| next = Some(replace(&now, 1)));
    for n in 2..2_000 {
        now = replace(&now, n);
    }
    let last = measure(|| next = Some(replace(&now, 2_000)));
    assert_eq!(first.bytes_total, last.bytes_total);
}
