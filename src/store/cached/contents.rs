//! The contents of a cache as a catalog.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::clock::Moment;
use super::entries::Entry;
use crate::catalog::{
    Catalog, CatalogError, Change, HeldKey, KeyOwner, KeySlot, Subscription, SubscriptionKey,
};
use crate::key::KeyDigest;

/// What goes into the file.
pub(super) struct Contents {
    pub(super) catalog: Catalog,
    /// When each subscription was last confirmed, if that is earlier than for the rest.
    pub(super) confirmed: HashMap<String, SystemTime>,
    /// The number of subscriptions that do not fit into a catalog.
    pub(super) left_out: usize,
}

impl Contents {
    /// The found keys that belong to the given APIs and products. `wall` is the time
    /// of day of a moment.
    pub(super) fn gather(
        definitions: &Catalog,
        found: Vec<(KeyDigest, Entry)>,
        as_of: SystemTime,
        wall: impl Fn(Moment) -> SystemTime,
    ) -> Result<Self, CatalogError> {
        let mut contents = Self {
            catalog: definitions_of(definitions)?,
            confirmed: HashMap::new(),
            left_out: 0,
        };
        let mut by_subscription: HashMap<_, Vec<Found>> = HashMap::new();
        let mut last = None;
        // Entries share few handles.
        let mut is_same = |bound: &Arc<Catalog>| match &last {
            Some((compared, is_same)) if Arc::ptr_eq(compared, bound) => *is_same,
            _ => {
                let is_same = has_equal_definitions(bound, definitions);
                last = Some((Arc::clone(bound), is_same));
                is_same
            }
        };
        for (key, entry) in found {
            let (owner, bound) = entry.kept.answer.clone().into_parts();
            if let Some(owner) = owner
                && bound.as_ref().is_some_and(&mut is_same)
            {
                let id = owner.subscription().id().to_owned();
                let found = Found { key, owner, entry };
                by_subscription.entry(id).or_default().push(found);
            }
        }
        for (id, found) in by_subscription {
            let added = merge(found).and_then(|(subscription, fresh_until)| {
                let change = Change::PutSubscription(subscription);
                let catalog = contents.catalog.apply([change]).ok()?;
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
        Ok(contents)
    }
}

/// A found key.
struct Found {
    key: KeyDigest,
    owner: KeyOwner,
    entry: Entry,
}

fn has_equal_definitions(one: &Catalog, other: &Catalog) -> bool {
    one.has_definitions_of(other)
        || one.apis().eq(other.apis()) && one.products().eq(other.products())
}

/// The APIs and products of a catalog, without its subscriptions.
pub(crate) fn definitions_of(catalog: &Catalog) -> Result<Catalog, CatalogError> {
    let mut builder = Catalog::builder();
    catalog.apis().for_each(|api| builder.push_api(api.clone()));
    catalog
        .products()
        .for_each(|product| builder.push_product(product.clone()));
    builder.build()
}

/// One subscription from all that is known about its keys, as the last lookup found
/// it, and until when that was fresh.
///
/// It has only keys that are in the cache, because the others may have been
/// invalidated, and none that the last lookup did not name. A retired key alone does
/// not fit into a catalog: the subscription is then left out.
fn merge(mut found: Vec<Found>) -> Option<(Subscription, Moment)> {
    found.sort_by_key(|found| Reverse(found.entry.kept.found_at));
    let newest = found.first()?;
    let last = newest.owner.subscription();
    let names_its_keys = last.held_keys().next().is_some();
    let mut merged = Subscription {
        primary_key: None,
        secondary_key: None,
        retired_keys: [None, None],
        ..Subscription::clone(last)
    };
    let mut fresh_until = newest.entry.fresh_until;
    for Found { key, owner, entry } in &found {
        let mut named = last.held_keys().filter(|(_, named)| named.digest() == key);
        let slot = owner.slot();
        let (held, key) = match named.next() {
            Some((held, named)) => (held, named.clone()),
            // The last lookup named no keys at all.
            None if !names_its_keys && merged.key(slot).is_none() => {
                fresh_until = fresh_until.min(entry.fresh_until);
                (HeldKey::current(slot), SubscriptionKey::from_digest(*key))
            }
            None => continue,
        };
        merged = match held.slot {
            slot if held.retired => merged.with_retired_key(slot, key),
            KeySlot::Primary => merged.with_primary_key(key),
            KeySlot::Secondary => merged.with_secondary_key(key),
        };
    }
    Some((merged, fresh_until))
}
