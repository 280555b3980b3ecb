use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::HashSet;

/// APIs or products at their places, and the places in the order of the catalog.
///
/// A removed one leaves a free place for the next one, so that the others keep
/// theirs and memory does not grow with every change.
#[derive(Debug)]
pub(super) struct Places<T> {
    pub(super) at: Vec<Arc<T>>,
    pub(super) order: Vec<u32>,
}

impl<T> Clone for Places<T> {
    fn clone(&self) -> Self {
        let (at, order) = (self.at.clone(), self.order.clone());
        Self { at, order }
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        let (at, order) = (Vec::new(), Vec::new());
        Self { at, order }
    }
}

impl<T> Places<T> {
    /// Adds a value behind all others.
    pub(super) fn push(&mut self, value: T) {
        self.order.push(self.at.len() as u32);
        self.at.push(Arc::new(value));
    }

    #[cfg(feature = "document")]
    pub(super) fn append(&mut self, other: Self) {
        let first = self.at.len() as u32;
        self.order.extend(other.order.iter().map(|at| at + first));
        self.at.extend(other.at);
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = (u32, &T)> {
        self.order.iter().map(|at| (*at, &*self.at[*at as usize]))
    }

    fn free(&self) -> Vec<u32> {
        let mut is_free = vec![true; self.at.len()];
        for at in &self.order {
            is_free[*at as usize] = false;
        }
        let all = (0..).zip(is_free);
        all.filter_map(|(at, is_free)| is_free.then_some(at))
            .collect()
    }
}

impl<T> FromIterator<T> for Places<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut places = Self::default();
        values.into_iter().for_each(|value| places.push(value));
        places
    }
}

/// Changes to places, none of them validated yet.
pub(super) struct Edited<T> {
    places: Places<T>,
    free: Vec<u32>,
    /// The places of those that came with this edit.
    new: HashMap<String, u32>,
    removed: HashSet<u32>,
}

impl<T> Edited<T> {
    pub(super) fn new(places: Places<T>) -> Self {
        Self {
            free: places.free(),
            places,
            new: HashMap::new(),
            removed: HashSet::new(),
        }
    }

    /// Puts a value at the place that its id had before, or behind all others.
    pub(super) fn put(&mut self, before: Option<u32>, id: &str, value: T) {
        let value = Arc::new(value);
        if let Some(at) = before.or_else(|| self.new.get(id).copied()) {
            self.places.at[at as usize] = value;
            self.removed.remove(&at);
            return;
        }
        let at = match self.free.pop() {
            Some(at) => {
                self.places.at[at as usize] = value;
                at
            }
            None => {
                self.places.at.push(value);
                self.places.at.len() as u32 - 1
            }
        };
        self.places.order.push(at);
        self.new.insert(id.to_owned(), at);
    }

    pub(super) fn remove(&mut self, before: Option<u32>, id: &str) {
        let at = before.or_else(|| self.new.get(id).copied());
        self.removed.extend(at);
    }

    /// The result, and the places that were removed.
    pub(super) fn finish(mut self) -> (Places<T>, HashSet<u32>) {
        let removed = self.removed;
        self.places.order.retain(|at| !removed.contains(at));
        (self.places, removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_removed_values_are_used_again() {
        let mut places: Places<u32> = [0, 1].into_iter().collect();
        for n in 2..1_000 {
            let mut edited = Edited::new(places);
            edited.remove(Some(1), "");
            let (without, _) = edited.finish();
            let mut edited = Edited::new(without);
            edited.put(None, "new", n);
            (places, _) = edited.finish();
            let values: Vec<u32> = places.in_order().map(|(_, value)| *value).collect();
            assert_eq!(values, [0, n]);
        }
        assert_eq!(places.at.len(), 2);
    }
}
