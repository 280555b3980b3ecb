use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;

use hashbrown::HashTable;

use crate::catalog::id::check_id;
use crate::catalog::packed::table::{KeyTable, Slot};
use crate::catalog::packed::{Detail, NONE, Record, Subscriptions, id_of, word};
use crate::catalog::{Entity, Field, Interfaces, Issue, IssueKind, Scope, Subscription, Target};

/// Subscriptions and scopes are counted in 28 bits.
const MAX_COUNT: usize = 1 << 28;

/// Takes subscriptions one by one and packs each at once, so that a million
/// never lie in memory unpacked.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    records: Vec<Record>,
    ids: String,
    by_id: HashTable<u32>,
    id_hash: RandomState,
    details: Vec<Detail>,
    keys: Vec<Slot>,
    /// Each scope once. APIs and products may come later, so that scopes are
    /// counted now and resolved at the end.
    scopes: HashMap<Scope, u32>,
    /// Scopes of the details, by those counts.
    detail_scopes: Vec<(u32, Vec<u32>)>,
    issues: Vec<Issue>,
}

impl Packer {
    pub(crate) fn push(&mut self, subscription: Subscription) {
        let at = self.records.len();
        check(&subscription, at, &mut self.issues);
        if at >= MAX_COUNT || self.ids.len() + subscription.id.len() > NONE as usize {
            self.refuse(at, &subscription.id, Field::Whole, IssueKind::TooLarge);
            return;
        }
        self.push_record(at as u32, &subscription);
        for (slot, key) in subscription.keys() {
            self.keys.push(Slot {
                digest: *key.digest(),
                subscription: at as u32,
                word: word::key(slot),
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

    /// Enters all ids at once: a table that grows with them would be built anew
    /// twenty times on the way to a million.
    fn enter_ids(&mut self) {
        self.by_id = HashTable::with_capacity(self.records.len());
        for at in 0..self.records.len() as u32 {
            self.enter_id(at);
        }
    }

    fn enter_id(&mut self, at: u32) {
        let (records, ids, id_hash) = (&self.records, &self.ids, &self.id_hash);
        let id = id_of(records, ids, at);
        let hash = id_hash.hash_one(id);
        let same = |other: &u32| id_of(records, ids, *other) == id;
        if self.by_id.find(hash, same).is_some() {
            let id = id.to_owned();
            self.refuse(at as usize, &id, Field::Id, IssueKind::DuplicateId);
            return;
        }
        let hasher = |other: &u32| id_hash.hash_one(id_of(records, ids, *other));
        self.by_id.insert_unique(hash, at, hasher);
    }

    fn count(&mut self, scope: &Scope) -> u32 {
        if let Some(count) = self.scopes.get(scope) {
            return *count;
        }
        let count = self.scopes.len() as u32;
        self.scopes.insert(scope.clone(), count);
        count
    }

    fn refuse(&mut self, index: usize, id: &str, field: Field, kind: IssueKind) {
        let id = id.to_owned();
        let entity = Entity::Subscription { index, id };
        self.issues.push(Issue {
            entity,
            field,
            kind,
        });
    }

    /// Resolves the scopes and builds the table.
    pub(crate) fn finish(
        mut self,
        interfaces: &Interfaces,
        issues: &mut Vec<Issue>,
    ) -> Subscriptions {
        self.enter_ids();
        self.resolve_scopes(interfaces);
        self.settle_keys();
        let (table, collisions) = KeyTable::build(&mem::take(&mut self.keys));
        for collision in collisions {
            self.refuse_collision(collision.first, collision.second);
        }
        for (position, key) in table.positions() {
            let slot = word::slot(key.word) as usize;
            self.records[key.subscription as usize].keys[slot] = position;
        }
        self.issues.sort_by_key(|issue| match issue.entity {
            Entity::Subscription { index, .. } => index,
            _ => 0,
        });
        issues.append(&mut self.issues);
        self.records.shrink_to_fit();
        self.ids.shrink_to_fit();
        self.details.shrink_to_fit();
        Subscriptions {
            table,
            records: self.records,
            ids: self.ids,
            by_id: self.by_id,
            id_hash: self.id_hash,
            details: self.details,
        }
    }

    fn resolve_scopes(&mut self, interfaces: &Interfaces) {
        let mut targets = vec![(Target::Service, None); self.scopes.len()];
        for (scope, count) in mem::take(&mut self.scopes) {
            targets[count as usize] = match interfaces.resolve(&scope) {
                Some(target) => (target, None),
                None => (Target::Service, Some(scope)),
            };
        }
        let mut unknown = Vec::new();
        for (at, record) in self.records.iter_mut().enumerate() {
            // Where there is not exactly one scope, the detail has them.
            let Some((target, missing)) = targets.get(record.scope as usize) else {
                continue;
            };
            record.scope = word::scope(*target);
            unknown.extend(missing.iter().map(|scope| (at, 0, scope.clone())));
        }
        for (at, counts) in mem::take(&mut self.detail_scopes) {
            let at = at as usize;
            for (place, count) in counts.into_iter().enumerate() {
                let (target, missing) = &targets[count as usize];
                let detail = self.records[at].detail as usize;
                self.details[detail].scopes.push(*target);
                unknown.extend(missing.iter().map(|scope| (at, place, scope.clone())));
            }
        }
        for (at, place, scope) in unknown {
            let id = id_of(&self.records, &self.ids, at as u32).to_owned();
            self.refuse(
                at,
                &id,
                Field::Scope(place),
                IssueKind::UnknownScope { scope },
            );
        }
    }

    fn settle_keys(&mut self) {
        for key in &mut self.keys {
            let record = self.records[key.subscription as usize];
            let detail = self.details.get(record.detail as usize);
            let settled = detail.is_none_or(Detail::is_settled);
            key.word |= match record.scope {
                NONE => 0,
                scope if settled => word::settled(scope),
                scope => scope,
            };
        }
    }

    fn refuse_collision(&mut self, first: Slot, second: Slot) {
        let id = |at| id_of(&self.records, &self.ids, at).to_owned();
        let (other, this) = (id(first.subscription), id(second.subscription));
        let kind = if first.subscription == second.subscription {
            IssueKind::SameKeys
        } else {
            let slot = word::slot(first.word);
            IssueKind::DuplicateKey { other, slot }
        };
        let field = Field::Key(word::slot(second.word));
        self.refuse(second.subscription as usize, &this, field, kind);
    }
}

/// A second key that is the first one again.
pub(in crate::catalog) fn check_keys_differ(
    subscription: &Subscription,
) -> Option<(Field, IssueKind)> {
    let mut keys = subscription.keys();
    let ((_, first), (slot, second)) = (keys.next()?, keys.next()?);
    let same = first.digest() == second.digest();
    same.then_some((Field::Key(slot), IssueKind::SameKeys))
}

/// What can be wrong with a subscription by itself, but for equal keys.
pub(in crate::catalog) fn check(
    subscription: &Subscription,
    index: usize,
    issues: &mut Vec<Issue>,
) {
    let mut refuse = |field, kind| {
        let id = subscription.id.clone();
        let entity = Entity::Subscription { index, id };
        issues.push(Issue {
            entity,
            field,
            kind,
        });
    };
    if let Err(error) = check_id(&subscription.id) {
        refuse(Field::Id, error.into());
    }
    if subscription.scopes.is_empty() {
        refuse(Field::Scope(0), IssueKind::NoScope);
    }
    if subscription.keys().next().is_none() {
        refuse(Field::Whole, IssueKind::NoKey);
    }
    for (slot, key) in subscription.keys() {
        if !key.length_is_valid() {
            refuse(Field::Key(slot), IssueKind::KeyLength);
        }
    }
}
