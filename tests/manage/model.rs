//! Random operations, and the decisions that a naive model makes after them.

use std::collections::BTreeMap;
use std::time::Duration;

use tower_subscription_key::catalog::{Catalog, KeySlot, Scope, State};
use tower_subscription_key::manage::{
    Deletion, Expected, KeyInput, Manage, ManageError, Rotation, Secret, SubscriptionFields,
};
use tower_subscription_key::{Access, SqlStore};

use crate::support::*;

tests!(ten_thousand_random_operations_lead_to_the_decisions_of_a_naive_model);

const OPERATIONS: u64 = 10_000;
const APIS: [&str; 3] = ["a", "b", "c"];
const PRODUCTS: [&str; 3] = ["p", "q", "r"];
const SUBSCRIPTIONS: usize = 12;

/// Numbers that look random, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

#[derive(Default)]
struct Model {
    products: BTreeMap<&'static str, Vec<&'static str>>,
    subscriptions: BTreeMap<String, Subscription>,
    /// Every key that there ever was.
    keys: Vec<String>,
}

struct Subscription {
    scopes: Vec<Scope>,
    state: State,
    /// Key, slot, and whether it is a replaced one.
    keys: Vec<(String, KeySlot, bool)>,
}

impl Subscription {
    fn drop_keys(&mut self, slot: KeySlot, retired: bool) {
        self.keys
            .retain(|(_, held, replaced)| (*held, *replaced) != (slot, retired));
    }
}

/// What a decision names: subscription, product, slot.
type Opened = Option<(String, Option<String>, KeySlot)>;

impl Model {
    fn decide(&self, api: &str, key: &str) -> Opened {
        let (id, subscription, slot) = self.subscriptions.iter().find_map(|(id, s)| {
            let (_, slot, _) = s.keys.iter().find(|(held, _, _)| held == key)?;
            Some((id, s, *slot))
        })?;
        if subscription.state != State::Active {
            return None;
        }
        let opened = |product| Some((id.clone(), product, slot));
        if subscription.scopes.contains(&Scope::Api(api.to_owned())) {
            return opened(None);
        }
        // The products in the order of the catalog, which is that of their creation.
        for product in PRODUCTS {
            let contains = self
                .products
                .get(product)
                .is_some_and(|apis| apis.contains(&api));
            let held = subscription
                .scopes
                .contains(&Scope::Product(product.to_owned()));
            if contains && held {
                return opened(Some(product.to_owned()));
            }
        }
        if subscription.scopes.contains(&Scope::AllApis) {
            return opened(None);
        }
        None
    }

    fn compare(&self, catalog: &Catalog, step: u64) {
        for key in &self.keys {
            for api in APIS {
                let access = Access::for_tests(catalog.clone(), api, Some(key)).ok();
                let found: Opened = access.as_ref().and_then(|access| {
                    Some((
                        access.subscription()?.id().to_owned(),
                        access.product().map(|product| product.id().to_owned()),
                        access.key_slot()?,
                    ))
                });
                assert_eq!(
                    found,
                    self.decide(api, key),
                    "{api} after {step} operations"
                );
            }
        }
    }
}

fn scope(numbers: &mut Numbers) -> Scope {
    match numbers.below(7) {
        n @ 0..3 => Scope::Product(PRODUCTS[n].to_owned()),
        n @ 3..6 => Scope::Api(APIS[n - 3].to_owned()),
        _ => Scope::AllApis,
    }
}

async fn ten_thousand_random_operations_lead_to_the_decisions_of_a_naive_model(
    repository: impl Repository,
) {
    let manage = repository.open(Manage::builder()).await.unwrap();
    let store = match repository.target() {
        Some(target) => Some(SqlStore::open(target).await.unwrap()),
        None => None,
    };
    for api in APIS {
        put_api(&manage, api, &format!("/{api}")).await;
    }
    let mut model = Model::default();
    for product in PRODUCTS {
        put_product(&manage, product, &[]).await;
        model.products.insert(product, Vec::new());
    }
    let mut numbers = Numbers(0x5eed);
    for step in 0..OPERATIONS {
        let id = format!("s{}", numbers.below(SUBSCRIPTIONS));
        operate(&manage, &mut model, &mut numbers, &id).await;
        if step % 500 == 499 {
            let catalog = match &store {
                Some(store) => {
                    store.wait_applied(manage.number().await.unwrap()).await;
                    Catalog::clone(&store.catalog().unwrap())
                }
                None => manage.export(admin()).await.unwrap(),
            };
            model.compare(&catalog, step);
            // Keys that were removed long ago are not checked again.
            let known = model.keys.len();
            model.keys.drain(..known.saturating_sub(200));
        }
    }
    assert!(manage.number().await.unwrap() > OPERATIONS / 4);
}

