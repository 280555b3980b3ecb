use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::store::file::stamp::{Identity, identity_of};
use crate::store::file::watch::Message;

/// The system's notifications about the directories in which a change to the
/// file shows. The file itself cannot be watched: a rename takes it away.
pub(super) struct Signs {
    watcher: RecommendedWatcher,
    watched: Vec<Directory>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Directory {
    path: PathBuf,
    identity: Identity,
}

impl Signs {
    /// `None` where the system has no notifications to give.
    pub(super) fn new(messages: Sender<Message>) -> Option<Self> {
        let tell = move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, may_be_change) {
                // Without a receiver there is nobody left to tell.
                let _ = messages.send(Message::Changed);
            }
        };
        match notify::recommended_watcher(tell) {
            Ok(watcher) => Some(Self {
                watcher,
                watched: Vec::new(),
            }),
            Err(error) => {
                tracing::warn!(%error, "no file notifications: catalog files are only polled");
                None
            }
        }
    }

    /// Watches the directory of the file and the one of what it points to. Both
    /// can become others at any time; tells whether they have.
    pub(super) fn follow(&mut self, file: &Path) -> bool {
        let real = file.canonicalize().ok();
        let mut directories = Vec::new();
        for path in [Some(file), real.as_deref()].into_iter().flatten() {
            directories.extend(path.parent().and_then(directory));
        }
        directories.dedup();
        if directories == self.watched {
            return false;
        }
        for old in std::mem::take(&mut self.watched) {
            // It may be gone, and its watch with it.
            let _ = self.watcher.unwatch(&old.path);
        }
        for new in directories {
            match self.watcher.watch(&new.path, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(error) => tracing::warn!(
                    directory = %new.path.display(), %error,
                    "no file notifications: this directory is only polled"
                ),
            }
            // Kept also where it failed, so that it is told once.
            self.watched.push(new);
        }
        true
    }
}

fn directory(path: &Path) -> Option<Directory> {
    let identity = identity_of(path)?;
    let path = path.to_owned();
    Some(Directory { path, identity })
}

/// Reading the file must not be a reason to read it.
fn may_be_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
