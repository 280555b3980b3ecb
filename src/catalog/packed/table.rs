use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use crate::key::KeyDigest;

/// One key in the [`KeyTable`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) digest: KeyDigest,
    pub(super) key: PackedKey,
}

/// A key of a packed subscription: the subscription's position, and a
/// [`word`](super::word) that decides the usual request without a second look into
/// memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedKey {
    pub(super) subscription: u32,
    pub(super) word: u32,
}

/// The subscription of a place without a key.
const VACANT: u32 = u32::MAX;

const EMPTY: Slot = Slot {
    digest: KeyDigest::from_bytes([0; 32]),
    key: PackedKey {
        subscription: VACANT,
        word: 0,
    },
};

/// The tag of a place without a key.
const NO_TAG: u8 = 0;

/// An immutable table from digest to subscription.
///
/// Each key lies at or soon behind the place that its hash names (linear probing).
/// A tag of eight bits for each place lies apart from the keys: the tags of a
/// million keys fit a processor's cache, so that an unknown key costs a look at
/// some of them, and a known one a look at one distant cache line or two beside.
///
/// The hash covers the whole digest and has a random seed for each table. Digests
/// can be written into a catalog by hand, so that they need not be uniform.
#[derive(Debug)]
pub(super) struct KeyTable {
    tags: Vec<u8>,
    slots: Vec<Slot>,
    /// Hashes are scaled to this many places. Keys may run on behind the last.
    places: u64,
    hasher: DefaultHashBuilder,
}

/// Room for keys that run on behind the last place: more would make the vectors
/// grow to twice their size.
const BEHIND: usize = 64;

/// Two keys with the same digest.
pub(super) struct Collision {
    pub(super) first: Slot,
    pub(super) second: Slot,
}

impl KeyTable {
    /// Builds the table. Of equal keys it keeps the first, and returns the others.
    pub(super) fn build(keys: Vec<Slot>) -> (Self, Vec<Collision>) {
        let places = (keys.len() * 3 / 2).max(1);
        let mut table = Self {
            tags: vec![NO_TAG; places + BEHIND],
            slots: vec![EMPTY; places + BEHIND],
            places: places as u64,
            hasher: DefaultHashBuilder::default(),
        };
        let mut collisions = Vec::new();
        for key in keys {
            collisions.extend(table.insert(key));
        }
        table.close();
        (table, collisions)
    }

    fn insert(&mut self, key: Slot) -> Option<Collision> {
        let hash = self.hasher.hash_one(key.digest);
        let mut at = self.place(hash);
        while self.tags.get(at).is_some_and(|other| *other != NO_TAG) {
            if self.tags[at] == tag(hash) && self.slots[at].digest == key.digest {
                let first = self.slots[at];
                return Some(Collision { first, second: key });
            }
            at += 1;
        }
        if at == self.tags.len() {
            self.tags.push(NO_TAG);
            self.slots.push(EMPTY);
        }
        self.tags[at] = tag(hash);
        self.slots[at] = key;
        None
    }

    /// Lets every run of keys end before the table does.
    fn close(&mut self) {
        if self.tags.last() != Some(&NO_TAG) {
            self.tags.push(NO_TAG);
            self.slots.push(EMPTY);
        }
    }

    /// The key with that digest.
    #[inline]
    pub(super) fn get(&self, digest: &KeyDigest) -> Option<&Slot> {
        let hash = self.hasher.hash_one(digest);
        let start = self.place(hash);
        let run = self.tags[start..].iter().zip(&self.slots[start..]);
        for (found, slot) in run {
            if *found == NO_TAG {
                return None;
            }
            if *found == tag(hash) && slot.digest == *digest {
                return Some(slot);
            }
        }
        None
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        ((u128::from(hash) * u128::from(self.places)) >> 64) as usize
    }

    /// The slot at a position of [`positions`](Self::positions).
    pub(super) fn at(&self, position: u32) -> Option<&Slot> {
        self.slots.get(position as usize)
    }

    /// All keys with their positions, which never change.
    pub(super) fn positions(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let slots = (0..).zip(&self.slots);
        slots.filter(|(_, slot)| slot.key.subscription != VACANT)
    }
}

/// The low bits of a hash, which its place does not depend on. Never [`NO_TAG`].
fn tag(hash: u64) -> u8 {
    (hash as u8).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> Slot {
        Slot {
            digest: KeyDigest::of(n.to_le_bytes()),
            key: PackedKey {
                subscription: n,
                word: !n,
            },
        }
    }

    #[test]
    fn key_is_found_and_no_other_at_any_size() {
        for size in [0, 1, 2, 3, 10, 1_000, 20_000] {
            let keys: Vec<Slot> = (0..size).map(key).collect();
            let (table, collisions) = KeyTable::build(keys);
            assert!(collisions.is_empty());
            for n in 0..size {
                let found = table
                    .get(&KeyDigest::of(n.to_le_bytes()))
                    .map(|slot| (slot.key.subscription, slot.key.word));
                assert_eq!(found, Some((n, !n)));
            }
            for n in size..size + 1_000 {
                assert!(table.get(&KeyDigest::of(n.to_le_bytes())).is_none());
            }
            assert_eq!(table.positions().count(), size as usize);
        }
    }

    /// Digests that differ only in four bytes from `at` on.
    fn crafted(n: u32, at: usize) -> KeyDigest {
        let mut digest = [0; 32];
        digest[at..at + 4].copy_from_slice(&n.to_le_bytes());
        KeyDigest::from_bytes(digest)
    }

    #[test]
    fn crafted_digests_lie_no_farther_from_their_places_than_uniform_ones() {
        const KEYS: u32 = 20_000;
        for at in [0, 7, 8, 16, 28] {
            let slots = (0..KEYS).map(|n| Slot {
                digest: crafted(n, at),
                key: PackedKey {
                    subscription: n,
                    word: 0,
                },
            });
            let (table, collisions) = KeyTable::build(slots.collect());
            assert!(collisions.is_empty());
            let steps: u64 = table
                .positions()
                .map(|(position, slot)| {
                    let place = table.place(table.hasher.hash_one(slot.digest));
                    u64::from(position) - place as u64
                })
                .sum();
            // Two thirds full, a uniform table takes one step a key on average.
            assert!(steps < 3 * u64::from(KEYS), "{steps} steps, bytes {at}..");
            for n in [0, 1, KEYS - 1] {
                let found = table.get(&crafted(n, at));
                assert_eq!(found.map(|slot| slot.key.subscription), Some(n));
            }
            assert!(table.get(&crafted(KEYS, at)).is_none());
        }
    }

    #[test]
    fn equal_keys_are_returned_and_the_first_is_kept() {
        let (table, collisions) = KeyTable::build(vec![key(1), key(2), key(1)]);
        let pairs: Vec<_> = collisions
            .iter()
            .map(|c| (c.first.key.subscription, c.second.key.subscription))
            .collect();
        assert_eq!(pairs, [(1, 1)]);
        assert_eq!(table.positions().count(), 2);
    }
}
