//! Last use: which slot of which subscription was used, to the minute.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::access::Access;
use crate::catalog::KeySlot;

/// The use of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) subscription: String,
    pub(crate) slot: KeySlot,
    pub(crate) at: SystemTime,
}

/// Counts uses in memory, in one shard for each of several threads, until they are
/// written.
///
/// A use is noted once a minute for each slot and shard. Until then it costs one
/// look at a table that its shard's threads alone write.
pub(crate) struct UseRecorder {
    shards: Box<[Shard]>,
    /// The current minute, kept by [`tick`](Self::tick): reading a clock would cost
    /// more than all the rest.
    minute: AtomicU32,
    kept: Mutex<Vec<KeyUse>>,
}

/// Apart from others, so that no two cores write to the same cache line.
#[repr(align(128))]
struct Shard {
    /// Which uses were noted this minute, by a mark at the place that its hash says.
    seen: Box<[AtomicU64]>,
    noted: Mutex<Vec<(Access, u32)>>,
}

const SHARDS: usize = 16;
const SEEN: usize = 2048;

/// How many uses a shard notes between two writes. Those beyond are noted when
/// they occur again after the write.
const NOTED: usize = 4096;

impl UseRecorder {
    pub(crate) fn new() -> Self {
        let shard = || Shard {
            seen: (0..SEEN).map(|_| AtomicU64::new(0)).collect(),
            noted: Mutex::new(Vec::with_capacity(NOTED)),
        };
        let recorder = Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            minute: AtomicU32::new(0),
            kept: Mutex::default(),
        };
        recorder.tick();
        recorder
    }

    /// Brings the minute up to date. To be called about once a second.
    pub(crate) fn tick(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let minutes = since.unwrap_or_default().as_secs() / 60;
        let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
        self.minute.store(minutes, Ordering::Relaxed);
    }

    /// Notes the use of the key that let a request in.
    pub(crate) fn record(&self, access: &Access) {
        let (Some(subscription), Some(slot)) = (access.subscription(), access.key_slot()) else {
            return;
        };
        let minute = self.minute.load(Ordering::Relaxed);
        // Where the id lies in memory names the subscription for as long as its
        // version of the catalog is in use.
        let place = subscription.id().as_ptr().addr() as u64;
        let mark = (place << 1 | u64::from(slot == KeySlot::Secondary))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ u64::from(minute);
        let shard = &self.shards[shard_of_this_thread()];
        let seen = &shard.seen[(mark >> 48) as usize % SEEN];
        if seen.load(Ordering::Relaxed) != mark {
            shard.note(access, minute, seen, mark);
        }
    }

    /// Takes what was noted, merged.
    pub(crate) fn take(&self) -> Vec<KeyUse> {
        let mut newest: HashMap<(String, KeySlot), SystemTime> = HashMap::new();
        let mut add = |subscription: String, slot, at: SystemTime| {
            let known = newest.entry((subscription, slot)).or_insert(at);
            *known = at.max(*known);
        };
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        for used in kept {
            add(used.subscription, used.slot, used.at);
        }
        for shard in &self.shards {
            let mut emptied = Vec::with_capacity(NOTED);
            let mut noted = shard.noted.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *noted, &mut emptied);
            drop(noted);
            for (access, minute) in emptied {
                if let (Some(subscription), Some(slot)) = (access.subscription(), access.key_slot())
                {
                    let at = UNIX_EPOCH + Duration::from_secs(u64::from(minute) * 60);
                    add(subscription.id().to_owned(), slot, at);
                }
            }
        }
        let uses = newest.into_iter();
        uses.map(|((subscription, slot), at)| KeyUse {
            subscription,
            slot,
            at,
        })
        .collect()
    }

    /// Keeps what could not be written for the next time.
    pub(crate) fn put_back(&self, uses: Vec<KeyUse>) {
        const KEPT: usize = 1_000_000;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT.saturating_sub(kept.len());
        kept.extend(uses.into_iter().take(room));
    }
}

impl Shard {
    fn note(&self, access: &Access, minute: u32, seen: &AtomicU64, mark: u64) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < NOTED {
            noted.push((access.clone(), minute));
            seen.store(mark, Ordering::Relaxed);
        }
    }
}

fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    SHARD
        .try_with(|shard| {
            if shard.get() == usize::MAX {
                shard.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
            }
            shard.get()
        })
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::catalog::{Api, Catalog, Scope, Subscription};

    fn access(key: &str) -> Access {
        let subscription = Subscription::new("contoso")
            .with_scope(Scope::AllApis)
            .with_primary_key("key-one")
            .with_secondary_key("key-two");
        let catalog = Catalog::builder()
            .api(Api::new("orders", "/orders"))
            .subscription(subscription)
            .build()
            .unwrap();
        Access::for_tests(catalog, "orders", Some(key)).unwrap()
    }

    #[test]
    fn use_is_noted_once_a_minute_for_each_slot() {
        let recorder = UseRecorder::new();
        let (one, two) = (access("key-one"), access("key-two"));
        for _ in 0..100 {
            recorder.record(&one);
        }
        recorder.record(&two);
        assert_eq!(
            recorder.shards[shard_of_this_thread()]
                .noted
                .lock()
                .unwrap()
                .len(),
            2
        );
        let uses = recorder.take();
        assert_eq!(uses.len(), 2);
        assert!(recorder.take().is_empty());
        recorder.minute.fetch_add(1, Ordering::Relaxed);
        recorder.record(&one);
        assert_eq!(recorder.take().len(), 1);
    }

    #[test]
    fn recording_never_grows_its_memory() {
        let recorder = UseRecorder::new();
        let access = access("key-one");
        for _ in 0..2 * NOTED {
            recorder.minute.fetch_add(1, Ordering::Relaxed);
            recorder.record(&access);
        }
        let noted = recorder.shards[shard_of_this_thread()]
            .noted
            .lock()
            .unwrap();
        assert_eq!((noted.len(), noted.capacity()), (NOTED, NOTED));
    }

    #[test]
    fn uses_that_were_put_back_are_merged_by_maximum() {
        let recorder = UseRecorder::new();
        let at = |minutes: u64| UNIX_EPOCH + Duration::from_secs(60 * minutes);
        let used = |minutes: u64| KeyUse {
            subscription: "contoso".into(),
            slot: KeySlot::Primary,
            at: at(minutes),
        };
        recorder.put_back(vec![used(5), used(9), used(7)]);
        assert_eq!(recorder.take(), [used(9)]);
    }
}
