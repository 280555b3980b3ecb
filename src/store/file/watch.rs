use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::store::file::load::{Outcome, Shared};
use crate::store::file::signs::Signs;
use crate::store::file::stamp::Stamp;
use crate::store::file::{FileError, FileStoreOptions};

/// A file that is never quiet is read after this many settle times.
const LONGEST_SETTLE: u32 = 6;

const SIGNS_TOGETHER: Duration = Duration::from_millis(10);

/// What the watching thread is told.
pub(super) enum Message {
    /// Something has changed near the file.
    Changed,
    /// The last handle is gone.
    Stop,
}

/// The watching thread, seen from outside. It ends when this is dropped.
pub(super) struct Watcher {
    messages: Sender<Message>,
}

impl Watcher {
    /// Watches the file, of which `seen` is the stamp that is in use.
    pub(super) fn start(
        shared: Arc<Shared>,
        options: FileStoreOptions,
        seen: Option<Stamp>,
    ) -> Result<Self, FileError> {
        let (messages, inbox) = channel();
        let path = shared.path().to_owned();
        let to_signs = messages.clone();
        let watch = move || {
            let signs = options.notifications.then(|| Signs::new(to_signs));
            let watch = Watch {
                shared,
                options,
                inbox,
                signs: signs.flatten(),
                seen,
            };
            // The only end there is: being stopped.
            let Err(Stopped) = watch.run();
        };
        let thread = thread::Builder::new().name("file-store-watch".into());
        match thread.spawn(watch) {
            Ok(_) => Ok(Self { messages }),
            Err(source) => Err(FileError::Read { path, source }),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Without a receiver the thread has ended already.
        let _ = self.messages.send(Message::Stop);
    }
}

/// The watching thread, seen from inside.
struct Watch {
    shared: Arc<Shared>,
    options: FileStoreOptions,
    inbox: Receiver<Message>,
    signs: Option<Signs>,
    /// The stamp of what was dealt with. `None`: look again in any case.
    seen: Option<Stamp>,
}

struct Stopped;

impl Watch {
    fn run(mut self) -> Result<std::convert::Infallible, Stopped> {
        self.follow();
        loop {
            // Also before the first wait: the file may have changed between being
            // read and being watched.
            if self.seen != Some(Stamp::of(self.shared.absolute())) {
                self.settle()?;
                self.seen = match self.shared.look() {
                    Outcome::Done(seen) => seen,
                    Outcome::Later => None,
                };
            }
            // What happened in a directory before it was watched gave no sign.
            if !self.follow() {
                self.wait()?;
            }
        }
    }

    /// Whether other directories than before are watched now.
    fn follow(&mut self) -> bool {
        let file = self.shared.absolute();
        let signs = self.signs.as_mut();
        signs.is_some_and(|signs| signs.follow(file))
    }

    /// Waits for a sign, at most until the next poll.
    fn wait(&self) -> Result<(), Stopped> {
        match self.inbox.recv_timeout(self.options.poll_interval) {
            // One change comes with many signs, and neighbours may give more.
            Ok(Message::Changed) => self.pause(SIGNS_TOGETHER),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => Err(Stopped),
        }
    }

    /// Waits until nothing has changed for a while.
    fn settle(&self) -> Result<(), Stopped> {
        let mut last = Stamp::of(self.shared.absolute());
        for _ in 0..LONGEST_SETTLE {
            self.pause(self.options.settle_time)?;
            let now = Stamp::of(self.shared.absolute());
            if now == last {
                break;
            }
            last = now;
        }
        Ok(())
    }

    /// Lets time pass. What is told meanwhile will be seen anyway.
    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Message::Changed) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
        }
    }
}
