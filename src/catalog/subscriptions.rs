use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::time::SystemTime;

use hashbrown::HashTable;

use crate::catalog::id::check_id;
use crate::catalog::table::{KeyTable, Slot};
use crate::catalog::{
    ApiIndex, Entity, Field, Interfaces, Issue, IssueKind, KeySlot, Metadata, ProductIndex, Scope,
    State, Subscription, SubscriptionKey, Target, Validity,
};
use crate::key::KeyDigest;

/// What the owner of a key brings to a decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) slot: KeySlot,
    pub(crate) state: State,
    pub(crate) validity: Validity,
    pub(crate) key_validity: Validity,
    pub(crate) scopes: Scopes<'a>,
}

/// The scopes of a subscription, as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scopes<'a> {
    One(Target),
    Resolved(&'a [Target]),
    Named(&'a [Scope]),
}

/// Many subscriptions, immutable and packed: a slot for each key, a few words
/// for each subscription, and more only for those that have more.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    table: KeyTable,
    records: Vec<Record>,
    ids: String,
    by_id: HashTable<u32>,
    id_hash: RandomState,
    details: Vec<Detail>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    id_start: u32,
    /// Its place in `details`, or [`NONE`].
    detail: u32,
    /// Its one scope as a [`word`], or [`NONE`] where the detail has the scopes.
    scope: u32,
    /// Where its keys lie in the table, or [`NONE`].
    keys: [u32; 2],
}

/// What most subscriptions have not.
#[derive(Debug)]
struct Detail {
    display_name: Option<Box<str>>,
    owner: Option<Box<str>>,
    metadata: Option<Box<Metadata>>,
    state: State,
    validity: Validity,
    key_validity: [Validity; 2],
    /// All scopes, where there is not exactly one.
    scopes: Vec<Target>,
}

const NONE: u32 = u32::MAX;

/// Subscriptions and scopes are counted in 28 bits.
const MAX_COUNT: usize = 1 << 28;

/// Dropping more than this many takes long enough to be felt by a request.
const DROPPED_AT_ONCE: usize = 10_000;

/// A slot's word: which key it is, whether the scope in it settles everything,
/// and that scope.
mod word {
    use super::{ApiIndex, KeySlot, ProductIndex, Target};

    const SECONDARY: u32 = 1 << 31;
    const SETTLED: u32 = 1 << 30;
    const INDEX: u32 = (1 << 28) - 1;

    pub(super) fn scope(target: Target) -> u32 {
        match target {
            Target::Service => 0,
            Target::AllApis => 1 << 28,
            Target::Api(ApiIndex(index)) => 2 << 28 | index & INDEX,
            Target::Product(ProductIndex(index)) => 3 << 28 | index & INDEX,
        }
    }

    pub(super) fn target(word: u32) -> Target {
        match word >> 28 & 3 {
            0 => Target::Service,
            1 => Target::AllApis,
            2 => Target::Api(ApiIndex(word & INDEX)),
            _ => Target::Product(ProductIndex(word & INDEX)),
        }
    }

    pub(super) fn key(slot: KeySlot) -> u32 {
        match slot {
            KeySlot::Primary => 0,
            KeySlot::Secondary => SECONDARY,
        }
    }

    pub(super) fn slot(word: u32) -> KeySlot {
        if word & SECONDARY == 0 {
            KeySlot::Primary
        } else {
            KeySlot::Secondary
        }
    }

    /// Active, without limits in time, with exactly that scope.
    pub(super) fn settled(scope: u32) -> u32 {
        SETTLED | scope
    }

    pub(super) fn is_settled(word: u32) -> bool {
        word & SETTLED != 0
    }
}

impl Detail {
    fn of(subscription: &Subscription) -> Option<Self> {
        let key_validity = [KeySlot::Primary, KeySlot::Secondary].map(|slot| {
            Validity::until(subscription.key(slot).and_then(SubscriptionKey::expires_at))
        });
        let validity = Validity::new(subscription.not_before, subscription.expires_at);
        let metadata = &subscription.metadata;
        let detail = Self {
            display_name: subscription.display_name.as_deref().map(Into::into),
            owner: subscription.owner.as_deref().map(Into::into),
            metadata: (!metadata.is_empty()).then(|| Box::new(metadata.clone())),
            state: subscription.state,
            validity,
            key_validity,
            scopes: Vec::new(),
        };
        let needed = detail.display_name.is_some()
            || detail.owner.is_some()
            || detail.metadata.is_some()
            || !detail.is_settled()
            || subscription.scopes.len() != 1;
        needed.then_some(detail)
    }

