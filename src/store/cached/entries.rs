use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::clock::{Jitter, Moment, part_of};
use super::settings::Settings;
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;

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
    /// Whether what is found changed since somebody asked.
    changed: AtomicBool,
}

/// A key that was found.
#[derive(Debug, Clone)]
struct Entry {
    owner: KeyOwner,
    #[cfg(feature = "document")]
    found_at: Moment,
    /// From here on a use asks again in the background.
    refresh_at: Moment,
    fresh_until: Moment,
    /// The last lookup failed, and until here there is no further one.
    held_until: Moment,
}

/// A found key with all that is to be kept of it.
#[cfg(feature = "document")]
pub(super) struct Found {
    pub(super) key: KeyDigest,
    pub(super) owner: KeyOwner,
    pub(super) found_at: Moment,
    pub(super) fresh_until: Moment,
}

/// What the cache has to say about a key.
#[derive(Debug)]
pub(super) enum Lookup {
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
            changed: AtomicBool::new(false),
        }
    }

    pub(super) fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    #[inline]
    pub(super) fn get(&self, key: &KeyDigest, now: Moment) -> Lookup {
        if let Some(entry) = self.found.get(key) {
            return self.standing(entry, now);
        }
        match self.unknown.get(key) {
            Some(until) if now < until => Lookup::Unknown,
            _ => Lookup::Nothing,
        }
    }

    fn standing(&self, entry: Entry, now: Moment) -> Lookup {
        if now < entry.refresh_at {
            Lookup::Fresh(entry.owner)
        } else if now < entry.fresh_until {
            Lookup::Aging(entry.owner)
        } else if now < entry.held_until {
            Lookup::Held(entry.owner)
        } else {
            Lookup::Old((now < self.stale_until(&entry)).then_some(entry.owner))
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
            #[cfg(feature = "document")]
            found_at: now,
            refresh_at: fresh_until.before(part_of(life, self.refresh_ahead)),
            fresh_until,
            held_until: now,
        };
        // In this order, so that nobody finds it in neither.
        self.found.insert(key, entry);
        self.unknown.remove(&key);
        self.set_changed();
    }

    /// Puts a key in that was fresh until a moment that is over.
    #[cfg(feature = "document")]
    pub(super) fn put_old(&self, key: KeyDigest, owner: KeyOwner, fresh_until: Moment) {
        let entry = Entry {
            owner,
            found_at: fresh_until,
            refresh_at: fresh_until,
            fresh_until,
            held_until: fresh_until,
        };
        self.found.insert(key, entry);
    }

    pub(super) fn put_unknown(&self, key: KeyDigest, now: Moment) {
        if !self.unknown_for.is_zero() {
            let until = now.after(self.jitter.spread(self.unknown_for));
            self.unknown.insert(key, until);
        }
        self.remove_found(&key);
    }

    /// Remembers that a lookup of the key failed, and says what is left to give.
    pub(super) fn put_failed(&self, key: &KeyDigest, now: Moment) -> Lookup {
        let Some(mut entry) = self.found.peek(key) else {
            return Lookup::Nothing;
        };
        let retry_at = now.after(self.jitter.spread(RETRY_AFTER));
        entry.refresh_at = retry_at.min(entry.fresh_until);
        entry.held_until = retry_at.min(self.stale_until(&entry));
        self.found.insert(*key, entry.clone());
        self.standing(entry, now)
    }

    pub(super) fn remove(&self, key: &KeyDigest) {
        self.remove_found(key);
        self.unknown.remove(key);
    }

    fn remove_found(&self, key: &KeyDigest) {
        if self.found.remove(key).is_some() {
            self.set_changed();
        }
    }

    pub(super) fn remove_all(&self) {
        self.found.clear();
        self.unknown.clear();
        self.set_changed();
    }

    /// Removes the keys of that subscription, and all unknown ones: one of them
    /// may be its new key.
    pub(super) fn remove_subscription(&self, id: &str) {
        self.unknown.clear();
        // Not `retain`, which keeps readers out while it looks through a shard.
        for (key, entry) in self.found.iter() {
            if entry.owner.subscription().id() == id {
                self.remove_found(&key);
            }
        }
    }

    /// After the change, so that whoever takes the mark also sees the change.
    pub(super) fn set_changed(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// Whether a found key came, changed or went since this was last asked.
    #[cfg(feature = "document")]
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Acquire)
    }

    /// Whether there is something for the next one who takes the mark.
    #[cfg(feature = "document")]
    pub(super) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    /// All found keys that are fresh, or may be served as stale.
    #[cfg(feature = "document")]
    pub(super) fn all_found(&self, now: Moment) -> Vec<Found> {
        let usable = |(_, entry): &(KeyDigest, Entry)| now < self.stale_until(entry);
        let found = self.found.iter().filter(usable);
        found
            .map(|(key, entry)| Found {
                key,
                owner: entry.owner,
                found_at: entry.found_at,
                fresh_until: entry.fresh_until,
            })
            .collect()
    }

    /// How many found and how many unknown keys are held.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.found.len(), self.unknown.len())
    }
}
