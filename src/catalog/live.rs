use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;

use crate::catalog::Catalog;
use crate::catalog::KeyOwner;
use crate::key::KeyDigest;

/// The current version of a catalog, for many threads to read on every request.
///
/// Each thread gets a handle of its own to the version: a count that all cores
/// shared would make them wait for each other. The handle belongs to the version,
/// and threads remember it weakly, so that a thread that sleeps does not keep an
/// old version alive.
pub(crate) struct Live {
    id: u64,
    /// Counts up with every version, from 1.
    number: AtomicU64,
    current: ArcSwap<Version>,
    writer: Mutex<()>,
}

struct Version {
    number: u64,
    catalog: Catalog,
    handles: Mutex<Vec<Arc<Catalog>>>,
}

/// What a thread remembers of one [`Live`].
struct Remembered {
    id: u64,
    number: u64,
    handle: Weak<Catalog>,
}

/// More cells than this in one process make a thread forget the oldest.
const REMEMBERED: usize = 16;

/// From this many handles on, those of threads that ended are dropped.
const HANDLES: usize = 64;

thread_local! {
    static REMEMBER: RefCell<Vec<Remembered>> = const { RefCell::new(Vec::new()) };
}

impl Live {
    pub(crate) fn new(catalog: Catalog) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            number: AtomicU64::new(1),
            current: ArcSwap::from_pointee(Version::new(1, catalog)),
            writer: Mutex::new(()),
        }
    }

    /// This thread's handle to the current version.
    #[inline]
    pub(crate) fn load(&self) -> Arc<Catalog> {
        let number = self.number.load(Ordering::Acquire);
        let remembered = REMEMBER.try_with(|remembered| {
            let remembered = &mut *remembered.borrow_mut();
            let known = remembered.iter_mut().find(|known| known.id == self.id);
            match known {
                Some(known) => known.handle(number, self),
                None => self.introduce(remembered),
            }
        });
        // A thread that is ending remembers nothing any more.
        remembered.unwrap_or_else(|_| self.new_handle().1)
    }

    #[cold]
    fn introduce(&self, remembered: &mut Vec<Remembered>) -> Arc<Catalog> {
        if remembered.len() >= REMEMBERED {
            remembered.remove(0);
        }
        let (number, handle) = self.new_handle();
        remembered.push(Remembered {
            id: self.id,
            number,
            handle: Arc::downgrade(&handle),
        });
        handle
    }

    #[cold]
    fn new_handle(&self) -> (u64, Arc<Catalog>) {
        let version = self.current.load();
        let handle = Arc::new(version.catalog.clone());
        let mut handles = lock(&version.handles);
        if handles.len() >= HANDLES {
            handles.retain(|handle| Arc::weak_count(handle) > 0);
        }
        handles.push(Arc::clone(&handle));
        (version.number, handle)
    }

    /// Publishes that catalog as the next version.
    pub(crate) fn publish(&self, catalog: Catalog) {
        let _: Result<u64, Infallible> = self.update(|_| Ok(catalog));
    }

    /// Publishes the next version, made from the current one. Of two writers one
    /// waits for the other; readers never wait.
    pub(crate) fn update<E>(
        &self,
        next: impl FnOnce(&Catalog) -> Result<Catalog, E>,
    ) -> Result<u64, E> {
        let _writer = lock(&self.writer);
        let before = self.current.load_full();
        let number = before.number + 1;
        let catalog = next(&before.catalog)?;
        self.current.store(Arc::new(Version::new(number, catalog)));
        self.number.store(number, Ordering::Release);
        Ok(number)
    }

    /// The owner of the key in the current version.
    pub(crate) fn owner(&self, digest: &KeyDigest) -> Option<KeyOwner> {
        self.current.load().catalog.owner(digest)
    }

    /// A handle that counts nothing for the request path: for looking around.
    pub(crate) fn snapshot(&self) -> Catalog {
        self.current.load().catalog.clone()
    }
}

impl Remembered {
    #[inline]
    fn handle(&mut self, number: u64, published: &Live) -> Arc<Catalog> {
        if self.number == number
            && let Some(handle) = self.handle.upgrade()
        {
            return handle;
        }
        let (number, handle) = published.new_handle();
        self.number = number;
        self.handle = Arc::downgrade(&handle);
        handle
    }
}

impl Version {
    fn new(number: u64, catalog: Catalog) -> Self {
        Self {
            number,
            catalog,
            handles: Mutex::default(),
        }
    }
}

/// What the locks guard is whole at all times, also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("version", &self.number)
            .field("catalog", &self.current.load().catalog)
            .finish()
    }
}

#[cfg(test)]
mod tests;
