use std::time::Duration;

use quick_cache::sync::Cache;

use super::clock::{Jitter, Moment, part_of};
use super::settings::Settings;
use crate::key::KeyDigest;
use crate::store::KeyOwner;

/// For so long after a failed lookup its key is not asked for again: the stale
/// answer is given at once.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is remembered of keys.
///
/// Found and unknown ones apart, so that any number of wrong keys cannot push
/// out one good one.
pub(super) struct Entries {
    found: Cache<KeyDigest, Entry>,
    /// Until when they are taken as unknown.
    unknown: Cache<KeyDigest, Moment>,
    found_for: Duration,
    unknown_for: Duration,
    refresh_ahead: f64,
    stale_for: Duration,
    jitter: Jitter,
}

/// A key that was found.
#[derive(Debug, Clone)]
struct Entry {
    owner: KeyOwner,
    /// From here on a use asks again in the background.
    refresh_at: Moment,
    fresh_until: Moment,
    /// The last lookup failed, and until here there is no further one.
    held_until: Moment,
}

/// What the cache has to say about a key.
#[derive(Debug)]
pub(super) enum Cached {
    Fresh(KeyOwner),
    /// Fresh, and in the last part of its life.
    Aging(KeyOwner),
    /// Past its life, but a lookup failed a moment ago.
    Held(KeyOwner),
    /// Past its life: to be asked for. The owner may be given if that fails.
    Old(Option<KeyOwner>),
    Unknown,
    Nothing,
}

impl Entries {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            found: Cache::new(settings.capacity),
            unknown: Cache::new(settings.unknown_capacity),
            found_for: settings.found_for,
            unknown_for: settings.unknown_for,
            refresh_ahead: settings.refresh_ahead,
            stale_for: settings.stale_for,
            jitter: Jitter::new(settings.jitter),
        }
    }

    pub(super) fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    #[inline]
    pub(super) fn get(&self, key: &KeyDigest, now: Moment) -> Cached {
        if let Some(entry) = self.found.get(key) {
            return self.standing(entry, now);
        }
        match self.unknown.get(key) {
            Some(until) if now < until => Cached::Unknown,
            _ => Cached::Nothing,
        }
    }

    fn standing(&self, entry: Entry, now: Moment) -> Cached {
        if now < entry.refresh_at {
            Cached::Fresh(entry.owner)
        } else if now < entry.fresh_until {
            Cached::Aging(entry.owner)
        } else if now < entry.held_until {
            Cached::Held(entry.owner)
        } else {
            Cached::Old((now < self.stale_until(&entry)).then_some(entry.owner))
        }
    }

    fn stale_until(&self, entry: &Entry) -> Moment {
        entry.fresh_until.after(self.stale_for)
    }

    pub(super) fn put_found(&self, key: KeyDigest, owner: KeyOwner, now: Moment) {
        let life = self.jitter.spread(self.found_for);
        let fresh_until = now.after(life);
        let entry = Entry {
            owner,
            refresh_at: fresh_until.before(part_of(life, self.refresh_ahead)),
            fresh_until,
            held_until: now,
        };
        // In this order, so that nobody finds it in neither.
        self.found.insert(key, entry);
        self.unknown.remove(&key);
    }

    pub(super) fn put_unknown(&self, key: KeyDigest, now: Moment) {
        if !self.unknown_for.is_zero() {
            let until = now.after(self.jitter.spread(self.unknown_for));
            self.unknown.insert(key, until);
        }
        self.found.remove(&key);
    }

    /// Remembers that a lookup of the key failed, and says what is left to give.
    pub(super) fn put_failed(&self, key: &KeyDigest, now: Moment) -> Cached {
        let Some(mut entry) = self.found.peek(key) else {
            return Cached::Nothing;
        };
        let retry_at = now.after(self.jitter.spread(RETRY_AFTER));
        entry.refresh_at = retry_at.min(entry.fresh_until);
        entry.held_until = retry_at.min(self.stale_until(&entry));
        self.found.insert(*key, entry.clone());
        self.standing(entry, now)
    }

    pub(super) fn remove(&self, key: &KeyDigest) {
        self.found.remove(key);
        self.unknown.remove(key);
    }

    pub(super) fn remove_all(&self) {
        self.found.clear();
        self.unknown.clear();
    }

    /// Removes the keys of that subscription, and all unknown ones: one of them
    /// may be its new key.
    pub(super) fn remove_subscription(&self, id: &str) {
        self.unknown.clear();
        // Not `retain`, which keeps readers out while it looks through a shard.
        for (key, entry) in self.found.iter() {
            if entry.owner.subscription().id() == id {
                self.found.remove(&key);
            }
        }
    }

    /// How many found and how many unknown keys are held.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.found.len(), self.unknown.len())
    }
}
