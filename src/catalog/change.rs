use std::sync::Arc;

use hashbrown::HashMap;

use crate::catalog::error::Issues;
use crate::catalog::overlay::Overlaid;
use crate::catalog::places::{Edited, Places};
use crate::catalog::validate::{self, Findings, Unread};
use crate::catalog::{
    Api, ApiIndex, Catalog, CatalogError, Definitions, Entity, EntityKind, Field, Issue, IssueKind,
    Product, ProductIndex, Subscription, SubscriptionView, Target,
};

/// A change to a [`Catalog`], made by [`Catalog::apply`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Adds an API after the others, or replaces the one with its id.
    PutApi(Api),
    /// Adds a product after the others, or replaces the one with its id.
    PutProduct(Product),
    /// Adds a subscription, or replaces the one with its id.
    PutSubscription(Subscription),
    /// Removes the API with this id, if there is one.
    RemoveApi(String),
    /// Removes the product with this id, if there is one.
    RemoveProduct(String),
    /// Removes the subscription with this id, if there is one.
    RemoveSubscription(String),
}

/// Below this many changed subscriptions, packing them saves requests nothing
/// that is worth the work.
const FEW_CHANGES: usize = 4096;

impl Catalog {
    /// Applies all changes and returns the result as one new version.
    ///
    /// Only the result is validated. The order of changes matters only for
    /// changes to the same API, product or subscription: the last one counts.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] if the result breaks a rule. Then nothing is changed.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<Self, CatalogError> {
        let before = &self.definitions;
        let api_at = |id: &str| before.api_by_id(id).map(|at| at.0);
        let product_at = |id: &str| before.product_by_id(id).map(|at| at.0);
        let edited_apis = || Edited::new(before.api_places());
        let edited_products = || Edited::new(before.product_places());
        let (mut apis, mut products) = (None, None);
        let mut subscriptions = Subscriptions::default();
        for change in changes {
            match change {
                Change::PutApi(api) => {
                    let (at, id) = (api_at(api.id()), api.id().to_owned());
                    apis.get_or_insert_with(edited_apis).put(at, &id, api);
                }
                Change::RemoveApi(id) => {
                    let at = api_at(&id);
                    apis.get_or_insert_with(edited_apis).remove(at, &id);
                }
                Change::PutProduct(product) => {
                    let (at, id) = (product_at(product.id()), product.id().to_owned());
                    let products = products.get_or_insert_with(edited_products);
                    products.put(at, &id, product);
                }
                Change::RemoveProduct(id) => {
                    let at = product_at(&id);
                    products.get_or_insert_with(edited_products).remove(at, &id);
                }
                Change::PutSubscription(new) => {
                    subscriptions.set(new.id().to_owned(), Some(Arc::new(new)));
                }
                Change::RemoveSubscription(id) => subscriptions.set(id, None),
            }
        }
        let mut issues = Issues::default();
        let mut next = self.clone();
        if apis.is_some() || products.is_some() {
            let apis = apis.unwrap_or_else(edited_apis);
            let products = products.unwrap_or_else(edited_products);
            next.edit_definitions(apis, products, &subscriptions, &mut issues)?;
        }
        next.edit_subscriptions(&subscriptions, &mut issues);
        issues.into_result()?;
        let many = FEW_CHANGES.max(next.packed.len() / 4);
        Ok(if next.overlay.len() > many {
            next.pack()
        } else {
            next
        })
    }

    fn edit_definitions(
        &mut self,
        apis: Edited<Api>,
        products: Edited<Product>,
        changes: &Subscriptions,
        issues: &mut Issues,
    ) -> Result<(), CatalogError> {
        let (apis, removed_apis) = apis.finish();
        let (products, removed_products) = products.finish();
        let before = Arc::clone(&self.definitions);
        let no_apis = apis.len() == 0 && !self.allows_no_apis;
        let mut in_use = Issues::default();
        let mut refuse = |entity, kind| in_use.push(Issue::new(entity, Field::Whole, kind));
        let holders = (!removed_apis.is_empty()).then(|| holders(&products));
        for (index, (at, api)) in before.api_places().in_order().enumerate() {
            if !removed_apis.contains(&at) {
                continue;
            }
            let holder = holders.as_ref().and_then(|all| all.get(api.id()).cloned());
            let user = || self.subscription_with(Target::Api(ApiIndex(at)), changes);
            let entity = Entity::new(EntityKind::Api, index, api.id());
            match holder.or_else(user) {
                Some(by) => refuse(entity, IssueKind::InUse { by }),
                None if no_apis => refuse(entity, IssueKind::LastApi),
                None => {}
            }
        }
        for (index, (at, product)) in before.product_places().in_order().enumerate() {
            if !removed_products.contains(&at) {
                continue;
            }
            let target = Target::Product(ProductIndex(at));
            if let Some(by) = self.subscription_with(target, changes) {
                let entity = Entity::new(EntityKind::Product, index, product.id());
                refuse(entity, IssueKind::InUse { by });
            }
        }
        in_use.into_result()?;
        for (index, (_, api)) in apis.in_order().enumerate() {
            let entity = || Entity::new(EntityKind::Api, index, api.id());
            issues.extend(validate::api(api, &[]), entity);
        }
        for (index, (_, product)) in products.in_order().enumerate() {
            let entity = || Entity::new(EntityKind::Product, index, product.id());
            issues.extend(validate::product(product, &[]), entity);
        }
        let unread = Unread::default();
        self.definitions = Arc::new(Definitions::build(apis, products, &unread, issues));
        Ok(())
    }

    fn edit_subscriptions(&mut self, changes: &Subscriptions, issues: &mut Issues) {
        for id in changes.by_id.keys() {
            self.overlay.release_keys(id, &self.packed);
        }
        for (index, (id, change)) in changes.in_order.iter().enumerate() {
            self.len -= usize::from(self.has_subscription(id));
            let Some(subscription) = change else {
                self.overlay.remove(id, &self.packed);
                continue;
            };
            self.len += 1;
            let entity = || Entity::new(EntityKind::Subscription, index, id);
            issues.extend(validate::subscription(subscription, &[]), entity);
            issues.extend(self.conflicts(subscription), entity);
            self.overlay.put(subscription);
        }
    }

    /// Finds conflicts between a subscription and all others.
    fn conflicts(&self, subscription: &Subscription) -> Findings {
        let mut conflicts = Vec::new();
        for (at, scope) in subscription.scopes().iter().enumerate() {
            if self.definitions.resolve(scope).is_none() {
                conflicts.push((Field::Scope(at), self.definitions.unknown_scope(scope)));
            }
        }
        for (held, key) in subscription.held_keys() {
            if let Some(owner) = self.find(key.digest()) {
                let other = SubscriptionView::new(self, &owner).id().to_owned();
                let slot = owner.slot();
                conflicts.push((held.into(), IssueKind::DuplicateKey { other, slot }));
            }
        }
        conflicts
    }

    /// The first subscription with the given scope, also among the new ones.
    fn subscription_with(&self, target: Target, changes: &Subscriptions) -> Option<Entity> {
        let scope = self.definitions.scope(target);
        let has_scope = |subscription: &Subscription| subscription.scopes().contains(&scope);
        let unchanged = || {
            let packed = self.packed.with_scope(target).map(|at| self.packed.id(at));
            let packed = packed.filter(|id| matches!(self.overlay.by_id(id), Overlaid::Unchanged));
            let overlaid = self.overlay.subscriptions().filter(|s| has_scope(s));
            packed
                .chain(overlaid.map(|subscription| subscription.id()))
                .find(|id| !changes.by_id.contains_key(*id))
        };
        let changed = changes.in_order.iter().find_map(|(id, change)| {
            let has_scope = change.as_deref().is_some_and(has_scope);
            has_scope.then_some(id.as_str())
        });
        let id = changed.or_else(unchanged)?;
        Some(Entity::new(EntityKind::Subscription, 0, id))
    }
}

/// The last change to each subscription, in the order of the first ones.
#[derive(Default)]
struct Subscriptions {
    in_order: Vec<(String, Option<Arc<Subscription>>)>,
    by_id: HashMap<String, usize>,
}

impl Subscriptions {
    fn set(&mut self, id: String, change: Option<Arc<Subscription>>) {
        match self.by_id.get(&id) {
            Some(at) => self.in_order[*at].1 = change,
            None => {
                self.by_id.insert(id.clone(), self.in_order.len());
                self.in_order.push((id, change));
            }
        }
    }
}

/// The first product that contains each API.
fn holders(products: &Places<Product>) -> HashMap<String, Entity> {
    let mut holders = HashMap::new();
    for (index, (_, product)) in products.in_order().enumerate() {
        for api in product.apis() {
            holders
                .entry(api.clone())
                .or_insert_with(|| Entity::new(EntityKind::Product, index, product.id()));
        }
    }
    holders
}
