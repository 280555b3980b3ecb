use std::collections::HashSet;

use crate::catalog::{
    Api, Catalog, Entity, EntityKind, Field, Issue, IssueKind, KeySlot, Product, Subscription,
    SubscriptionKey,
};
use crate::import::{Found, FoundSubscription, Key, LeftOut, report};
use crate::key::KeyDigest;

/// The source of keys that are not in the files.
pub trait Keys {
    /// The key of an environment variable, or why it cannot be used.
    ///
    /// # Errors
    ///
    /// A sentence for the report.
    fn variable(&mut self, name: &str) -> Result<SubscriptionKey, String>;

    /// Whether subscriptions without keys get new ones. Otherwise they are left out.
    fn generates(&self) -> bool;
}

/// Makes the imported entities consistent with each other and with `existing`. An
/// entity that breaks a rule of catalogs goes to the report, together with the
/// entities that depend on it.
///
/// Returns the subscriptions with their keys; those without get new ones when they
/// are imported.
pub fn settle(found: &mut Found, existing: &Catalog, keys: &mut dyn Keys) -> Vec<Subscription> {
    let mut subscriptions = Vec::new();
    for found_subscription in std::mem::take(&mut found.subscriptions) {
        let with_keys = with_keys(found_subscription, keys, &mut found.left_out);
        subscriptions.extend(with_keys);
    }
    // Each round removes something, so that it ends.
    while let Err(issues) = check(found, &subscriptions, existing) {
        let before = size(found, &subscriptions);
        remove(issues, found, &mut subscriptions);
        if size(found, &subscriptions) == before {
            found.apis.clear();
            break;
        }
    }
    subscriptions
}

fn size(found: &Found, subscriptions: &[Subscription]) -> usize {
    let members: usize = found
        .products
        .iter()
        .map(|product| product.apis().len())
        .sum();
    let scopes: usize = subscriptions.iter().map(|s| s.scopes().len()).sum();
    found.apis.len()
        + found.products.len()
        + found.memberships.len()
        + subscriptions.len()
        + members
        + scopes
}

fn with_keys(
    found: FoundSubscription,
    keys: &mut dyn Keys,
    left_out: &mut Vec<LeftOut>,
) -> Option<Subscription> {
    let mut subscription = found.subscription;
    let id = subscription.id().to_owned();
    let mut has_key = false;
    for (slot, key) in found.keys {
        let key = match key {
            Key::Digest(digest) => SubscriptionKey::from_digest(digest),
            Key::Env(name) => match keys.variable(&name) {
                Ok(key) => key,
                Err(reason) => {
                    report(left_out, "keys", &id, reason);
                    continue;
                }
            },
        };
        has_key = true;
        subscription = match slot {
            KeySlot::Primary => subscription.with_primary_key(key),
            KeySlot::Secondary => subscription.with_secondary_key(key),
        };
    }
    if has_key || keys.generates() {
        return Some(subscription);
    }
    let reason = "its keys are not in the files: `--generate-keys` makes new ones";
    report(left_out, "subscriptions", &id, reason);
    None
}

