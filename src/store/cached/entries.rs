use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::clock::{Moment, fraction_of};
use super::settings::Settings;
use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;
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
    unknown: Cache<KeyDigest, Arc<Unknown>>,
    found_for: Duration,
    unknown_for: Duration,
    jitter: f64,
    refresh_ahead: f64,
    stale_for: Duration,
    now: AtomicU64,
    /// Lookups older than this are not joined.
    fence: AtomicU64,
    /// Answers to lookups older than this are not kept.
    discard_before: AtomicU64,
    /// Answers older than this are confirmed by a lookup before they are served.
    confirm_before: AtomicU64,
    /// Answers older than this are gone, even if they are still in the cache.
    forget_before: AtomicU64,
    editions: Mutex<VecDeque<Arc<Catalog>>>,
    /// Whether a found key came, changed or went since the last snapshot.
    changed: AtomicBool,
}

/// A found key.
#[derive(Debug, Clone)]
struct Entry {
    found: Arc<Found>,
    /// From here on, a use starts a lookup in the background.
    refresh_at: Moment,
    fresh_until: Moment,
    /// A lookup failed at this tick: until this moment there is no further one.
    held: Option<(Tick, Moment)>,
}

/// What a lookup found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) owner: KeyOwner,
    /// The definitions that the owner belongs to, if the store has any.
    pub(super) definitions: Option<Arc<Catalog>>,
    asked_at: Tick,
    #[cfg(feature = "document")]
    pub(super) found_at: Moment,
}

struct Unknown {
    until: Moment,
    asked_at: Tick,
    definitions: Option<Arc<Catalog>>,
}

/// A found key with what the snapshot keeps of it.
#[cfg(feature = "document")]
pub(super) struct Kept {
    pub(super) key: KeyDigest,
    pub(super) found: Arc<Found>,
    pub(super) fresh_until: Moment,
}

/// What the cache knows about a key.
#[derive(Debug)]
pub(super) enum Known {
    Fresh(Arc<Found>),
    /// Fresh, and in the last part of its lifetime.
    Aging(Arc<Found>),
    /// A lookup failed a moment ago: served without another one.
    Held(Arc<Found>),
    /// To be looked up. The answer may be served if that fails.
    Stale(Arc<Found>),
    /// Known once, but too long ago to be served.
    Expired,
    /// No subscription has the key, by these definitions.
    Unknown(Option<Arc<Catalog>>),
    Nothing,
}

