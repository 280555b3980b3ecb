use std::sync::Arc;

use rpds::HashTrieMapSync;

use crate::catalog::packed::Subscriptions;
use crate::catalog::{Claim, KeySlot, Scopes, Subscription, Validity};
use crate::key::KeyDigest;

/// What became of single subscriptions since the packed ones were built.
///
/// A persistent map: the next version shares all but the path to its change
/// with the one before, so that a change costs the same among ten and among a
/// million, and a request that still reads the older version sees none of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    /// `None`: the packed subscriptions have the key, but it is gone.
    by_key: HashTrieMapSync<KeyDigest, Option<SharedKey>>,
    /// `None`: likewise for a whole subscription.
    by_id: HashTrieMapSync<Box<str>, Option<Arc<Subscription>>>,
}

/// A key of a subscription that stands by itself.
#[derive(Debug, Clone)]
pub(super) struct SharedKey {
    pub(super) subscription: Arc<Subscription>,
    pub(super) slot: KeySlot,
}

/// What the changes know.
pub(super) enum Change<T> {
    /// It is there now.
    Put(T),
    /// It was there, and is gone.
    Gone,
    /// Nothing: the packed subscriptions decide.
    None,
}

impl<T> From<Option<Option<T>>> for Change<T> {
    fn from(entry: Option<Option<T>>) -> Self {
        match entry {
            Some(Some(value)) => Self::Put(value),
            Some(None) => Self::Gone,
            None => Self::None,
        }
    }
}

impl SharedKey {
    pub(super) fn claim(&self) -> Claim<'_> {
        claim(&self.subscription, self.slot)
    }
}

/// The claim of a subscription that stands by itself.
pub(crate) fn claim(subscription: &Subscription, slot: KeySlot) -> Claim<'_> {
    let key_end = subscription.key(slot).and_then(|key| key.expires_at());
    Claim {
        slot,
        state: subscription.state(),
        validity: Validity::new(subscription.not_before(), subscription.expires_at()),
        key_validity: Validity::until(key_end),
        scopes: Scopes::Named(subscription.scopes()),
    }
}

impl Changes {
    pub(super) fn len(&self) -> usize {
        self.by_id.size()
    }

    pub(super) fn by_key(&self, digest: &KeyDigest) -> Change<&SharedKey> {
        if self.by_key.is_empty() {
            return Change::None;
        }
        self.by_key.get(digest).map(Option::as_ref).into()
    }

    pub(super) fn by_id(&self, id: &str) -> Change<&Arc<Subscription>> {
        self.by_id.get(id).map(Option::as_ref).into()
    }

    /// The subscriptions that came or changed.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.by_id.values().flatten()
    }

    /// Puts a subscription in the place of the one with its id.
    pub(super) fn put(&mut self, subscription: Subscription, packed: &Subscriptions) {
        self.put_shared(Arc::new(subscription), packed);
    }

    fn put_shared(&mut self, subscription: Arc<Subscription>, packed: &Subscriptions) {
        self.forget_keys(subscription.id(), packed);
        for (slot, key) in subscription.keys() {
            let subscription = Arc::clone(&subscription);
            let key_of = SharedKey { subscription, slot };
            self.by_key.insert_mut(*key.digest(), Some(key_of));
        }
        let id = subscription.id().into();
        self.by_id.insert_mut(id, Some(subscription));
    }

    /// The changes that came after `before`, on subscriptions into which those of
    /// `before` are packed.
    ///
    /// `None` where these did not come from `before`, as when an older version
    /// was put back: a change to what both had in `base` leaves a trace for good.
    pub(super) fn since(
        &self,
        before: &Self,
        base: &Subscriptions,
        packed: &Subscriptions,
    ) -> Option<Self> {
        let mut since = Self::default();
        for (id, now) in &self.by_id {
            let same = match (now, before.by_id.get(id)) {
                (Some(now), Some(Some(before))) => Arc::ptr_eq(now, before),
                (None, Some(None)) => true,
                _ => false,
            };
            match now {
                _ if same => {}
                Some(now) => since.put_shared(Arc::clone(now), packed),
                None => since.remove(id, packed),
            }
        }
        // What was put before and is gone now left no trace in `self`.
        for id in before.by_id.keys() {
            if self.by_id.get(id).is_some() {
                continue;
            }
            if base.by_id(id).is_some() {
                return None;
            }
            since.remove(id, packed);
        }
        Some(since)
    }

    /// Removes the subscription with that id.
    pub(super) fn remove(&mut self, id: &str, packed: &Subscriptions) {
        self.forget_keys(id, packed);
        if packed.by_id(id).is_some() {
            self.by_id.insert_mut(id.into(), None);
        } else {
            self.by_id.remove_mut(id);
        }
    }

    fn forget_keys(&mut self, id: &str, packed: &Subscriptions) {
        let keys: Vec<KeyDigest> = match self.by_id(id) {
            Change::Put(before) => before.keys().map(|(_, key)| *key.digest()).collect(),
            Change::Gone | Change::None => Vec::new(),
        };
        for digest in keys {
            if packed.by_key(&digest).is_none() {
                self.by_key.remove_mut(&digest);
            } else {
                self.by_key.insert_mut(digest, None);
            }
        }
        for (_, digest) in packed.by_id(id).into_iter().flat_map(|at| packed.keys(at)) {
            // A key that moved to another subscription meanwhile stays there.
            if !matches!(self.by_key(&digest), Change::Put(_)) {
                self.by_key.insert_mut(digest, None);
            }
        }
    }
}
