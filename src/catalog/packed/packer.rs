use std::mem;
use std::panic::resume_unwind;
use std::thread;

use hashbrown::HashMap;

use crate::catalog::error::Issues;
use crate::catalog::packed::ids::IdTable;
use crate::catalog::packed::table::{KeyTable, PackedKey, Slot};
use crate::catalog::packed::{Detail, NONE, Record, Subscriptions, id_of, word};
use crate::catalog::validate::{Unread, clipped};
use crate::catalog::{
    Definitions, Entity, EntityKind, Field, Issue, IssueKind, Scope, Subscription, Target,
};

/// Subscriptions and scopes are counted in 27 bits.
const MAX_COUNT: usize = 1 << 27;

/// Takes subscriptions one by one and packs each at once, so that a million of
/// them are never in memory unpacked.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    records: Vec<Record>,
    ids: String,
    details: Vec<Detail>,
    keys: Vec<Slot>,
    /// Each scope once, with its count. APIs and products may come later, so that
    /// scopes are resolved at the end.
    scopes: HashMap<Scope, u32>,
    /// Scopes of the details, by those counts.
    detail_scopes: Vec<(u32, Vec<u32>)>,
}

impl Packer {
    pub(crate) fn push(&mut self, subscription: &Subscription, issues: &mut Issues) {
        let at = self.records.len();
        if at >= MAX_COUNT || self.ids.len() + subscription.id.len() > NONE as usize {
            let entity = Entity::new(EntityKind::Subscription, at, &subscription.id);
            issues.push(Issue::new(entity, Field::Whole, IssueKind::TooLarge));
            return;
        }
        self.push_record(at as u32, subscription);
        for (held, key) in subscription.held_keys() {
            self.keys.push(Slot {
                digest: *key.digest(),
                key: PackedKey {
                    subscription: at as u32,
                    word: word::key(held),
                },
            });
        }
    }

