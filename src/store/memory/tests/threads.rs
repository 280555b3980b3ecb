use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::find;
use crate::MemoryStore;
use crate::catalog::{Api, Catalog, Product, Scope, Subscription};
use crate::key::KeyDigest;
use crate::store::{Holdings, SubscriptionStore};

/// A catalog in which every id carries the number.
fn generation(number: usize) -> Catalog {
    let product = format!("product-{number}");
    let owned = |id: &str, key: &str| {
        Subscription::new(format!("{id}-{number}"))
            .with_scope(Scope::Product(product.clone()))
            .with_owner(number.to_string())
            .with_primary_key(key)
    };
    Catalog::builder()
        .api(Api::new(format!("api-{number}"), "/api"))
        .product(Product::new(&product).with_apis([format!("api-{number}")]))
        .subscription(owned("one", "K"))
        .subscription(owned("two", "L"))
        .build()
        .unwrap()
}

/// Ends the readers also if the writer fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn number_of(id: &str) -> usize {
    id.rsplit_once('-').unwrap().1.parse().unwrap()
}

fn whole(store: &MemoryStore) -> Arc<Catalog> {
    match store.holdings() {
        Ok(Holdings::Everything(catalog)) => catalog,
        other => panic!("{other:?}"),
    }
}

#[test]
fn concurrent_readers_see_complete_and_never_older_versions() {
    const LAST: usize = 1_000;
    let store = MemoryStore::new(generation(0));
    let (key, other_key) = (KeyDigest::of("K"), KeyDigest::of("L"));
    let over = AtomicBool::new(false);
    let reader = || {
        let mut seen = 0;
        while seen < LAST && !over.load(Ordering::Relaxed) {
            let catalog = whole(&store);
            let number = number_of(catalog.api_for_path("/api/x").unwrap().id());
            assert!(number >= seen, "{number} after {seen}");
            seen = number;
            let ids = [
                catalog.products().next().unwrap().id().to_owned(),
                catalog.owner(&key).unwrap().subscription().id().to_owned(),
                catalog
                    .owner(&other_key)
                    .unwrap()
                    .subscription()
                    .id()
                    .to_owned(),
            ];
            assert_eq!(ids.map(|id| number_of(&id)), [number; 3]);
            let found = find(&store, &key).unwrap().0;
            assert!(number_of(found.id()) >= number);
            assert_eq!(found.owner(), Some(&*number_of(found.id()).to_string()));
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(reader);
        }
        let _over = Over(&over);
        for number in 1..=LAST {
            store.replace(generation(number));
            assert_eq!(number_of(whole(&store).apis().next().unwrap().id()), number);
        }
    });
}

#[test]
fn key_that_moves_has_one_owner_at_any_time() {
    let store = MemoryStore::new(generation(0));
    let with = |id: &str, key: &str| {
        Subscription::new(id)
            .with_scope(Scope::AllApis)
            .with_primary_key(&*format!("{id} spare"))
            .with_secondary_key(key)
    };
    store.put_subscription(with("left", "moving")).unwrap();
    store.put_subscription(with("right", "right own")).unwrap();
    let moving = KeyDigest::of("moving");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let catalog = whole(&store);
                    let owner = catalog
                        .owner(&moving)
                        .map(|owner| owner.subscription().id().to_owned());
                    let holds = |id: &&str| {
                        let holder = catalog.subscription(id).unwrap();
                        holder.keys().any(|(_, key)| *key.digest() == moving)
                    };
                    let holders: Vec<&str> = ["left", "right"].into_iter().filter(holds).collect();
                    assert_eq!(owner.as_deref().into_iter().collect::<Vec<_>>(), holders);
                }
            });
        }
        let _over = Over(&over);
        for round in 0..300 {
            let (from, to) = if round % 2 == 0 {
                ("left", "right")
            } else {
                ("right", "left")
            };
            store
                .put_subscription(with(from, &format!("{from} own")))
                .unwrap();
            store.put_subscription(with(to, "moving")).unwrap();
            if round % 10 == 0 {
                store.pack();
            }
        }
    });
}

#[test]
fn concurrent_writers_lose_no_change() {
    const EACH: usize = 100;
    let store = MemoryStore::new(generation(0));
    thread::scope(|scope| {
        for writer in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    let id = format!("{writer}-{n}");
                    let new = Subscription::new(&id).with_scope(Scope::Service);
                    store.put_subscription(new.with_primary_key(&*id)).unwrap();
                    if n % 3 == 0 {
                        assert!(store.remove_subscription(&id));
                    }
                    if n % 20 == 0 {
                        store.pack();
                    }
                }
            });
        }
    });
    let left = 4 * (EACH - EACH.div_ceil(3));
    assert_eq!(store.catalog().subscription_count(), 2 + left);
    assert_eq!(store.catalog().subscriptions().count(), 2 + left);
    assert!(find(&store, &KeyDigest::of("3-98")).is_some());
    assert!(find(&store, &KeyDigest::of("3-99")).is_none());
}

#[test]
fn many_single_changes_are_packed_and_none_is_lost() {
    let store = MemoryStore::new(generation(0));
    let count = 4_096 + 10;
    for n in 0..count {
        let new = Subscription::new(format!("s{n}")).with_scope(Scope::Service);
        store
            .put_subscription(new.with_primary_key(&*format!("k{n}")))
            .unwrap();
    }
    let catalog = store.catalog();
    assert!(catalog.change_count() < 20, "{}", catalog.change_count());
    assert_eq!(catalog.subscription_count(), count + 2);
    for n in [0, 1, count / 2, count - 1] {
        let (owner, _) = find(&store, &KeyDigest::of(format!("k{n}"))).unwrap();
        assert_eq!(owner.id(), format!("s{n}"));
    }
}
