use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::clock::{Moment, fraction_of};
use super::settings::Settings;
use crate::catalog::Catalog;
use crate::key::KeyDigest;
use crate::store::Answer;
use crate::store::backoff::spread;

/// After a failed lookup of a key, its stale owner is served for this long before
/// the key is looked up again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Entries keep the definitions alive that they were answered under. When there are
/// this many versions, the entries of the older half are removed.
const EDITIONS: usize = 64;

/// Counts invalidations. An answer is as old as the tick at which its lookup began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

/// The remembered keys.
///
/// Found and unknown keys are held apart, so that no number of wrong keys evicts a
/// good one.
pub(super) struct Entries {
    found: Cache<KeyDigest, Entry>,
    unknown: Cache<KeyDigest, Entry>,
    settings: Settings,
    /// Lookups older than this are not joined.
    now: AtomicU64,
    /// Answers to lookups older than this are not kept.
    discard_before: AtomicU64,
    /// Answers older than this are confirmed by a lookup before they are served.
    confirm_before: AtomicU64,
    editions: Mutex<VecDeque<Arc<Catalog>>>,
    /// Whether a found key came, changed or went since the last snapshot.
    changed: AtomicBool,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) kept: Arc<Kept>,
    /// From here on, a use starts a lookup in the background.
    refresh_at: Moment,
    pub(super) fresh_until: Moment,
    /// A lookup failed at this tick: until this moment there is no further one.
    held: Option<(Tick, Moment)>,
}

/// What a lookup found.
#[derive(Debug)]
pub(super) struct Kept {
    /// With the definitions that it belongs to, if the store has any.
    pub(super) answer: Answer,
    asked_at: Tick,
    #[cfg(feature = "document")]
    pub(super) found_at: Moment,
}

impl Kept {
    /// Whether it may be served stale. That a key is unknown never is.
    pub(super) fn has_owner(&self) -> bool {
        self.answer.owner().is_some()
    }
}

/// What the cache knows about a key.
#[derive(Debug)]
pub(super) enum Known {
    Fresh(Arc<Kept>),
    /// Fresh, and in the last part of its lifetime.
    Aging(Arc<Kept>),
    /// A lookup failed a moment ago: served without another one.
    Held(Arc<Kept>),
    /// To be looked up. The answer may be served if that fails.
    Stale(Arc<Kept>),
    /// Found once, but too long ago to be served.
    Expired,
    Nothing,
}

