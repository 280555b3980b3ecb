//! The contents of a cache as a catalog.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::clock::Moment;
use super::entries::Kept;
use crate::catalog::{Catalog, Change, KeySlot, Subscription, SubscriptionKey};

/// What goes into the file.
pub(super) struct Contents {
    pub(super) catalog: Catalog,
    /// When the contents were current.
    pub(super) as_of: SystemTime,
    /// The subscriptions that were last known to be current before that.
    pub(super) confirmed: HashMap<String, SystemTime>,
    /// The number of subscriptions that do not fit into a catalog.
    pub(super) left_out: usize,
}

impl Contents {
    /// The found keys that belong to the given APIs and products. `wall` is the time
    /// of day of a moment.
    pub(super) fn gather(
        definitions: &Catalog,
        found: Vec<Kept>,
        as_of: SystemTime,
        wall: impl Fn(Moment) -> SystemTime,
    ) -> Option<Self> {
        let mut contents = Self {
            catalog: definitions_of(definitions)?,
            as_of,
            confirmed: HashMap::new(),
            left_out: 0,
        };
        let mut by_subscription: HashMap<_, Vec<Kept>> = HashMap::new();
        let mut last = None;
        let mut is_same = |bound: &Arc<Catalog>| match &last {
            Some((compared, is_same)) if Arc::ptr_eq(compared, bound) => *is_same,
            _ => {
                let is_same = has_equal_definitions(bound, definitions);
                last = Some((Arc::clone(bound), is_same));
                is_same
            }
        };
        for kept in found {
            if kept.found.definitions.as_ref().is_some_and(&mut is_same) {
                let id = kept.found.owner.subscription().id().to_owned();
                by_subscription.entry(id).or_default().push(kept);
            }
        }
        for (id, found) in by_subscription {
            let added = merge(found).and_then(|(subscription, fresh_until)| {
                let catalog = contents
                    .catalog
                    .apply([Change::PutSubscription(subscription)])
                    .ok()?;
                Some((catalog, wall(fresh_until)))
            });
            let Some((catalog, confirmed_at)) = added else {
                contents.left_out += 1;
                continue;
            };
            contents.catalog = catalog;
            if confirmed_at < as_of {
                contents.confirmed.insert(id, confirmed_at);
            }
        }
        Some(contents)
    }
}

fn has_equal_definitions(one: &Catalog, other: &Catalog) -> bool {
    one.has_definitions_of(other)
        || one.apis().eq(other.apis()) && one.products().eq(other.products())
}

/// The APIs and products of a catalog, without its subscriptions.
pub(super) fn definitions_of(catalog: &Catalog) -> Option<Catalog> {
    let mut builder = Catalog::builder();
    catalog.apis().for_each(|api| builder.push_api(api.clone()));
    catalog
        .products()
        .for_each(|product| builder.push_product(product.clone()));
    builder.build().ok()
}

/// One subscription from all that is known about its keys, as the last lookup found
/// it, and until when that was fresh.
///
/// It has only keys that are in the cache, because the others may have been
/// invalidated, and none that the last lookup did not name.
fn merge(mut found: Vec<Kept>) -> Option<(Subscription, Moment)> {
    found.sort_by_key(|kept| Reverse(kept.found.found_at));
    let newest = found.first()?;
    let last = newest.found.owner.subscription();
    let names_its_keys = last.keys().next().is_some();
    let mut merged = Subscription {
        primary_key: None,
        secondary_key: None,
        ..Subscription::clone(last)
    };
    let mut fresh_until = newest.fresh_until;
    for kept in &found {
        let slot = kept.found.owner.slot();
        let key = match last.key(slot) {
            Some(key) if *key.digest() == kept.key => key.clone(),
            // The last lookup named no keys at all.
            None if !names_its_keys && merged.key(slot).is_none() => {
                fresh_until = fresh_until.min(kept.fresh_until);
                SubscriptionKey::from_digest(kept.key)
            }
            _ => continue,
        };
        match slot {
            KeySlot::Primary => merged.primary_key = Some(key),
            KeySlot::Secondary => merged.secondary_key = Some(key),
        }
    }
    Some((merged, fresh_until))
}
