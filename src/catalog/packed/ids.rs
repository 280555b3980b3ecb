use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::catalog::packed::{Record, id_of};

/// From an id to the position of its subscription. It does not hold the ids.
#[derive(Debug, Default)]
pub(super) struct IdTable {
    places: HashTable<u32>,
    hash: RandomState,
}

impl IdTable {
    /// The table of the given records. A table that grew with them would be built
    /// twenty times on the way to a million. It keeps the first of equal ids and
    /// returns the positions of the others.
    pub(super) fn build(records: &[Record], ids: &str) -> (Self, Vec<u32>) {
        let hash = RandomState::new();
        let mut places = HashTable::with_capacity(records.len());
        let mut repeated = Vec::new();
        let hash_at = |at: &u32| hash.hash_one(id_of(records, ids, *at));
        for at in 0..records.len() as u32 {
            let id = id_of(records, ids, at);
            let same = |other: &u32| id_of(records, ids, *other) == id;
            let hash = hash_at(&at);
            if places.find(hash, same).is_some() {
                repeated.push(at);
            } else {
                places.insert_unique(hash, at, hash_at);
            }
        }
        (Self { places, hash }, repeated)
    }

    pub(super) fn get(&self, id: &str, records: &[Record], ids: &str) -> Option<u32> {
        let same = |at: &u32| id_of(records, ids, *at) == id;
        self.places.find(self.hash.hash_one(id), same).copied()
    }
}