/// The rules of catalogs, for what was found and what is there already.
fn check(
    found: &Found,
    subscriptions: &[Subscription],
    existing: &Catalog,
) -> Result<(), Vec<Issue>> {
    let mut builder = Catalog::builder().allow_no_apis();
    let apis: HashSet<&str> = found.apis.iter().map(Api::id).collect();
    let products: HashSet<&str> = found.products.iter().map(Product::id).collect();
    for api in &found.apis {
        builder.push_api(api.clone());
    }
    // What is found is checked against itself first: the index of an issue counts
    // from there.
    let others = existing.apis().filter(|api| !apis.contains(api.id()));
    // An API with a taken path refuses the import later, with the list.
    let is_free = |api: &&Api| !found.apis.iter().any(|found| found.path() == api.path());
    let others: Vec<&Api> = others.filter(is_free).collect();
    for api in &others {
        builder.push_api((*api).clone());
    }
    for product in &found.products {
        builder.push_product(product.clone());
    }
    for product in existing
        .products()
        .filter(|product| !products.contains(product.id()))
    {
        let known = |api: &&String| {
            apis.contains(api.as_str()) || others.iter().any(|other| other.id() == **api)
        };
        let members = product.apis().iter().filter(known).cloned();
        let added = found
            .memberships
            .iter()
            .filter(|(id, _)| id == product.id());
        let members = members.chain(added.map(|(_, api)| api.clone()));
        builder.push_product(
            Product::new(product.id())
                .with_apis(members)
                .with_subscription_required(!product.is_open()),
        );
    }
    for subscription in subscriptions {
        let mut subscription = subscription.clone();
        if subscription.keys().next().is_none() {
            // Its keys will be generated.
            let stand_in = KeyDigest::of(format!("generated for {}", subscription.id()));
            subscription = subscription.with_primary_key(stand_in);
        }
        builder.push_subscription(subscription);
    }
    match builder.build() {
        Ok(_) => {
            let dangling = |(product, _): &&(String, String)| {
                !products.contains(product.as_str()) && existing.product(product).is_none()
            };
            match found.memberships.iter().find(dangling) {
                None => Ok(()),
                Some((product, _)) => Err(vec![Issue {
                    entity: Some(Entity::new(EntityKind::Product, usize::MAX, product)),
                    field: Field::Whole,
                    kind: IssueKind::NoApis,
                }]),
            }
        }
        Err(error) => Err(error.issues().to_vec()),
    }
}

/// Takes out what breaks a rule, from behind, so that indexes keep their meaning.
fn remove(issues: Vec<Issue>, found: &mut Found, subscriptions: &mut Vec<Subscription>) {
    let mut issues = issues;
    issues.sort_by_key(|issue| std::cmp::Reverse(position(issue)));
    issues.dedup_by_key(|issue| position(issue));
    for issue in issues {
        let reason = issue.kind.to_string();
        let Some(Entity { kind, index, id }) = issue.entity else {
            continue;
        };
        let (kind, id) = match (kind, issue.field) {
            (EntityKind::Api, _) if index < found.apis.len() => {
                found.apis.remove(index);
                ("apis", id)
            }
            (EntityKind::Product, Field::Apis(at)) if index < found.products.len() => {
                let product = &found.products[index];
                let member = product.apis().get(at).map_or("", String::as_str);
                let member = format!("{id}/{member}");
                found.products[index] = without_member(product, at);
                ("products/apis", member)
            }
            (EntityKind::Product, _) if index < found.products.len() => {
                found.products.remove(index);
                ("products", id)
            }
            (EntityKind::Product, _) => {
                let is_out = |(product, _): &mut (String, String)| *product == id;
                for (product, api) in found.memberships.extract_if(.., is_out) {
                    let reason = "its product or its API is not there";
                    let member = format!("{product}/{api}");
                    report(&mut found.left_out, "products/apis", member, reason);
                }
                continue;
            }
            (EntityKind::Subscription, Field::Scope(at))
                if subscriptions
                    .get(index)
                    .is_some_and(|known| known.scopes().len() > at.max(1)) =>
            {
                let scope = subscriptions[index].scopes.remove(at);
                ("scopes", format!("{id}{scope}"))
            }
            (EntityKind::Subscription, _) if index < subscriptions.len() => {
                subscriptions.remove(index);
                ("subscriptions", id)
            }
            _ => continue,
        };
        report(&mut found.left_out, kind, id, reason);
    }
}

/// The list, the entry in it, and the place in the entry.
fn position(issue: &Issue) -> (Option<(EntityKind, usize)>, usize) {
    let entity = issue.entity.as_ref();
    let entry = entity.map(|entity| (entity.kind, entity.index));
    // Of several issues of an entry only one is removed in a round, unless they are
    // about elements, which are removed from behind.
    let place = match issue.field {
        Field::Apis(at) | Field::Scope(at) => at,
        _ => 0,
    };
    (entry, place)
}

fn without_member(product: &Product, at: usize) -> Product {
    let members = product
        .apis()
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != at);
    Product::new(product.id())
        .with_display_name(product.display_name())
        .with_apis(members.map(|(_, api)| api.clone()))
        .with_subscription_required(!product.is_open())
        .with_published(product.is_published())
        .with_metadata(product.metadata().clone())
}
