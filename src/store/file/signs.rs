//! The system's notifications about directories. All stores of a process share one
//! watcher: each has a thread and a handle of the system, of which there are few.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::store::file::stamp::{Identity, identity_of};

/// Whether the system says when a program closes a file that it has written.
pub(super) const REPORTS_CLOSING: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A message to the watching thread.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// Something happened to the path.
    Changed(PathBuf, Change),
    /// Notifications were lost.
    Lost,
    /// The last handle of the store is gone.
    Stop,
}

/// What the operating system reports about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// There is a new file, or a new link to one.
    Created,
    /// A program writes the file.
    Written,
    /// A program that had opened the file for writing has closed it.
    Closed,
    /// The path leads to another file, or to none.
    Replaced,
    Other,
}

/// The notifications of one store: about the directories of its files. The files
/// themselves cannot be watched, because a rename takes them away.
pub(super) struct Signs {
    id: u64,
    messages: Sender<Message>,
    watched: Vec<Directory>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Directory {
    path: PathBuf,
    identity: Identity,
}

/// The watcher, and how many stores watch each directory.
struct Shared {
    watcher: RecommendedWatcher,
    directories: HashMap<PathBuf, (Identity, usize)>,
}

static SHARED: Mutex<Option<Shared>> = Mutex::new(None);

/// The stores that are notified about each directory. This is separate from the
/// watcher, because the watcher calls back while a directory is being added.
static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

struct Listener {
    id: u64,
    directory: PathBuf,
    messages: Sender<Message>,
}

impl Signs {
    /// `None` if the system has no notifications to give.
    pub(super) fn new(messages: Sender<Message>) -> Option<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let mut shared = lock(&SHARED);
        if shared.is_none() {
            match notify::recommended_watcher(dispatch) {
                Ok(watcher) => {
                    *shared = Some(Shared {
                        watcher,
                        directories: HashMap::new(),
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "no file notifications: catalog files are only polled");
                    return None;
                }
            }
        }
        Some(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            messages,
            watched: Vec::new(),
        })
    }

    /// Watches the directories of the given files, and no others. Returns whether
    /// these are other directories than before.
    pub(super) fn follow(&mut self, files: &[PathBuf]) -> bool {
        let mut wanted: Vec<Directory> = Vec::new();
        for directory in files.iter().filter_map(|file| directory(file.parent()?)) {
            if !wanted.contains(&directory) {
                wanted.push(directory);
            }
        }
        if wanted.len() == self.watched.len() && wanted.iter().all(|one| self.watched.contains(one))
        {
            return false;
        }
        let before = std::mem::replace(&mut self.watched, wanted);
        for directory in &self.watched {
            if !before.contains(directory) {
                self.watch(directory);
            }
        }
        for directory in &before {
            if !self.watched.contains(directory) {
                self.unwatch(directory);
            }
        }
        true
    }

    fn watch(&self, directory: &Directory) {
        let Directory { path, identity } = directory;
        lock(&LISTENERS).push(Listener {
            id: self.id,
            directory: path.clone(),
            messages: self.messages.clone(),
        });
        let mut shared = lock(&SHARED);
        let Some(Shared {
            watcher,
            directories,
        }) = &mut *shared
        else {
            return;
        };
        let known = directories.entry(path.clone()).or_insert(([0; 4], 0));
        known.1 += 1;
        if known.0 == *identity {
            return;
        }
        known.0 = *identity;
        // The directory that had this path is gone, and its watch with it.
        let _ = watcher.unwatch(path);
        if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive) {
            tracing::warn!(
                directory = %path.display(), %error,
                "no file notifications: this directory is only polled"
            );
        }
    }

    fn unwatch(&self, directory: &Directory) {
        let path = &directory.path;
        {
            let mut listeners = lock(&LISTENERS);
            let is_this = |one: &Listener| one.id == self.id && one.directory == *path;
            let at = listeners.iter().position(is_this);
            at.map(|at| listeners.swap_remove(at));
        }
        let mut shared = lock(&SHARED);
        let Some(Shared {
            watcher,
            directories,
        }) = &mut *shared
        else {
            return;
        };
        if let Some((_, stores)) = directories.get_mut(path) {
            *stores -= 1;
            if *stores == 0 {
                directories.remove(path);
                // It may be gone, and its watch with it.
                let _ = watcher.unwatch(path);
            }
        }
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        for directory in std::mem::take(&mut self.watched) {
            self.unwatch(&directory);
        }
    }
}

fn directory(path: &Path) -> Option<Directory> {
    let identity = identity_of(path)?;
    let path = path.to_owned();
    Some(Directory { path, identity })
}

/// Passes a notification on to the stores that it concerns.
fn dispatch(event: notify::Result<Event>) {
    let Ok(event) = event else {
        return broadcast(&Message::Lost);
    };
    if event.need_rescan() || event.paths.is_empty() {
        return broadcast(&Message::Lost);
    }
    let Some(change) = change(&event.kind) else {
        return;
    };
    for path in event.paths {
        for listener in &*lock(&LISTENERS) {
            let directory = listener.directory.as_path();
            if path == directory || path.parent() == Some(directory) {
                // Its thread may have ended.
                let _ = listener
                    .messages
                    .send(Message::Changed(path.clone(), change));
            }
        }
    }
}

fn broadcast(message: &Message) {
    for listener in &*lock(&LISTENERS) {
        let _ = listener.messages.send(message.clone());
    }
}

/// `None` if the event is no reason to read a file: reading it is one.
fn change(kind: &EventKind) -> Option<Change> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Change::Closed),
        EventKind::Access(_) => None,
        EventKind::Create(_) => Some(Change::Created),
        EventKind::Modify(ModifyKind::Data(_)) => Some(Change::Written),
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => Some(Change::Replaced),
        _ => Some(Change::Other),
    }
}

/// What the locks guard is whole at all times, also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
