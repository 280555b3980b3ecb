use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::find;
use super::lists::refusal;
use super::steps::{APIS, KEYS, SUBSCRIPTIONS, Step, change, now, step};
use crate::MemoryStore;
use crate::access::Policy;
use crate::access::tests::naive::{Plain, seen};
use crate::catalog::{Api, Catalog, CatalogError, Field, IssueKind, KeySlot, Scope, Subscription};
use crate::key::{KeyDigest, Presented};

/// The store under test, what should be in it, and what was put aside.
struct Life {
    store: MemoryStore,
    model: Plain,
    kept: Option<(Catalog, Plain)>,
}

impl Life {
    fn begin() -> Self {
        let apis = vec![Api::new("a0", "/a0")];
        let model = Plain {
            apis,
            ..Plain::default()
        };
        Self {
            store: MemoryStore::new(model.build().unwrap()),
            model,
            kept: None,
        }
    }

    fn take(&mut self, step: &Step) {
        let (store, model) = (&self.store, &mut self.model);
        match step {
            Step::PutSubscription(new) => {
                let put = store.put_subscription(new.clone()).map_err(|e| refusal(&e));
                assert_eq!(put, model.put_subscription(new));
            }
            Step::RemoveSubscription(id) => {
                let before = model.subscriptions.len();
                model.subscriptions.retain(|s| s.id() != *id);
                let removed = store.remove_subscription(id);
                assert_eq!(removed, model.subscriptions.len() < before);
            }
            Step::PutApi(new) => {
                let put = store.put_api(new.clone()).map_err(|e| refusal(&e));
                assert_eq!(put, model.put_api(new));
            }
            Step::PutProduct(new) => {
                let put = store.put_product(new.clone()).map_err(|e| refusal(&e));
                assert_eq!(put, model.put_product(new));
            }
            Step::RemoveApi(id) => {
                let there = model.api(id).is_some();
                let mut users = model.users(Some(id), &Scope::Api((*id).into()));
                if there && users.is_empty() && model.apis.len() == 1 {
                    users.push(format!("{:?}", IssueKind::LastApi));
                }
                if removed(store.remove_api(id), there, users, &format!("API {id}")) {
                    model.apis.retain(|api| api.id() != *id);
                }
            }
            Step::RemoveProduct(id) => {
                let there = model.products.iter().any(|product| product.id() == *id);
                let users = model.users(None, &Scope::Product((*id).into()));
                if removed(
                    store.remove_product(id),
                    there,
                    users,
                    &format!("product {id}"),
                ) {
                    model.products.retain(|product| product.id() != *id);
                }
            }
            Step::Replace(steps) => {
                let mut other = Self::begin();
                steps.iter().for_each(|step| other.take(step));
                let catalog = other.model.build();
                *model = other.model;
                store.replace(catalog.unwrap());
            }
            Step::Keep => self.kept = Some((Catalog::clone(&store.catalog()), model.clone())),
            Step::PutBack => {
                if let Some((catalog, kept)) = self.kept.clone() {
                    store.replace(catalog);
                    *model = kept;
                }
            }
            Step::Pack => store.pack(),
        }
    }

    fn check(&self) {
        let catalog = Arc::new(self.store.catalog());
        assert_eq!(catalog.subscription_count(), self.model.subscriptions.len());
        let sorted = |mut subscriptions: Vec<Subscription>| {
            subscriptions.sort_by(|one, other| one.id().cmp(other.id()));
            subscriptions
        };
        let (held, expected) = (catalog.subscriptions(), self.model.subscriptions.clone());
        assert_eq!(sorted(held.collect()), sorted(expected));
        for id in SUBSCRIPTIONS {
            let expected = self.model.subscriptions.iter().find(|s| s.id() == id);
            assert_eq!(catalog.subscription(id).as_ref(), expected);
        }
        assert!(catalog.apis().eq(&self.model.apis));
        assert!(catalog.products().eq(&self.model.products));
        for key in KEYS.map(KeyDigest::of) {
            let presented = Presented::Key(key);
            let owner = self.model.owner(presented);
            let expected: Option<(Subscription, KeySlot)> =
                owner.map(|(s, slot)| (s.clone(), slot));
            assert_eq!(find(&self.store, &key), expected);
            for api in APIS {
                let says = self
                    .model
                    .says(Some(api), presented, Policy::default(), now());
                let seen = seen(&catalog, Some(api), presented, Policy::default(), now());
                assert_eq!(seen, says);
            }
        }
    }
}

/// Whether it was removed, after a comparison with what should have been.
fn removed(
    removed: Result<bool, CatalogError>,
    there: bool,
    users: Vec<String>,
    entity: &str,
) -> bool {
    match removed {
        Ok(removed) => {
            assert_eq!((removed, users), (there, vec![]), "{entity}");
            removed
        }
        Err(error) => {
            let refusal = refusal(&error);
            let [(of, Field::Whole, by)] = &refusal[..] else {
                panic!("{refusal:?}");
            };
            assert_eq!(of, entity);
            assert!(there && users.contains(by), "{by} is not in {users:?}");
            false
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn store_equals_a_model_of_plain_lists(
        youth in vec(change(), 0..20),
        steps in vec(step(), 1..40),
    ) {
        let mut life = Life::begin();
        youth.iter().for_each(|step| life.take(step));
        life.take(&Step::Pack);
        life.check();
        for step in &steps {
            life.take(step);
            life.check();
        }
    }
}

#[test]
fn last_api_cannot_be_removed() {
    let store = MemoryStore::new(Life::begin().model.build().unwrap());
    let error = store.remove_api("a0").unwrap_err();
    assert_eq!(error.issues()[0].kind, IssueKind::LastApi);
    assert!(store.catalog().api("a0").is_some());
    assert_eq!(store.remove_api("none"), Ok(false));
    store.put_api(Api::new("a1", "/a1")).unwrap();
    assert_eq!(store.remove_api("a0"), Ok(true));
    let left = store.remove_api("a1").unwrap_err();
    assert_eq!(left.issues()[0].kind, IssueKind::LastApi);
}