impl Entries {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            found: Cache::new(settings.capacity),
            unknown: Cache::new(settings.unknown_capacity),
            found_for: settings.found_for,
            unknown_for: settings.unknown_for,
            jitter: settings.jitter,
            refresh_ahead: settings.refresh_ahead,
            stale_for: settings.stale_for,
            now: AtomicU64::new(1),
            fence: AtomicU64::new(0),
            discard_before: AtomicU64::new(0),
            confirm_before: AtomicU64::new(0),
            forget_before: AtomicU64::new(0),
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
        if let Some(entry) = self.found.get(key) {
            return self.judge(entry, now);
        }
        match self.unknown.get(key) {
            Some(unknown) if now < unknown.until && self.is_confirmed(unknown.asked_at) => {
                Known::Unknown(unknown.definitions.clone())
            }
            _ => Known::Nothing,
        }
    }

    fn judge(&self, entry: Entry, now: Moment) -> Known {
        let Entry { found, .. } = entry;
        if self.is_forgotten(&found) {
            return Known::Nothing;
        }
        let is_confirmed = self.is_confirmed(found.asked_at);
        if is_confirmed && now < entry.refresh_at {
            Known::Fresh(found)
        } else if is_confirmed && now < entry.fresh_until {
            Known::Aging(found)
        } else if now >= entry.fresh_until.after(self.stale_for) {
            Known::Expired
        } else if entry
            .held
            .is_some_and(|(at, until)| now < until && self.is_confirmed(at))
        {
            Known::Held(found)
        } else {
            Known::Stale(found)
        }
    }

    fn is_confirmed(&self, asked_at: Tick) -> bool {
        asked_at.0 >= self.confirm_before.load(Ordering::SeqCst)
    }

    fn is_forgotten(&self, found: &Found) -> bool {
        found.asked_at.0 < self.forget_before.load(Ordering::SeqCst)
    }

    pub(super) fn put_found(
        &self,
        key: KeyDigest,
        owner: KeyOwner,
        definitions: Option<Arc<Catalog>>,
        asked_at: Tick,
        now: Moment,
    ) {
        let lifetime = spread(self.found_for, self.jitter);
        let fresh_until = now.after(lifetime);
        let entry = Entry {
            found: Arc::new(Found {
                owner,
                definitions: definitions.map(|definitions| self.edition(definitions)),
                asked_at,
                #[cfg(feature = "document")]
                found_at: now,
            }),
            refresh_at: fresh_until.before(fraction_of(lifetime, self.refresh_ahead)),
            fresh_until,
            held: None,
        };
        // In this order, so that at no time both lack the key.
        self.found.insert(key, entry);
        self.unknown.remove(&key);
        self.set_changed();
    }

    /// Adds a key from a snapshot: it is past its lifetime.
    #[cfg(feature = "document")]
    pub(super) fn put_stale(
        &self,
        key: KeyDigest,
        owner: KeyOwner,
        definitions: Arc<Catalog>,
        fresh_until: Moment,
    ) {
        let entry = Entry {
            found: Arc::new(Found {
                owner,
                definitions: Some(definitions),
                asked_at: self.tick(),
                found_at: fresh_until,
            }),
            refresh_at: fresh_until,
            fresh_until,
            held: None,
        };
        self.found.insert(key, entry);
    }

    pub(super) fn put_unknown(
        &self,
        key: KeyDigest,
        definitions: Option<Arc<Catalog>>,
        asked_at: Tick,
        now: Moment,
    ) {
        if !self.unknown_for.is_zero() {
            let unknown = Unknown {
                until: now.after(spread(self.unknown_for, self.jitter)),
                asked_at,
                definitions: definitions.map(|definitions| self.edition(definitions)),
            };
            self.unknown.insert(key, Arc::new(unknown));
        }
        self.remove_found(&key);
    }

    /// Notes that a lookup of the key failed. Returns what is left to serve.
    pub(super) fn put_failed(&self, key: &KeyDigest, now: Moment) -> Known {
        let Some(mut entry) = self.found.peek(key) else {
            return Known::Nothing;
        };
        let retry_at = now.after(spread(RETRY_AFTER, self.jitter));
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
        begun_at.0 < self.fence.load(Ordering::SeqCst)
    }

    /// Whether the answer to a lookup that began at this tick must not be kept.
    pub(super) fn is_discarded(&self, begun_at: Tick) -> bool {
        begun_at.0 < self.discard_before.load(Ordering::SeqCst)
    }

    /// Has lookups under way not joined. Returns the tick for the invalidation that
    /// this is for.
    fn fence_lookups(&self) -> u64 {
        let tick = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.fence.fetch_max(tick, Ordering::SeqCst);
        tick
    }

    /// Has lookups under way neither joined nor kept. Returns the tick for the
    /// invalidation that this is for.
    pub(super) fn discard_lookups(&self) -> u64 {
        let tick = self.fence_lookups();
        self.discard_before.fetch_max(tick, Ordering::SeqCst);
        tick
    }

    /// Removes the keys of a subscription, and all unknown keys: one of them may be
    /// its new key.
    pub(super) fn remove_subscription(&self, id: &str) {
        self.unknown.clear();
        self.remove_if(|found| found.owner.subscription().id() == id);
    }

    /// Has every key confirmed by a lookup before it is served again. The answers to
    /// lookups under way are kept, to be served stale if confirming them fails.
    pub(super) fn confirm_all(&self) {
        let tick = self.fence_lookups();
        self.confirm_before.fetch_max(tick, Ordering::SeqCst);
    }

    pub(super) fn forget_all(&self) {
        let tick = self.discard_lookups();
        self.forget_before.fetch_max(tick, Ordering::SeqCst);
        self.confirm_before.fetch_max(tick, Ordering::SeqCst);
        self.found.clear();
        self.unknown.clear();
        self.set_changed();
    }

    /// The handle that all entries of these definitions share.
    fn edition(&self, definitions: Arc<Catalog>) -> Arc<Catalog> {
        let mut editions = self.editions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest_first = editions.iter().rev();
        if let Some(known) = newest_first.find(|known| known.has_definitions_of(&definitions)) {
            return Arc::clone(known);
        }
        if editions.len() == EDITIONS {
            editions.drain(..EDITIONS / 2);
            self.unknown.clear();
            self.remove_if(|found| {
                let bound = found.definitions.as_ref();
                bound.is_some_and(|bound| !editions.iter().any(|kept| Arc::ptr_eq(kept, bound)))
            });
        }
        editions.push_back(Arc::clone(&definitions));
        definitions
    }

    /// Not `retain`, which blocks readers while it goes through a shard.
    fn remove_if(&self, is_gone: impl Fn(&Found) -> bool) {
        for (key, entry) in self.found.iter() {
            if is_gone(&entry.found) {
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
    pub(super) fn all_found(&self, now: Moment) -> Vec<Kept> {
        let entries = self.found.iter();
        let usable = entries.filter(|(_, entry)| {
            now < entry.fresh_until.after(self.stale_for) && !self.is_forgotten(&entry.found)
        });
        usable
            .map(|(key, entry)| Kept {
                key,
                found: entry.found,
                fresh_until: entry.fresh_until,
            })
            .collect()
    }

    /// The number of found keys, and of unknown keys.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.found.len(), self.unknown.len())
    }
}
