use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a [`CachedStore`](super::CachedStore) did since it was made, and what it
/// holds now.
///
/// Every lookup by a request counts once among `hits`, `misses`, `waits`,
/// `rejected` and `broken`, or is a stale answer given at once. The numbers are
/// read one after the other, while requests go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CacheStats {
    /// Answered from the cache, found or unknown.
    pub hits: u64,
    /// Requests that began a lookup.
    pub misses: u64,
    /// Requests that waited for a lookup that another began.
    pub waits: u64,
    /// Answered with a subscription past its lifetime, because the store failed.
    /// Those that waited for the failing lookup count here too.
    pub stale_served: u64,
    /// Lookups in the background, ahead of a lifetime's end.
    pub refreshes: u64,
    /// Lookups that failed, time-outs included.
    pub errors: u64,
    /// Lookups that took too long.
    pub timeouts: u64,
    /// Requests with a new key that exceeded the rate.
    pub rejected: u64,
    /// Requests refused because the breaker was open and nothing stale was left.
    pub broken: u64,
    /// How often the breaker opened.
    pub breaker_openings: u64,
    /// Whether it is open now.
    pub breaker_open: bool,
    /// Found keys in the cache, including expired ones.
    pub entries_found: u64,
    /// Unknown keys in the cache, including expired ones.
    pub entries_unknown: u64,
}

#[cfg(feature = "metrics")]
impl CacheStats {
    /// Sends the numbers to the installed `metrics` recorder, as counters
    /// and gauges named `subscription_cache_…`, labelled with `store`.
    ///
    /// Call it when your exporter is scraped, or every few seconds.
    pub fn export(&self, store: &'static str) {
        for (name, value) in [
            ("subscription_cache_hits", self.hits),
            ("subscription_cache_misses", self.misses),
            ("subscription_cache_waits", self.waits),
            ("subscription_cache_stale_served", self.stale_served),
            ("subscription_cache_refreshes", self.refreshes),
            ("subscription_cache_errors", self.errors),
            ("subscription_cache_timeouts", self.timeouts),
            ("subscription_cache_rejected", self.rejected),
            ("subscription_cache_broken", self.broken),
            ("subscription_cache_breaker_openings", self.breaker_openings),
        ] {
            metrics::counter!(name, "store" => store).absolute(value);
        }
        for (name, value) in [
            ("subscription_cache_breaker_open", self.breaker_open.into()),
            ("subscription_cache_entries_found", self.entries_found),
            ("subscription_cache_entries_unknown", self.entries_unknown),
        ] {
            metrics::gauge!(name, "store" => store).set(value as f64);
        }
    }
}

/// The counts that grow. Only `hits` and `stale_served` can grow with every
/// request, and they are spread over the threads.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: Spread,
    pub(super) misses: Counter,
    pub(super) waits: Counter,
    pub(super) stale_served: Spread,
    pub(super) refreshes: Counter,
    pub(super) errors: Counter,
    pub(super) timeouts: Counter,
    pub(super) rejected: Counter,
    pub(super) broken: Counter,
}

impl Counters {
    pub(super) fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.sum(),
            misses: self.misses.get(),
            waits: self.waits.get(),
            stale_served: self.stale_served.sum(),
            refreshes: self.refreshes.get(),
            errors: self.errors.get(),
            timeouts: self.timeouts.get(),
            rejected: self.rejected.get(),
            broken: self.broken.get(),
            ..CacheStats::default()
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter in several places, so that cores which count at the same time do
/// not take one cache line from each other.
pub(super) struct Spread(Box<[Line]>);

/// Two cache lines, because neighbours are fetched in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Line(Counter);

const MOST_LINES: usize = 64;

thread_local! {
    static TURN: usize = {
        static TURNS: AtomicUsize = AtomicUsize::new(0);
        TURNS.fetch_add(1, Ordering::Relaxed)
    };
}

impl Spread {
    #[inline]
    pub(super) fn count(&self) {
        // While a thread ends it has no turn any more.
        let turn = TURN.try_with(|turn| *turn).unwrap_or(0);
        if let Some(line) = self.0.get(turn & (self.0.len() - 1)) {
            line.0.count();
        }
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|line| line.0.get()).sum()
    }
}

impl Default for Spread {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(8, Into::into);
        let lines = cores.next_power_of_two().min(MOST_LINES);
        Self((0..lines).map(|_| Line::default()).collect())
    }
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_threads_come_together() {
        let counter = Spread::default();
        std::thread::scope(|threads| {
            for _ in 0..10 {
                threads.spawn(|| (0..1000).for_each(|_| counter.count()));
            }
        });
        assert_eq!(counter.sum(), 10_000);
    }
}
