use std::hash::{BuildHasher, RandomState};

use crate::key::KeyDigest;

/// One key in the [`KeyTable`]: its digest, whose it is, and a word that tells
/// the usual decision without a second look into memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// The bytes of a [`KeyDigest`], which by itself would want more room.
    pub(super) digest: [u8; 32],
    pub(super) subscription: u32,
    pub(super) word: u32,
}

/// The mark of a place that holds no key.
const VACANT: u32 = u32::MAX;

const EMPTY: Slot = Slot {
    digest: [0; 32],
    subscription: VACANT,
    word: 0,
};

/// The tag of a place that holds no key.
const NO_TAG: u8 = 0;

/// An immutable table from digest to subscription.
///
/// Keys lie flat, each at or soon behind the place that a keyed mix of its digest
/// tells (linear probing), with a tag of eight bits apart from it. The tags of a
/// million keys fit a processor's cache: an unknown key costs a look at some of
/// them, and a known one a look at one distant cache line or two beside. The mix
/// is keyed by a seed of this process: where a digest lies tells nothing about
/// others.
#[derive(Debug)]
pub(super) struct KeyTable {
    tags: Vec<u8>,
    slots: Vec<Slot>,
    /// Mixes are scaled to this many places; keys may run on behind the last.
    places: u64,
    seed: Seed,
}

#[derive(Debug, Clone, Copy)]
struct Seed {
    add: u64,
    multiply: u64,
}

/// Two keys with one digest.
pub(super) struct Collision {
    pub(super) first: Slot,
    pub(super) second: Slot,
}

impl KeyTable {
    /// The table of those keys, run after run. Of equal ones it keeps the first,
    /// and tells.
    pub(super) fn build(runs: Vec<Vec<Slot>>) -> (Self, Vec<Collision>) {
        let keys: usize = runs.iter().map(Vec::len).sum();
        let places = (keys * 3 / 2).max(1);
        let mut table = Self {
            tags: vec![NO_TAG; places],
            slots: vec![EMPTY; places],
            places: places as u64,
            seed: Seed::random(),
        };
        let mut collisions = Vec::new();
        for key in runs.into_iter().flatten() {
            collisions.extend(table.insert(key));
        }
        table.close();
        (table, collisions)
    }

    fn insert(&mut self, key: Slot) -> Option<Collision> {
        let mix = self.seed.mix(&key.digest);
        let mut at = self.place(mix);
        while self.tags.get(at).is_some_and(|other| *other != NO_TAG) {
            if self.tags[at] == tag(mix) && self.slots[at].digest == key.digest {
                let first = self.slots[at];
                return Some(Collision { first, second: key });
            }
            at += 1;
        }
        if at == self.tags.len() {
            self.tags.push(NO_TAG);
            self.slots.push(EMPTY);
        }
        self.tags[at] = tag(mix);
        self.slots[at] = key;
        None
    }

    /// Lets every run of keys end before the table does.
    fn close(&mut self) {
        self.tags.push(NO_TAG);
        self.slots.push(EMPTY);
    }

    /// The key with that digest.
    #[inline]
    pub(super) fn get(&self, digest: &KeyDigest) -> Option<&Slot> {
        let mix = self.seed.mix(digest.as_bytes());
        let start = self.place(mix);
        let run = self.tags[start..].iter().zip(&self.slots[start..]);
        for (found, slot) in run {
            if *found == NO_TAG {
                return None;
            }
            if *found == tag(mix) && digest.is(&slot.digest) {
                return Some(slot);
            }
        }
        None
    }

    #[inline]
    fn place(&self, mix: u64) -> usize {
        ((u128::from(mix) * u128::from(self.places)) >> 64) as usize
    }

    /// The slot at a place that [`positions`](Self::positions) told.
    pub(super) fn at(&self, position: u32) -> Option<&Slot> {
        self.slots.get(position as usize)
    }

    /// All keys with their positions, which never change.
    pub(super) fn positions(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let occupied = |(_, slot): &(u32, &Slot)| !slot.is_vacant();
        (0..).zip(&self.slots).filter(occupied)
    }
}

/// The low bits of a mix, of which its place tells nothing; never [`NO_TAG`].
fn tag(mix: u64) -> u8 {
    (mix as u8).max(1)
}

impl Slot {
    fn is_vacant(&self) -> bool {
        self.subscription == VACANT
    }
}

impl Seed {
    fn random() -> Self {
        let random = RandomState::new();
        Self {
            add: random.hash_one(0),
            // Odd, so that no bit of the digest is lost.
            multiply: random.hash_one(1) | 1,
        }
    }

    /// A digest is uniform already; this only makes its place unforeseeable.
    fn mix(self, digest: &[u8; 32]) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        (u64::from_le_bytes(first) ^ self.add).wrapping_mul(self.multiply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> Slot {
        Slot {
            digest: *KeyDigest::of(n.to_le_bytes()).as_bytes(),
            subscription: n,
            word: !n,
        }
    }

    #[test]
    fn finds_every_key_and_no_other_at_any_size() {
        for size in [0, 1, 2, 3, 10, 1_000, 20_000] {
            let keys: Vec<Slot> = (0..size).map(key).collect();
            let (table, collisions) = KeyTable::build(vec![keys]);
            assert!(collisions.is_empty());
            for n in 0..size {
                let found = table
                    .get(&KeyDigest::of(n.to_le_bytes()))
                    .map(|slot| (slot.subscription, slot.word));
                assert_eq!(found, Some((n, !n)));
            }
            for n in size..size + 1_000 {
                assert!(table.get(&KeyDigest::of(n.to_le_bytes())).is_none());
            }
            assert_eq!(table.positions().count(), size as usize);
        }
    }

    #[test]
    fn tells_equal_keys_apart_from_neighbours_with_the_same_mix() {
        let digest = |last: u8| {
            let mut bytes = [7; 32];
            bytes[31] = last;
            KeyDigest::from_bytes(bytes)
        };
        let slot = |last: u8| Slot {
            digest: *digest(last).as_bytes(),
            subscription: last.into(),
            word: 0,
        };
        let keys: Vec<Slot> = (0..50).map(slot).collect();
        let (table, collisions) = KeyTable::build(vec![keys]);
        assert!(collisions.is_empty());
        for n in 0..50 {
            assert_eq!(
                table.get(&digest(n)).map(|slot| slot.subscription),
                Some(n.into())
            );
        }
        assert!(table.get(&digest(50)).is_none());

        let (_, collisions) = KeyTable::build(vec![vec![slot(1)], vec![slot(2), slot(1)]]);
        let pairs: Vec<_> = collisions
            .iter()
            .map(|c| (c.first.subscription, c.second.subscription))
            .collect();
        assert_eq!(pairs, [(1, 1)]);
    }
}