    /// Whether nothing here bears on a decision.
    fn is_settled(&self) -> bool {
        self.state == State::Active
            && self.validity.is_always()
            && self
                .key_validity
                .iter()
                .all(|validity| validity.is_always())
            && self.scopes.is_empty()
    }
}

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The subscription with that key: its place, and its claim.
    pub(crate) fn by_key(&self, digest: &KeyDigest) -> Option<(u32, Claim<'_>)> {
        let slot = self.table.get(digest)?;
        Some((slot.subscription, self.claim(slot)))
    }

    fn claim(&self, key: &Slot) -> Claim<'_> {
        let slot = word::slot(key.word);
        let claim = Claim {
            slot,
            state: State::Active,
            validity: Validity::ALWAYS,
            key_validity: Validity::ALWAYS,
            scopes: Scopes::One(word::target(key.word)),
        };
        if word::is_settled(key.word) {
            return claim;
        }
        let Some(detail) = self.detail(key.subscription) else {
            return claim;
        };
        Claim {
            slot,
            state: detail.state,
            validity: detail.validity,
            key_validity: detail.key_validity[slot as usize],
            scopes: if detail.scopes.is_empty() {
                claim.scopes
            } else {
                Scopes::Resolved(&detail.scopes)
            },
        }
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<u32> {
        let hash = self.id_hash.hash_one(id);
        let same = |at: &u32| self.id(*at) == id;
        self.by_id.find(hash, same).copied()
    }

    pub(crate) fn id(&self, at: u32) -> &str {
        id_of(&self.records, &self.ids, at)
    }

    pub(crate) fn display_name(&self, at: u32) -> &str {
        let name = self.detail(at).and_then(|d| d.display_name.as_deref());
        name.unwrap_or_else(|| self.id(at))
    }

    pub(crate) fn owner(&self, at: u32) -> Option<&str> {
        self.detail(at)?.owner.as_deref()
    }

    pub(crate) fn expires_at(&self, at: u32) -> Option<SystemTime> {
        self.detail(at)?.validity.end()
    }

    pub(crate) fn metadata(&self, at: u32) -> &Metadata {
        self.detail(at)
            .and_then(|detail| detail.metadata.as_deref())
            .unwrap_or(Metadata::none())
    }

    pub(crate) fn scopes(&self, at: u32) -> Scopes<'_> {
        match self.detail(at) {
            Some(detail) if !detail.scopes.is_empty() => Scopes::Resolved(&detail.scopes),
            _ => {
                let scope = self.records.get(at as usize).map_or(0, |r| r.scope);
                Scopes::One(word::target(scope))
            }
        }
    }

    fn detail(&self, at: u32) -> Option<&Detail> {
        let record = self.records.get(at as usize)?;
        self.details.get(record.detail as usize)
    }

    /// The digests of its keys, with their slots.
    pub(crate) fn keys(&self, at: u32) -> impl Iterator<Item = (KeySlot, KeyDigest)> + '_ {
        let keys = self.records.get(at as usize).map_or([NONE; 2], |r| r.keys);
        [KeySlot::Primary, KeySlot::Secondary]
            .into_iter()
            .zip(keys)
            .filter_map(|(slot, position)| Some((slot, self.table.at(position)?.digest)))
    }

    /// The subscription, unpacked.
    pub(crate) fn unpack(&self, at: u32, interfaces: &Interfaces) -> Subscription {
        let mut subscription = Subscription::new(self.id(at));
        subscription.scopes = self.scopes(at).to_scopes(interfaces);
        let detail = self.detail(at);
        for (slot, digest) in self.keys(at) {
            let mut key = SubscriptionKey::from_digest(digest);
            if let Some(end) = detail.and_then(|d| d.key_validity[slot as usize].end()) {
                key = key.with_expiry(end);
            }
            match slot {
                KeySlot::Primary => subscription.primary_key = Some(key),
                KeySlot::Secondary => subscription.secondary_key = Some(key),
            }
        }
        if let Some(detail) = detail {
            subscription.display_name = detail.display_name.as_deref().map(str::to_owned);
            subscription.owner = detail.owner.as_deref().map(str::to_owned);
            subscription.metadata = self.metadata(at).clone();
            subscription.state = detail.state;
            subscription.not_before = detail.validity.start();
            subscription.expires_at = detail.validity.end();
        }
        subscription
    }
}

impl Scopes<'_> {
    /// The scopes by name.
    pub(crate) fn to_scopes(self, interfaces: &Interfaces) -> Vec<Scope> {
        let named = |target: &Target| interfaces.scope(*target).to_scope();
        match self {
            Self::One(target) => vec![named(&target)],
            Self::Resolved(targets) => targets.iter().map(named).collect(),
            Self::Named(scopes) => scopes.to_vec(),
        }
    }
}

fn id_of<'a>(records: &[Record], ids: &'a str, at: u32) -> &'a str {
    let at = at as usize;
    let start = records.get(at).map_or(ids.len(), |r| r.id_start as usize);
    let end = records
        .get(at + 1)
        .map_or(ids.len(), |r| r.id_start as usize);
    ids.get(start..end).unwrap_or_default()
}

/// A million subscriptions take long to free. Whoever lets go of the last
/// version that holds them may be a request, so that a thread does it.
impl Drop for Subscriptions {
    fn drop(&mut self) {
        if self.records.len() <= DROPPED_AT_ONCE {
            return;
        }
        let (table, _) = KeyTable::build(&[]);
        let parts = (
            mem::replace(&mut self.table, table),
            mem::take(&mut self.records),
            mem::take(&mut self.ids),
            mem::take(&mut self.by_id),
            mem::take(&mut self.details),
        );
        // Where no thread can be had, the closure and the parts in it are
        // dropped right here.
        let _ = std::thread::Builder::new()
            .name("subscriptions-drop".into())
            .spawn(move || drop(parts));
    }
}

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
pub(super) fn check_keys_differ(subscription: &Subscription) -> Option<(Field, IssueKind)> {
    let mut keys = subscription.keys();
    let ((_, first), (slot, second)) = (keys.next()?, keys.next()?);
    let same = first.digest() == second.digest();
    same.then_some((Field::Key(slot), IssueKind::SameKeys))
}

/// What can be wrong with a subscription by itself, but for equal keys.
pub(super) fn check(subscription: &Subscription, index: usize, issues: &mut Vec<Issue>) {
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
