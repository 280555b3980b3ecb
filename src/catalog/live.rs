use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;

use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;

/// The current version of a catalog, which many threads read on every request.
pub(crate) struct Live {
    current: ArcSwap<Version>,
    writer: Mutex<()>,
}

/// A version, and the handles to it that requests clone.
///
/// If all threads cloned one handle, its reference count would make their cores
/// wait for each other. Each thread takes one of several. They belong to the
/// version, so that a thread that sleeps keeps no old version alive.
struct Version {
    /// Counts up with each version, from 1. 0: nothing was published yet.
    number: u64,
    catalog: Catalog,
    handles: [OnceLock<Arc<Catalog>>; HANDLES],
}

const HANDLES: usize = 32;

thread_local! {
    static HANDLE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % HANDLES
    };
}

impl Live {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self::beginning(1, catalog)
    }

    /// Nothing is published yet.
    pub(crate) fn empty() -> Self {
        Self::beginning(0, Catalog::empty())
    }

    fn beginning(number: u64, catalog: Catalog) -> Self {
        Self {
            current: ArcSwap::from_pointee(Version::new(number, catalog)),
            writer: Mutex::new(()),
        }
    }

    /// The current version. A catalog without APIs, which denies every request,
    /// if nothing is published yet.
    #[inline]
    pub(crate) fn load(&self) -> Arc<Catalog> {
        self.current.load().handle()
    }

    /// The current version, if there is one.
    #[inline]
    pub(crate) fn published(&self) -> Option<Arc<Catalog>> {
        let version = self.current.load();
        (version.number > 0).then(|| version.handle())
    }

    /// Publishes the catalog as the next version.
    pub(crate) fn publish(&self, catalog: Catalog) {
        let _: Result<u64, Infallible> = self.update(|_| Ok(catalog));
    }

    /// Publishes the next version, made from the current one, and returns its
    /// number. Writers wait for each other, readers never wait.
    pub(crate) fn update<E>(
        &self,
        next: impl FnOnce(&Catalog) -> Result<Catalog, E>,
    ) -> Result<u64, E> {
        // A change that panicked left the current version whole.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        let number = before.number + 1;
        let catalog = next(&before.catalog)?;
        self.current.store(Arc::new(Version::new(number, catalog)));
        Ok(number)
    }

    /// The owner of the key in the current version.
    pub(crate) fn owner(&self, digest: &KeyDigest) -> Option<KeyOwner> {
        self.current.load().catalog.owner(digest)
    }
}

impl Version {
    fn new(number: u64, catalog: Catalog) -> Self {
        let handles = [const { OnceLock::new() }; HANDLES];
        Self {
            number,
            catalog,
            handles,
        }
    }

    /// This thread's handle.
    #[inline]
    fn handle(&self) -> Arc<Catalog> {
        let handle = &self.handles[HANDLE.with(|at| *at)];
        Arc::clone(handle.get_or_init(|| Arc::new(self.catalog.clone())))
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.current.load();
        f.debug_struct("Live")
            .field("version", &version.number)
            .field("catalog", &version.catalog)
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;
    use crate::catalog::Api;

    fn catalog(id: &str) -> Catalog {
        Catalog::builder().api(Api::new(id, "")).build().unwrap()
    }

    fn publish(live: &Live, id: &str) -> u64 {
        let next: Result<u64, Infallible> = live.update(|_| Ok(catalog(id)));
        next.unwrap()
    }

    fn id_of(catalog: &Catalog) -> String {
        catalog.apis().next().unwrap().id().to_owned()
    }

    #[test]
    fn thread_gets_the_same_handle_again_and_another_thread_another_one() {
        let live = Live::new(catalog("a"));
        let mine = live.load();
        assert!(Arc::ptr_eq(&mine, &live.load()));
        let theirs = thread::scope(|scope| scope.spawn(|| live.load()).join().unwrap());
        assert!(!Arc::ptr_eq(&mine, &theirs));
        assert!(std::ptr::eq(mine.definitions(), theirs.definitions()));
    }

    #[test]
    fn loaded_version_stays_the_same_while_others_are_published() {
        let live = Live::new(catalog("a"));
        let before = live.load();
        assert_eq!(publish(&live, "b"), 2);
        assert_eq!(publish(&live, "c"), 3);
        assert_eq!(id_of(&before), "a");
        assert_eq!(id_of(&live.load()), "c");
        assert_eq!(id_of(&live.load()), "c");
    }

    #[test]
    fn empty_cell_denies_everything_until_something_is_published() {
        let live = Live::empty();
        assert!(live.published().is_none());
        assert_eq!(live.load().api_for_path("/a"), None);
        assert_eq!(publish(&live, "a"), 1);
        assert_eq!(id_of(&live.published().unwrap()), "a");
    }

    #[test]
    fn refused_change_publishes_nothing() {
        let live = Live::new(catalog("a"));
        let before = live.load();
        assert_eq!(live.update(|_| Err("no")), Err("no"));
        assert!(Arc::ptr_eq(&before, &live.load()));
        assert_eq!(publish(&live, "b"), 2);
    }

    #[test]
    fn old_version_is_freed_with_its_last_request_even_if_threads_that_read_it_sleep() {
        let live = Live::new(catalog("a"));
        let version = Arc::downgrade(&live.current.load_full());
        let request = live.load();
        let (read, has_read) = channel();
        let (wake, asleep) = channel::<()>();
        thread::scope(|scope| {
            let live = &live;
            scope.spawn(move || {
                let handle = Arc::downgrade(&live.load());
                read.send(handle).unwrap();
                let _ = asleep.recv();
                assert_eq!(id_of(&live.load()), "b");
            });
            let idle = has_read.recv().unwrap();
            assert!(idle.upgrade().is_some(), "it is the current one");
            publish(live, "b");
            assert!(version.upgrade().is_none());
            assert!(idle.upgrade().is_none());
            let in_progress = Arc::downgrade(&request);
            assert_eq!(id_of(&request), "a");
            drop(request);
            assert!(in_progress.upgrade().is_none());
            drop(wake);
        });
    }

    #[test]
    fn everything_is_freed_with_the_cell() {
        let live = Live::new(catalog("a"));
        let handle = Arc::downgrade(&live.load());
        drop(live);
        assert!(handle.upgrade().is_none());
    }

    #[test]
    fn loads_from_many_cells_allocate_nothing_after_the_first() {
        let cells: Vec<Live> = (0..100)
            .map(|n| Live::new(catalog(&n.to_string())))
            .collect();
        cells.iter().for_each(|cell| drop(cell.load()));
        let again = allocation_counter::measure(|| {
            for (n, cell) in cells.iter().enumerate() {
                assert_eq!(cell.load().subscription_count(), 0, "{n}");
            }
        });
        assert_eq!(again.count_total, 0);
    }

    #[test]
    fn change_that_panics_leaves_the_version_and_the_next_change_alone() {
        let live = Live::new(catalog("a"));
        let panicking = thread::scope(|scope| {
            let change =
                || live.update(|_| -> Result<Catalog, Infallible> { panic!("on purpose") });
            scope.spawn(change).join()
        });
        assert!(panicking.is_err());
        assert_eq!(id_of(&live.load()), "a");
        assert_eq!(publish(&live, "b"), 2);
        assert_eq!(id_of(&live.load()), "b");
    }
}