    fn push_record(&mut self, at: u32, subscription: &Subscription) {
        let id_start = self.ids.len() as u32;
        self.ids.push_str(&subscription.id);
        let counts: Vec<u32>;
        let scope = if let [scope] = subscription.scopes.as_slice() {
            counts = Vec::new();
            self.count(scope)
        } else {
            counts = subscription.scopes.iter().map(|s| self.count(s)).collect();
            NONE
        };
        let mut detail = NONE;
        if let Some(more) = Detail::of(subscription) {
            detail = self.details.len() as u32;
            self.details.push(more);
            if !counts.is_empty() {
                self.detail_scopes.push((at, counts));
            }
        }
        self.records.push(Record {
            id_start,
            detail,
            scope,
            keys: [NONE; 2],
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes everything from another packer, behind its own.
    #[cfg(feature = "document")]
    pub(crate) fn append(&mut self, other: Self, issues: &mut Issues) {
        let at = self.records.len();
        let fits = at + other.records.len() <= MAX_COUNT
            && self.ids.len() + other.ids.len() <= NONE as usize;
        if !fits {
            issues.push(Issue::of_catalog(IssueKind::TooLarge));
            return;
        }
        let (first, id_start) = (at as u32, self.ids.len() as u32);
        let details = self.details.len() as u32;
        let counts = self.count_all(other.scopes);
        let records = other.records.into_iter().map(|mut record| {
            record.id_start += id_start;
            if record.detail != NONE {
                record.detail += details;
            }
            if let Some(count) = counts.get(record.scope as usize) {
                record.scope = *count;
            }
            record
        });
        self.records.extend(records);
        self.ids.push_str(&other.ids);
        self.details.extend(other.details);
        for (at, scopes) in other.detail_scopes {
            let scopes = scopes.iter().map(|count| counts[*count as usize]);
            self.detail_scopes.push((at + first, scopes.collect()));
        }
        self.keys.extend(other.keys.into_iter().map(|mut slot| {
            slot.key.subscription += first;
            slot
        }));
    }

    /// Counts another packer's scopes, and returns the count of each of them here.
    #[cfg(feature = "document")]
    fn count_all(&mut self, theirs: HashMap<Scope, u32>) -> Vec<u32> {
        let mut counts = vec![NONE; theirs.len()];
        for (scope, count) in theirs {
            counts[count as usize] = self.count(&scope);
        }
        counts
    }

    fn count(&mut self, scope: &Scope) -> u32 {
        if let Some(count) = self.scopes.get(scope) {
            return *count;
        }
        let count = self.scopes.len() as u32;
        self.scopes.insert(scope.clone(), count);
        count
    }

    /// The subscription at a position, for an issue.
    fn entity(&self, at: u32) -> Entity {
        let id = id_of(&self.records, &self.ids, at);
        Entity::new(EntityKind::Subscription, at as usize, id)
    }

    /// Resolves the scopes and builds the tables.
    pub(crate) fn finish(
        mut self,
        definitions: &Definitions,
        unread: &Unread,
        issues: &mut Issues,
    ) -> Subscriptions {
        self.records.shrink_to_fit();
        self.ids.shrink_to_fit();
        self.details.shrink_to_fit();
        self.resolve_scopes(definitions, unread, issues);
        let keys = self.settled_keys();
        let (records, ids) = (&self.records, &self.ids);
        let ((table, collisions), (by_id, repeated)) = side_by_side(
            records.len(),
            || KeyTable::build(keys),
            || IdTable::build(records, ids),
        );
        for at in repeated {
            if !unread.contains(EntityKind::Subscription, at as usize, Field::Id) {
                issues.push_with(|| Issue::new(self.entity(at), Field::Id, IssueKind::DuplicateId));
            }
        }
        for collision in collisions {
            self.refuse_collision(collision.first.key, collision.second.key, issues);
        }
        for (position, Slot { key, .. }) in table.positions() {
            let held = key.held();
            let slot = held.slot as usize;
            let record = &mut self.records[key.subscription as usize];
            if !held.retired {
                record.keys[slot] = position;
            } else if let Some(detail) = self.details.get_mut(record.detail as usize)
                && let Some(retired) = detail.retired.as_mut()
                && let Some(retired) = &mut retired[slot]
            {
                retired.position = position;
            }
        }
        Subscriptions {
            table,
            records: self.records,
            ids: self.ids,
            by_id,
            details: self.details,
        }
    }

    fn resolve_scopes(&mut self, definitions: &Definitions, unread: &Unread, issues: &mut Issues) {
        let mut targets = vec![(Target::Service, None); self.scopes.len()];
        for (scope, count) in mem::take(&mut self.scopes) {
            targets[count as usize] = match definitions.resolve(&scope) {
                Some(target) => (target, None),
                None => (Target::Service, Some(scope)),
            };
        }
        let mut unknown = Vec::new();
        for (at, record) in (0..).zip(&mut self.records) {
            let count = record.scope;
            // If there is not exactly one scope, the detail has them.
            let Some((target, missing)) = targets.get(count as usize) else {
                continue;
            };
            record.scope = word::scope(*target);
            unknown.extend(missing.is_some().then_some((at, 0, count)));
        }
        for (at, counts) in mem::take(&mut self.detail_scopes) {
            for (place, count) in counts.into_iter().enumerate() {
                let (target, missing) = &targets[count as usize];
                let detail = self.records[at as usize].detail as usize;
                self.details[detail].scopes.push(*target);
                unknown.extend(missing.is_some().then_some((at, place, count)));
            }
        }
        for (at, place, count) in unknown {
            let Some(scope) = &targets[count as usize].1 else {
                continue;
            };
            let follows = match scope {
                Scope::Api(_) => unread.lacks_api_ids(),
                Scope::Product(_) => unread.lacks_product_ids(),
                Scope::Service | Scope::AllApis => false,
            };
            let field = Field::Scope(place);
            if !follows && !unread.contains(EntityKind::Subscription, at as usize, field) {
                let kind = || definitions.unknown_scope(scope);
                issues.push_with(|| Issue::new(self.entity(at), field, kind()));
            }
        }
    }

    /// All keys, with the scopes of their subscriptions in their words.
    fn settled_keys(&mut self) -> Vec<Slot> {
        let mut keys = mem::take(&mut self.keys);
        for Slot { key, .. } in &mut keys {
            let record = self.records[key.subscription as usize];
            let detail = self.details.get(record.detail as usize);
            let settled = detail.is_none_or(Detail::is_settled);
            key.word |= match record.scope {
                NONE => 0,
                scope if settled => word::settled(scope),
                scope => scope,
            };
        }
        keys
    }

    fn refuse_collision(&self, first: PackedKey, second: PackedKey, issues: &mut Issues) {
        // Equal keys of one subscription were reported with it.
        if first.subscription == second.subscription {
            return;
        }
        issues.push_with(|| {
            let other = id_of(&self.records, &self.ids, first.subscription);
            let kind = IssueKind::DuplicateKey {
                other: clipped(other),
                slot: first.held().slot,
            };
            let field = second.held().into();
            Issue::new(self.entity(second.subscription), field, kind)
        });
    }
}

/// Up to this many subscriptions, a thread costs more than it saves.
const ALONE: usize = 10_000;

/// Runs both closures. The second runs on a separate thread if there are many
/// subscriptions and the system can start a thread.
fn side_by_side<A, B: Send>(
    subscriptions: usize,
    first: impl FnOnce() -> A,
    second: impl Fn() -> B + Sync,
) -> (A, B) {
    if subscriptions <= ALONE {
        return (first(), second());
    }
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("subscriptions-build".into());
        let spawned = builder.spawn_scoped(scope, &second);
        let first = first();
        let second = match spawned {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => second(),
        };
        (first, second)
    })
}
