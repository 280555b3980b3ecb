//! What a cache holds, as a catalog.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::SystemTime;

use super::clock::Moment;
use super::entries::Found;
use crate::catalog::{Catalog, Change, KeySlot, Subscription, SubscriptionKey};

/// What goes into the file.
pub(super) struct Contents {
    pub(super) catalog: Catalog,
    pub(super) as_of: SystemTime,
    /// When those subscriptions were last good that were not as of then.
    pub(super) confirmed: HashMap<String, SystemTime>,
    /// How many subscriptions do not fit into a catalog.
    pub(super) left_out: usize,
}

impl Contents {
    /// The found keys beside these APIs and products. `wall` tells the time of
    /// day of a moment.
    pub(super) fn gather(
        definitions: &Catalog,
        found: Vec<Found>,
        as_of: SystemTime,
        wall: impl Fn(Moment) -> SystemTime,
    ) -> Option<Self> {
        let mut contents = Self {
            catalog: definitions_of(definitions)?,
            as_of,
            confirmed: HashMap::new(),
            left_out: 0,
        };
        let mut by_subscription: HashMap<_, Vec<Found>> = HashMap::new();
        for found in found {
            let id = found.owner.subscription().id().to_owned();
            by_subscription.entry(id).or_default().push(found);
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

/// A catalog's APIs and products alone.
pub(super) fn definitions_of(catalog: &Catalog) -> Option<Catalog> {
    let mut builder = Catalog::builder();
    catalog.apis().for_each(|api| builder.push_api(api.clone()));
    catalog
        .products()
        .for_each(|product| builder.push_product(product.clone()));
    builder.build().ok()
}

/// One subscription of all that is known by its keys, as the last lookup found
/// it, and until when that was fresh.
///
/// It has only keys that are in the cache themselves, because the others may
/// have been invalidated; and of those none that the last lookup disowned.
fn merge(mut found: Vec<Found>) -> Option<(Subscription, Moment)> {
    found.sort_by_key(|found| Reverse(found.found_at));
    let newest = found.first()?;
    let last = newest.owner.subscription();
    let names_its_keys = last.keys().next().is_some();
    let mut merged = Subscription {
        primary_key: None,
        secondary_key: None,
        ..Subscription::clone(last)
    };
    let mut fresh_until = newest.fresh_until;
    for found in &found {
        let slot = found.owner.slot();
        let key = match last.key(slot) {
            Some(key) if *key.digest() == found.key => key.clone(),
            // The last lookup said nothing of this key.
            None if !names_its_keys && merged.key(slot).is_none() => {
                fresh_until = fresh_until.min(found.fresh_until);
                SubscriptionKey::from_digest(found.key)
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
