//! The thread that watches the files of a store.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::store::file::FileError;
use crate::store::file::load::Loader;
use crate::store::file::read::FilePath;
use crate::store::file::signs::{Change, Message, REPORTS_CLOSING, Signs};
use crate::store::file::source::Seen;
use crate::store::file::stamp::Stamp;
use crate::store::replica::RunGuard;

/// How files are watched.
#[derive(Debug, Clone)]
pub(super) struct WatchSettings {
    pub(super) notifications: bool,
    pub(super) poll_interval: Duration,
    pub(super) settle_time: Duration,
}

/// A file that is never quiet is read after this many settle times.
const LONGEST_SETTLE: u32 = 6;

/// One change comes with several notifications.
const SIGNS_TOGETHER: Duration = Duration::from_millis(10);

/// From then on, a file that a program keeps open for writing is reported.
const LONG_OPEN: Duration = Duration::from_secs(10);

/// The handle of the watching thread, which ends when this is dropped.
pub(super) struct Watcher {
    loader: Arc<Loader>,
    messages: Sender<Message>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.loader.replica.close();
        // The thread may have ended.
        let _ = self.messages.send(Message::Stop);
    }
}

/// The names that the system may call a file: its absolute path, and the real one
/// behind its links.
fn names_of(path: &FilePath) -> impl Iterator<Item = PathBuf> + use<> {
    let real = path.absolute.canonicalize().ok();
    [Some(path.absolute.clone()), real].into_iter().flatten()
}

/// What watches the files. Notifications are collected from the beginning.
pub(super) struct Watch {
    settings: WatchSettings,
    messages: Sender<Message>,
    inbox: Receiver<Message>,
    signs: Option<Signs>,
    /// The catalog files, and the stamps of all files in use.
    paths: Vec<FilePath>,
    seen: Seen,
    /// The files by each of their names.
    tracked: HashMap<PathBuf, FilePath>,
    /// The files that a program is writing, since when.
    writing: HashMap<PathBuf, Instant>,
}

struct Stopped;

impl Watch {
    pub(super) fn new(settings: WatchSettings, files: &[PathBuf]) -> Self {
        let (messages, inbox) = channel();
        let signs = settings.notifications.then(|| Signs::new(messages.clone()));
        let mut watch = Self {
            settings,
            messages,
            inbox,
            signs: signs.flatten(),
            paths: files.iter().map(|file| FilePath::new(file)).collect(),
            seen: Seen::new(),
            tracked: HashMap::new(),
            writing: HashMap::new(),
        };
        watch.follow();
        watch
    }

    /// Starts the thread. `seen` are the stamps of the files in use.
    pub(super) fn start(mut self, loader: Arc<Loader>, seen: Seen) -> Result<Watcher, FileError> {
        self.seen = seen;
        let watcher = Watcher {
            messages: self.messages.clone(),
            loader: Arc::clone(&loader),
        };
        let guard = RunGuard::new(&loader.replica);
        let path = self.paths.first().map(|path| path.given.clone());
        let run = move || {
            let _guard = guard;
            // It runs until it is stopped.
            let Err(Stopped) = self.run(&loader);
        };
        let thread = thread::Builder::new().name("file-store-watch".into());
        match thread.spawn(run) {
            Ok(_) => Ok(watcher),
            Err(cause) => {
                let path = path.unwrap_or_default();
                Err(FileError::Thread { path, cause })
            }
        }
    }

    fn run(&mut self, loader: &Loader) -> Result<std::convert::Infallible, Stopped> {
        self.follow();
        while self.receive(Duration::ZERO)? {}
        loop {
            // Also before the first wait: a file may have changed between being
            // read and being watched.
            if self.has_changed() {
                self.settle()?;
                match self.longest_writing() {
                    None => self.seen = loader.look(),
                    Some((path, since)) if since.elapsed() >= LONG_OPEN => {
                        loader.report_open(path, LONG_OPEN.as_secs());
                    }
                    Some(_) => {}
                }
            }
            // What happened in a directory before it was watched gave no sign.
            if !self.follow() {
                self.wait()?;
            }
        }
    }

    fn has_changed(&self) -> bool {
        let changed = |(path, seen): (&PathBuf, &Option<Stamp>)| *seen != Some(Stamp::of(path));
        self.seen.iter().any(changed)
    }

    /// Watches the directories in which a change of the files shows: those of their
    /// paths, and those of what the paths lead to. Returns whether they are others
    /// than before.
    fn follow(&mut self) -> bool {
        let mut tracked = HashMap::new();
        let key_files = self.seen.keys().map(|path| FilePath::new(path));
        for path in self.paths.iter().cloned().chain(key_files) {
            for name in names_of(&path) {
                tracked.entry(name).or_insert_with(|| path.clone());
            }
        }
        self.writing.retain(|path, _| tracked.contains_key(path));
        self.tracked = tracked;
        let Some(signs) = &mut self.signs else {
            return false;
        };
        let mut names: Vec<_> = self.tracked.keys().cloned().collect();
        names.sort_unstable();
        signs.follow(&names)
    }

    /// The file that a program has been writing for the longest time.
    fn longest_writing(&self) -> Option<(&FilePath, Instant)> {
        let writing = self.writing.iter();
        let (name, since) = writing.min_by_key(|(_, since)| **since)?;
        Some((self.tracked.get(name)?, *since))
    }

    /// Waits for a sign, at most until the next poll.
    fn wait(&mut self) -> Result<(), Stopped> {
        if self.receive(self.settings.poll_interval)? {
            self.pause(SIGNS_TOGETHER)?;
        }
        Ok(())
    }

    /// Waits until nothing has changed for a while.
    fn settle(&mut self) -> Result<(), Stopped> {
        let stamps = |watch: &Self| -> Vec<Stamp> {
            watch.seen.keys().map(|path| Stamp::of(path)).collect()
        };
        let mut last = stamps(self);
        for _ in 0..LONGEST_SETTLE {
            self.pause(self.settings.settle_time)?;
            let now = stamps(self);
            if now == last {
                break;
            }
            last = now;
        }
        Ok(())
    }

    /// Lets time pass.
    fn pause(&mut self, time: Duration) -> Result<(), Stopped> {
        let end = Instant::now() + time;
        while self.receive(end.saturating_duration_since(Instant::now()))? {}
        Ok(())
    }

    /// Waits for one message. `false`: none came in time.
    fn receive(&mut self, time: Duration) -> Result<bool, Stopped> {
        match self.inbox.recv_timeout(time) {
            Ok(Message::Changed(path, change)) => self.note(path, change),
            // What closed meanwhile is not known.
            Ok(Message::Lost) => self.writing.clear(),
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
        }
        Ok(true)
    }

    fn note(&mut self, path: PathBuf, change: Change) {
        if !REPORTS_CLOSING || !self.tracked.contains_key(&path) {
            return;
        }
        match change {
            // One that has content is a link to a complete file, or it was written
            // and says so next.
            Change::Created if !Stamp::of(&path).is_empty_file() => {}
            Change::Created | Change::Written => {
                self.writing.entry(path).or_insert_with(Instant::now);
            }
            Change::Closed | Change::Replaced => drop(self.writing.remove(&path)),
            Change::Other => {}
        }
    }
}
