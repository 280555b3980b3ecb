mod ids;
mod packer;
mod table;
mod word;

use std::mem;
use std::time::SystemTime;

use crate::catalog::{
    Claim, Definitions, HeldKey, KeySlot, Metadata, Scopes, State, Subscription, SubscriptionKey,
    Target, Validity,
};
use crate::key::KeyDigest;

pub(crate) use packer::Packer;
pub(crate) use table::PackedKey;

use ids::IdTable;
use table::KeyTable;

/// Many subscriptions, immutable and packed: a slot for each key, a few words for
/// each subscription, and a detail only for those that need one.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    table: KeyTable,
    records: Vec<Record>,
    ids: String,
    by_id: IdTable,
    details: Vec<Detail>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    id_start: u32,
    /// Its position in `details`, or [`NONE`].
    detail: u32,
    /// Its scope as a [`word`], or [`NONE`] if the detail has the scopes.
    scope: u32,
    /// The positions of its keys in the table, or [`NONE`].
    keys: [u32; 2],
}

/// The properties that most subscriptions do not have.
#[derive(Debug)]
struct Detail {
    display_name: Option<Box<str>>,
    owner: Option<Box<str>>,
    metadata: Option<Box<Metadata>>,
    state: State,
    validity: Validity,
    key_validity: [Validity; 2],
    retired: Option<Box<[Option<Retired>; 2]>>,
    /// All scopes, unless there is exactly one.
    scopes: Vec<Target>,
}

/// A retired key: its position in the table, and its validity.
#[derive(Debug, Clone, Copy)]
struct Retired {
    position: u32,
    validity: Validity,
}

const NONE: u32 = u32::MAX;

/// Dropping more than this many would delay a request.
const DROPPED_AT_ONCE: usize = 10_000;

impl Detail {
    fn of(subscription: &Subscription) -> Option<Self> {
        let key_validity = [KeySlot::Primary, KeySlot::Secondary].map(|slot| {
            Validity::until(subscription.key(slot).and_then(SubscriptionKey::expires_at))
        });
        let validity = Validity::new(subscription.not_before, subscription.expires_at);
        let has_retired = subscription.retired_keys().next().is_some();
        let retired = has_retired.then(|| {
            let retired = [KeySlot::Primary, KeySlot::Secondary].map(|slot| {
                let key = subscription.retired_key(slot)?;
                let (position, validity) = (NONE, Validity::until(key.expires_at()));
                Some(Retired { position, validity })
            });
            Box::new(retired)
        });
        let metadata = &subscription.metadata;
        let detail = Self {
            display_name: subscription.display_name.as_deref().map(Into::into),
            owner: subscription.owner.as_deref().map(Into::into),
            metadata: (!metadata.is_empty()).then(|| Box::new(metadata.clone())),
            state: subscription.state,
            validity,
            key_validity,
            retired,
            scopes: Vec::new(),
        };
        let needed = detail.display_name.is_some()
            || detail.owner.is_some()
            || detail.metadata.is_some()
            || !detail.is_settled()
            || subscription.scopes.len() != 1;
        needed.then_some(detail)
    }

