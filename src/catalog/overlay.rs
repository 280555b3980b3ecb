use std::sync::Arc;

use rpds::HashTrieMapSync;

use crate::catalog::packed::Subscriptions;
use crate::catalog::{KeyOwner, Subscription};
use crate::key::KeyDigest;

/// The subscriptions that changed since the packed ones were built.
///
/// A persistent map: the next version shares all but the path to its change
/// with the one before. A change costs the same among ten and among a million,
/// and a request that still reads the older version sees none of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlay {
    /// `None`: the packed subscriptions have the key, but it is gone.
    by_key: HashTrieMapSync<KeyDigest, Option<KeyOwner>>,
    /// `None`: the same for a whole subscription.
    by_id: HashTrieMapSync<Box<str>, Option<Arc<Subscription>>>,
}

/// What the overlay says about a key or an id.
pub(super) enum Overlaid<T> {
    /// It is there.
    Put(T),
    /// It was there before.
    Gone,
    /// Nothing: the packed subscriptions decide.
    Unchanged,
}

impl<T> From<Option<Option<T>>> for Overlaid<T> {
    fn from(entry: Option<Option<T>>) -> Self {
        match entry {
            Some(Some(value)) => Self::Put(value),
            Some(None) => Self::Gone,
            None => Self::Unchanged,
        }
    }
}

impl Overlay {
    pub(super) fn len(&self) -> usize {
        self.by_id.size()
    }

    pub(super) fn by_key(&self, digest: &KeyDigest) -> Overlaid<&KeyOwner> {
        if self.by_key.is_empty() {
            return Overlaid::Unchanged;
        }
        self.by_key.get(digest).map(Option::as_ref).into()
    }

    pub(super) fn by_id(&self, id: &str) -> Overlaid<&Arc<Subscription>> {
        self.by_id.get(id).map(Option::as_ref).into()
    }

    /// The subscriptions that came or changed.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.by_id.values().flatten()
    }

    /// Puts a subscription. Its earlier keys must be [released](Self::release_keys) first.
    pub(super) fn put(&mut self, subscription: &Arc<Subscription>) {
        for (held, key) in subscription.held_keys() {
            let owner = KeyOwner::held(Arc::clone(subscription), held);
            self.by_key.insert_mut(*key.digest(), Some(owner));
        }
        let id = subscription.id().into();
        self.by_id.insert_mut(id, Some(Arc::clone(subscription)));
    }

    /// Removes a subscription. Its keys must be [released](Self::release_keys) first.
    pub(super) fn remove(&mut self, id: &str, packed: &Subscriptions) {
        if packed.by_id(id).is_some() {
            self.by_id.insert_mut(id.into(), None);
        } else {
            self.by_id.remove_mut(id);
        }
    }

    /// Takes its keys away from the subscription with the given id, so that it or
    /// another one can get them.
    pub(super) fn release_keys(&mut self, id: &str, packed: &Subscriptions) {
        let keys: Vec<KeyDigest> = match self.by_id(id) {
            Overlaid::Put(before) => before.held_keys().map(|(_, key)| *key.digest()).collect(),
            Overlaid::Gone => Vec::new(),
            Overlaid::Unchanged => {
                let at = packed.by_id(id);
                at.into_iter().flat_map(|at| packed.digests(at)).collect()
            }
        };
        for digest in keys {
            if packed.by_key(&digest).is_none() {
                self.by_key.remove_mut(&digest);
            } else {
                self.by_key.insert_mut(digest, None);
            }
        }
    }
}
