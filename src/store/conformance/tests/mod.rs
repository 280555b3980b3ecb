#![allow(clippy::unwrap_used)]

mod stores;

use std::convert::Infallible;
use std::sync::Arc;

use super::*;
use crate::catalog::{State, Subscription};
use crate::store::{BoxStore, MemoryStore};

use stores::{Ends, Flaw, Partners, Remote};

struct Memory;

impl Harness for Memory {
    type Store = MemoryStore;

    async fn store(&self, catalog: Catalog) -> Result<MemoryStore, Trouble> {
        Ok(MemoryStore::new(catalog))
    }

    async fn change(&self, store: &MemoryStore, catalog: Catalog) -> Result<Ability, Trouble> {
        store.replace(catalog);
        Ok(Ability::Done)
    }
}

#[tokio::test(start_paused = true)]
async fn memory_store_conforms() {
    let report = check(Memory).await.unwrap();
    assert!(report.kept.contains(&Promise::Changes));
    assert_eq!(report.skipped, [Promise::Outage, Promise::Recovers]);
}

#[tokio::test(start_paused = true)]
async fn memory_store_in_a_box_or_arc_conforms() {
    let boxed = |catalog| async { Ok::<_, Infallible>(BoxStore::new(MemoryStore::new(catalog))) };
    check(from_fn(boxed)).await.unwrap();
    let shared = |catalog| async { Ok::<_, Infallible>(Arc::new(MemoryStore::new(catalog))) };
    check(from_fn(shared)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn custom_store_conforms() {
    let partners = |catalog| async move { Ok::<_, Infallible>(Partners::holding(&catalog)) };
    let report = check(from_fn(partners)).await.unwrap();
    assert_eq!(report.skipped.len(), 3);
    let report = check(Ends(Flaw::None)).await.unwrap();
    assert_eq!((report.kept.len(), report.skipped.len()), (9, 0));
}

#[cfg(feature = "cache")]
mod cached {
    use super::*;
    use crate::store::CachedStore;

    /// A cache around the remote server, with or without invalidations.
    struct Cached {
        is_notified: bool,
        patience: Duration,
    }

    impl Harness for Cached {
        type Store = CachedStore<Remote>;

        async fn store(&self, catalog: Catalog) -> Result<Self::Store, Trouble> {
            Ok(CachedStore::new(Ends(Flaw::None).remote(&catalog)))
        }

        async fn change(&self, store: &Self::Store, catalog: Catalog) -> Result<Ability, Trouble> {
            store.get_ref().partners.hold(&catalog);
            if self.is_notified {
                store.invalidate_all();
            }
            Ok(Ability::Done)
        }

        async fn cut(&self, store: &Self::Store) -> Result<Ability, Trouble> {
            Ends(Flaw::None).cut(store.get_ref()).await
        }

        async fn mend(&self, store: &Self::Store) -> Result<(), Trouble> {
            Ends(Flaw::None).mend(store.get_ref()).await
        }

        fn patience(&self) -> Duration {
            self.patience
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cached_store_with_and_without_invalidations_conforms() {
        for (is_notified, patience) in [(true, 5), (false, 67)] {
            let patience = Duration::from_secs(patience);
            let report = check(Cached {
                is_notified,
                patience,
            })
            .await
            .unwrap();
            assert_eq!(report.skipped, []);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cached_memory_store_conforms() {
        let cached =
            |catalog| async { Ok::<_, Infallible>(CachedStore::new(MemoryStore::new(catalog))) };
        check(from_fn(cached)).await.unwrap();
    }
}

/// The promises that a remote server with that flaw is found to break.
async fn broken_by(flaw: Flaw) -> Vec<Promise> {
    let error = check(Ends(flaw)).await.unwrap_err();
    let mut broken: Vec<_> = error.violations().iter().map(Violation::promise).collect();
    broken.dedup();
    broken
}

#[tokio::test(start_paused = true)]
async fn flaws_are_caught_as_what_they_are() {
    for (flaw, promises) in [
        (Flaw::ErrorIsAbsence, &[Promise::Outage] as &[Promise]),
        (Flaw::HalfDigest, &[Promise::Finds, Promise::Distinguishes]),
        (Flaw::ActiveOnly, &[Promise::Finds]),
        (Flaw::FirstSlot, &[Promise::Finds]),
        (Flaw::Poisoned, &[Promise::Dropped]),
        (Flaw::PeeksAbsent, &[Promise::Peeks]),
        (Flaw::NeverForgets, &[Promise::Changes]),
        (Flaw::Hangs, &[Promise::Finds, Promise::Dropped]),
    ] {
        let broken = broken_by(flaw).await;
        for promise in promises {
            assert!(broken.contains(promise), "{promise}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn flaw_of_one_kind_breaks_only_its_promises() {
    assert_eq!(broken_by(Flaw::ErrorIsAbsence).await, [Promise::Outage]);
    assert_eq!(broken_by(Flaw::Poisoned).await, [Promise::Dropped]);
    assert_eq!(broken_by(Flaw::NeverForgets).await, [Promise::Changes]);
}

#[tokio::test(start_paused = true)]
async fn violations_are_reported_as_sentences_without_keys() {
    let error = check(Ends(Flaw::ActiveOnly)).await.unwrap_err();
    assert!(error.violations().len() > 5);
    let text = format!("{error:?}");
    let line = "every key finds the current version of its subscription: \
                the secondary key of `state-suspended` is not found";
    assert!(text.contains(line), "{text}");
    let catalog = catalogs::first().unwrap();
    for key in catalogs::keys_of(&catalog) {
        assert!(!text.contains(&key.digest.to_hex()));
    }
}

#[tokio::test]
async fn harness_that_fails_is_reported_as_such() {
    let broken = |_| async { Err::<MemoryStore, _>("no database here") };
    let error = check(from_fn(broken)).await.unwrap_err();
    assert!(error.violations().is_empty());
    let text = "the harness could not make a store: no database here";
    assert_eq!(error.to_string(), text);
}

#[test]
fn suite_catalogs_contain_every_kind_of_subscription() {
    let catalog = catalogs::first().unwrap();
    let of = |id: &str| catalog.subscription(id);
    assert!(State::ALL.iter().all(|state| {
        let subscription = of(&format!("state-{state}"));
        subscription.as_ref().map(Subscription::state) == Some(*state)
    }));
    assert_eq!(catalogs::first().unwrap().subscription_count(), 25);
    assert_eq!(catalogs::second().unwrap().subscription_count(), 24);
}