impl Entries {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            found: Cache::new(settings.capacity),
            unknown: Cache::new(settings.unknown_capacity),
            settings: settings.clone(),
            now: AtomicU64::new(1),
            discard_before: AtomicU64::new(0),
            confirm_before: AtomicU64::new(0),
            editions: Mutex::default(),
            changed: AtomicBool::new(false),
        }
    }

    /// The tick for a lookup that begins now.
    pub(super) fn tick(&self) -> Tick {
        Tick(self.now.load(Ordering::SeqCst))
    }

    #[inline]
    pub(super) fn get(&self, key: &KeyDigest, now: Moment) -> Known {
        let entry = self.found.get(key).or_else(|| self.unknown.get(key));
        entry.map_or(Known::Nothing, |entry| self.judge(entry, now))
    }

    fn judge(&self, entry: Entry, now: Moment) -> Known {
        let Entry { kept, .. } = entry;
        let is_confirmed =
            |asked_at: Tick| asked_at.0 >= self.confirm_before.load(Ordering::SeqCst);
        let is_held = |(at, until)| now < until && is_confirmed(at);
        if is_confirmed(kept.asked_at) && now < entry.refresh_at {
            Known::Fresh(kept)
        } else if is_confirmed(kept.asked_at) && now < entry.fresh_until {
            Known::Aging(kept)
        } else if !kept.has_owner() {
            Known::Nothing
        } else if now >= entry.fresh_until.after(self.settings.stale_for) {
            Known::Expired
        } else if entry.held.is_some_and(is_held) {
            Known::Held(kept)
        } else {
            Known::Stale(kept)
        }
    }

    pub(super) fn put(&self, key: KeyDigest, answer: &Answer, asked_at: Tick, now: Moment) {
        let is_found = answer.owner().is_some();
        let (lifetime, refresh_ahead) = match is_found {
            true => (self.settings.found_for, self.settings.refresh_ahead),
            false => (self.settings.unknown_for, 0.0),
        };
        let lifetime = spread(lifetime, self.settings.jitter);
        let fresh_until = now.after(lifetime);
        let mut kept = Answer::new(answer.owner().cloned());
        if let Some(definitions) = answer.definitions() {
            kept = kept.with_definitions(self.edition(definitions));
        }
        let entry = Entry {
            kept: Arc::new(Kept {
                answer: kept,
                asked_at,
                #[cfg(feature = "document")]
                found_at: now,
            }),
            refresh_at: fresh_until.before(fraction_of(lifetime, refresh_ahead)),
            fresh_until,
            held: None,
        };
        // In this order, so that at no time both lack the key.
        if is_found {
            self.found.insert(key, entry);
            self.unknown.remove(&key);
            self.set_changed();
        } else {
            if !self.settings.unknown_for.is_zero() {
                self.unknown.insert(key, entry);
            }
            self.remove_found(&key);
        }
    }

    /// Adds a key from a snapshot: it is past its lifetime.
    #[cfg(feature = "document")]
    pub(super) fn put_stale(&self, key: KeyDigest, answer: Answer, fresh_until: Moment) {
        let kept = Arc::new(Kept {
            answer,
            asked_at: self.tick(),
            found_at: fresh_until,
        });
        let entry = Entry {
            kept,
            refresh_at: fresh_until,
            fresh_until,
            held: None,
        };
        self.found.insert(key, entry);
    }

    /// Notes that a lookup of the key failed. Returns what is left to serve.
    pub(super) fn put_failed(&self, key: &KeyDigest, now: Moment) -> Known {
        let Some(mut entry) = self.found.peek(key) else {
            return Known::Nothing;
        };
        let retry_at = now.after(spread(RETRY_AFTER, self.settings.jitter));
        entry.refresh_at = retry_at.min(entry.fresh_until);
        entry.held = Some((self.tick(), retry_at));
        // Only if it is still there: an invalidation may remove it at this moment.
        match self.found.replace(*key, entry.clone(), true) {
            Ok(()) => self.judge(entry, now),
            Err(_) => Known::Nothing,
        }
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

    /// Whether a lookup that began at this tick is too old for a request that comes now.
    pub(super) fn is_fenced(&self, begun_at: Tick) -> bool {
        begun_at < self.tick()
    }

    /// Whether the answer to a lookup that began at this tick must not be kept.
    pub(super) fn is_discarded(&self, begun_at: Tick) -> bool {
        begun_at.0 < self.discard_before.load(Ordering::SeqCst)
    }

    /// Prevents requests from joining lookups under way. Returns the tick of lookups that
    /// begin from now on.
    fn fence_lookups(&self) -> u64 {
        self.now.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Prevents requests from joining lookups under way, and discards their answers.
    pub(super) fn discard_lookups(&self) {
        let tick = self.fence_lookups();
        self.discard_before.fetch_max(tick, Ordering::SeqCst);
    }

    /// Has every key confirmed by a lookup before it is served again. The answers to
    /// lookups under way are kept, to be served stale if confirming them fails.
    pub(super) fn confirm_all(&self) {
        let tick = self.fence_lookups();
        self.confirm_before.fetch_max(tick, Ordering::SeqCst);
    }

    /// Removes the keys of a subscription, and all unknown keys: one of them may be
    /// its new key.
    pub(super) fn remove_subscription(&self, id: &str) {
        self.unknown.clear();
        let is_owner =
            |answer: &Answer| answer.owner().map(|owner| owner.subscription().id()) == Some(id);
        self.remove_if(is_owner);
    }

    pub(super) fn clear(&self) {
        self.found.clear();
        self.unknown.clear();
        self.set_changed();
    }

    /// The handle that all entries of these definitions share.
    fn edition(&self, definitions: &Arc<Catalog>) -> Arc<Catalog> {
        let mut editions = self.editions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest_first = editions.iter().rev();
        if let Some(known) = newest_first.find(|known| known.has_definitions_of(definitions)) {
            return Arc::clone(known);
        }
        if editions.len() == EDITIONS {
            editions.drain(..EDITIONS / 2);
            self.unknown.clear();
            self.remove_if(|answer| {
                let bound = answer.definitions();
                bound.is_some_and(|bound| !editions.iter().any(|kept| Arc::ptr_eq(kept, bound)))
            });
        }
        editions.push_back(Arc::clone(definitions));
        Arc::clone(definitions)
    }

    /// Not `retain`, which blocks readers while it goes through a shard.
    fn remove_if(&self, is_gone: impl Fn(&Answer) -> bool) {
        for (key, entry) in self.found.iter() {
            if is_gone(&entry.kept.answer) {
                self.remove_found(&key);
            }
        }
    }

    /// Call it after the change, so that the reader of the mark sees the change.
    pub(super) fn set_changed(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// Whether a found key came, changed or went since the last call.
    #[cfg(feature = "document")]
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Acquire)
    }

    #[cfg(feature = "document")]
    pub(super) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    /// All found keys that can be served, fresh or stale.
    #[cfg(feature = "document")]
    pub(super) fn all_found(&self, now: Moment) -> Vec<(KeyDigest, Entry)> {
        let entries = self.found.iter();
        let stale_for = self.settings.stale_for;
        entries
            .filter(|(_, entry)| now < entry.fresh_until.after(stale_for))
            .collect()
    }

    /// The number of found keys, and of unknown keys.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.found.len(), self.unknown.len())
    }
}