    /// Whether a decision depends on nothing here.
    fn is_settled(&self) -> bool {
        self.state == State::Active
            && self.validity.is_always()
            && self
                .key_validity
                .iter()
                .all(|validity| validity.is_always())
            && self.retired.is_none()
            && self.scopes.is_empty()
    }
}

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    #[inline]
    pub(crate) fn by_key(&self, digest: &KeyDigest) -> Option<PackedKey> {
        self.table.get(digest).map(|slot| slot.key)
    }

    /// What a decision needs to know about the key and its owner.
    #[inline]
    pub(crate) fn claim(&self, key: PackedKey) -> Claim<'_> {
        let mut claim = Claim {
            state: State::Active,
            validity: Validity::ALWAYS,
            key_validity: Validity::ALWAYS,
            scopes: Scopes::One(word::target(key.word)),
        };
        if !word::is_settled(key.word)
            && let Some(detail) = self.detail(key.subscription)
        {
            claim.state = detail.state;
            claim.validity = detail.validity;
            claim.key_validity = detail.key_validity(key.held());
            if !detail.scopes.is_empty() {
                claim.scopes = Scopes::Resolved(&detail.scopes);
            }
        }
        claim
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<u32> {
        self.by_id.get(id, &self.records, &self.ids)
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

    /// Its keys, with their digests.
    fn keys(&self, at: u32) -> impl Iterator<Item = (HeldKey, KeyDigest)> + '_ {
        let keys = self.records.get(at as usize).map_or([NONE; 2], |r| r.keys);
        let retired = self.detail(at).and_then(|detail| detail.retired.as_deref());
        let retired = retired.copied().unwrap_or_default();
        let retired = retired.map(|retired| retired.map_or(NONE, |retired| retired.position));
        let positions = keys.into_iter().chain(retired);
        HeldKey::ALL
            .into_iter()
            .zip(positions)
            .filter_map(|(held, position)| Some((held, self.table.at(position)?.digest)))
    }

    /// The digests of its keys.
    pub(crate) fn digests(&self, at: u32) -> impl Iterator<Item = KeyDigest> + '_ {
        self.keys(at).map(|(_, digest)| digest)
    }

    /// The subscriptions that have exactly the given scope among theirs.
    pub(crate) fn with_scope(&self, target: Target) -> impl Iterator<Item = u32> + '_ {
        let word = word::scope(target);
        (0..).zip(&self.records).filter_map(move |(at, record)| {
            let detail = self.details.get(record.detail as usize);
            let listed = detail.is_some_and(|detail| detail.scopes.contains(&target));
            (record.scope == word || listed).then_some(at)
        })
    }

    /// The subscription, unpacked.
    pub(crate) fn unpack(&self, at: u32, definitions: &Definitions) -> Subscription {
        let mut subscription = Subscription::new(self.id(at));
        subscription.scopes = self.scopes(at).to_scopes(definitions);
        let detail = self.detail(at);
        for (held, digest) in self.keys(at) {
            let mut key = SubscriptionKey::from_digest(digest);
            if let Some(end) = detail.and_then(|d| d.key_validity(held).end()) {
                key = key.with_expiry(end);
            }
            subscription = match (held.slot, held.retired) {
                (KeySlot::Primary, false) => subscription.with_primary_key(key),
                (KeySlot::Secondary, false) => subscription.with_secondary_key(key),
                (slot, true) => subscription.with_retired_key(slot, key),
            };
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

impl PackedKey {
    pub(crate) fn subscription(self) -> u32 {
        self.subscription
    }

    /// Which of the subscription's keys it is.
    #[inline]
    pub(crate) fn held(self) -> HeldKey {
        word::held(self.word)
    }
}

impl Detail {
    fn key_validity(&self, held: HeldKey) -> Validity {
        let retired = || self.retired.as_deref()?[held.slot as usize];
        match retired().filter(|_| held.retired) {
            Some(retired) => retired.validity,
            None => self.key_validity[held.slot as usize],
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

/// A million subscriptions take long to free, and the last one to use a version
/// may be a request. So a thread frees them.
impl Drop for Subscriptions {
    fn drop(&mut self) {
        if self.records.len() <= DROPPED_AT_ONCE {
            return;
        }
        let (table, _) = KeyTable::build(Vec::new());
        let parts = (
            mem::replace(&mut self.table, table),
            mem::take(&mut self.records),
            mem::take(&mut self.ids),
            mem::take(&mut self.by_id),
            mem::take(&mut self.details),
        );
        // If there is no thread, the closure and the parts in it are dropped here.
        let _ = std::thread::Builder::new()
            .name("subscriptions-drop".into())
            .spawn(move || drop(parts));
    }
}