/// Makes one operation on both. The control plane refuses what the model does.
async fn operate(manage: &Manage, model: &mut Model, numbers: &mut Numbers, id: &str) {
    let details = Default::default;
    let exists = model.subscriptions.contains_key(id);
    let expect = |result: Result<(), ManageError>, accepted: bool| {
        assert_eq!(result.is_ok(), accepted, "{id}: {result:?}");
    };
    match numbers.below(12) {
        0 | 1 if !exists => {
            let scope = scope(numbers);
            let created = put(manage, id, scoped(scope.clone())).await.unwrap();
            let text = |key: Option<Secret>| key.unwrap().expose().to_owned();
            let (primary, secondary) = (text(created.primary_key), text(created.secondary_key));
            model.keys.extend([primary.clone(), secondary.clone()]);
            let keys = vec![
                (primary, KeySlot::Primary, false),
                (secondary, KeySlot::Secondary, false),
            ];
            let (scopes, state) = (vec![scope], State::Active);
            let made = Subscription {
                scopes,
                state,
                keys,
            };
            model.subscriptions.insert(id.to_owned(), made);
        }
        2 => {
            let deleted = manage.delete_subscription(admin(), id, Expected::Anything);
            assert_eq!(deleted.await.unwrap().value, exists);
            model.subscriptions.remove(id);
        }
        3 | 4 => {
            let slot = [KeySlot::Primary, KeySlot::Secondary][numbers.below(2)];
            let grace = Duration::from_secs(3600 * numbers.below(2) as u64);
            let rotation = Rotation {
                grace,
                ..Rotation::default()
            };
            let result = manage.regenerate(admin(), id, slot, rotation).await;
            let Some(subscription) = model.subscriptions.get_mut(id) else {
                return expect(result.map(drop), false);
            };
            let key = result.unwrap().value.key.expose().to_owned();
            subscription.drop_keys(slot, true);
            if grace.is_zero() {
                subscription.drop_keys(slot, false);
            }
            for (_, held, retired) in &mut subscription.keys {
                *retired |= *held == slot;
            }
            subscription.keys.push((key.clone(), slot, false));
            model.keys.push(key);
        }
        5 => {
            let scope = scope(numbers);
            let result = manage.grant(admin(), id, &scope).await;
            expect(result.map(drop), exists);
            if let Some(subscription) = model.subscriptions.get_mut(id)
                && !subscription.scopes.contains(&scope)
            {
                subscription.scopes.push(scope);
            }
        }
        6 => {
            let scope = scope(numbers);
            let result = manage.revoke(admin(), id, &scope).await;
            let Some(subscription) = model.subscriptions.get_mut(id) else {
                return expect(result.map(drop), false);
            };
            let is_last = subscription.scopes == [scope.clone()];
            expect(result.map(drop), !is_last);
            if !is_last {
                subscription.scopes.retain(|held| *held != scope);
            }
        }
        7 => {
            let result = manage.suspend(admin(), id, details()).await;
            change(
                model,
                id,
                result.map(drop),
                &[State::Active],
                State::Suspended,
            );
        }
        8 => {
            let result = manage.activate(admin(), id, details()).await;
            let from = [
                State::Suspended,
                State::Cancelled,
                State::Rejected,
                State::Expired,
            ];
            change(model, id, result.map(drop), &from, State::Active);
        }
        9 => {
            let result = manage.cancel(admin(), id, details()).await;
            let from = [State::Active, State::Suspended, State::Submitted];
            change(model, id, result.map(drop), &from, State::Cancelled);
        }
        10 => {
            let (product, api) = (PRODUCTS[numbers.below(3)], APIS[numbers.below(3)]);
            let members = model.products.get_mut(product).unwrap();
            if members.contains(&api) {
                manage.remove_api(admin(), product, api).await.unwrap();
                members.retain(|member| *member != api);
            } else {
                manage.add_api(admin(), product, api).await.unwrap();
                members.push(api);
            }
        }
        _ if exists => {
            let key = format!("by-hand-{}-{}", id, numbers.below(1_000_000));
            let fields = SubscriptionFields {
                primary_key: Some(KeyInput::text(&*key)),
                ..SubscriptionFields::default()
            };
            put(manage, id, fields).await.unwrap();
            let subscription = model.subscriptions.get_mut(id).unwrap();
            subscription.drop_keys(KeySlot::Primary, true);
            subscription.drop_keys(KeySlot::Primary, false);
            subscription
                .keys
                .push((key.clone(), KeySlot::Primary, false));
            model.keys.push(key);
        }
        _ => {
            // A product with subscriptions stays.
            let product = PRODUCTS[numbers.below(3)];
            let scope = Scope::Product(product.to_owned());
            let mut subscriptions = model.subscriptions.values();
            if subscriptions.any(|subscription| subscription.scopes.contains(&scope)) {
                let delete = manage.delete_product(admin(), product, Deletion::default());
                assert!(matches!(delete.await, Err(ManageError::InUse { .. })));
            }
        }
    }
}

fn change(model: &mut Model, id: &str, result: Result<(), ManageError>, from: &[State], to: State) {
    let subscription = model.subscriptions.get_mut(id);
    let subscription = subscription.filter(|subscription| from.contains(&subscription.state));
    assert_eq!(result.is_ok(), subscription.is_some(), "{id} to {to}");
    if let Some(subscription) = subscription {
        subscription.state = to;
    }
}
