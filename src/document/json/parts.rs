//! A long document is cut into parts, which are read side by side.
//!
//! Where to cut is a guess, because only a reader that begins at the beginning of a
//! JSON document knows what is text in it and what is not. The guess is right if the
//! part before it ends exactly there, between two subscriptions. If one is wrong,
//! the parts are not used.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::document::BYTE_ORDER_MARK;
use crate::document::json::walk::{Border, Part};
use crate::document::reader::{Broken, Read, Rules};

/// Reading a part takes some milliseconds.
pub(crate) const PART_BYTES: usize = 1 << 20;

/// More threads would only wait for each other to take a part.
const MOST_READERS: usize = 8;

/// The fields with which writers begin a subscription.
const FIRST_FIELDS: [&[u8]; 5] = [b"id", b"scope", b"scopes", b"primary_key", b"display_name"];

/// Returns the last place after `from` where the text may be cut: before what looks
/// like a subscription that follows another.
pub(crate) fn last_cut(text: &[u8], from: usize) -> Option<usize> {
    let mut end = text.len();
    loop {
        let at = from + text.get(from..end)?.iter().rposition(|b| *b == b'{')?;
        if is_entry(text, at) {
            return Some(at);
        }
        end = at;
    }
}

fn is_entry(text: &[u8], at: usize) -> bool {
    let (before, after) = text.split_at(at);
    let follows = before.trim_ascii_end().strip_suffix(b",");
    let name = after[1..].trim_ascii_start().strip_prefix(b"\"");
    let is_name = |name: &[u8]| {
        let mut rests = FIRST_FIELDS
            .iter()
            .filter_map(|known| name.strip_prefix(*known));
        rests.any(|rest| rest.first() == Some(&b'"'))
    };
    follows.is_some_and(|before| before.trim_ascii_end().ends_with(b"}"))
        && name.is_some_and(is_name)
}

/// Cuts a text into parts of about that many bytes.
pub(crate) fn cut(text: &[u8], bytes: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let mut from = 1;
        let cut = loop {
            let to = from + bytes;
            match text.get(..to).map(|head| last_cut(head, from)) {
                None => break text.len(),
                Some(Some(at)) => break at,
                Some(None) => from = to,
            }
        };
        let (part, after) = text.split_at(cut);
        rest = Some(after).filter(|after| !after.is_empty());
        Some(part)
    })
}

/// Reads the parts of a document on several threads. When a thread takes a part, it calls
/// `progress` with the number of entries read and the number of bytes taken so far.
///
/// # Errors
///
/// The first error of `parts`. The inner error is [`Broken`] if a guess was wrong, or
/// the document is not JSON.
pub(crate) fn read<T: AsRef<[u8]>, E: Send>(
    parts: impl Iterator<Item = Result<T, E>> + Send,
    rules: Rules<'_>,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Result<Read, Broken>, E> {
    let joined = Mutex::new(Joined::default());
    let source = Mutex::new((parts, Taken::default(), progress, None));
    let take = || {
        let mut source = lock(&source);
        let (parts, taken, progress, error) = &mut *source;
        if error.is_some() {
            return None;
        }
        let entries = lock(&joined).entries()?;
        let part = parts.next()?.map_err(|failed| *error = Some(failed)).ok()?;
        let (number, start) = taken.add(part.as_ref());
        progress(entries, taken.bytes);
        Some((number, start, part))
    };
    let read = || {
        while let Some((number, start, part)) = take() {
            let begins = match number {
                0 => Border::Document,
                _ => Border::Subscription,
            };
            let part = Part::read(part.as_ref(), start, begins, rules);
            lock(&joined).add(number, part);
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        // This thread reads, too. If no other can be started, it reads all parts.
        for _ in 1..threads.min(MOST_READERS) {
            let thread = thread::Builder::new().name("document-part".into());
            let _ = thread.spawn_scoped(scope, read);
        }
        read();
    });
    let (_, taken, _, error) = source.into_inner().unwrap_or_else(PoisonError::into_inner);
    let joined = joined.into_inner().unwrap_or_else(PoisonError::into_inner);
    match error {
        Some(error) => Err(error),
        None => Ok(joined.whole(taken.parts)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much of a document the threads have taken.
#[derive(Default)]
struct Taken {
    parts: usize,
    bytes: u64,
    /// Where the next part begins in the text, not counting a byte order mark.
    start: usize,
}

impl Taken {
    /// Returns the number of the part, and where it begins.
    fn add(&mut self, part: &[u8]) -> (usize, usize) {
        let (number, start) = (self.parts, self.start);
        let mark = BYTE_ORDER_MARK.as_bytes();
        let is_marked = number == 0 && part.starts_with(mark);
        self.parts += 1;
        self.bytes += part.len() as u64;
        self.start += part.len() - if is_marked { mark.len() } else { 0 };
        (number, start)
    }
}

/// What was read, joined in the order of the document while the threads go on reading,
/// so that parts do not pile up in memory.
#[derive(Default)]
struct Joined {
    parts: usize,
    whole: Option<Part>,
    /// Parts after one that is still being read.
    early: BTreeMap<usize, Part>,
    is_broken: bool,
}

impl Joined {
    fn add(&mut self, number: usize, part: Result<Part, Broken>) {
        match part {
            Ok(part) => drop(self.early.insert(number, part)),
            Err(Broken) => self.is_broken = true,
        }
        while let Some(part) = self.early.remove(&self.parts) {
            self.parts += 1;
            match &mut self.whole {
                Some(whole) => self.is_broken |= whole.append(part).is_err(),
                None => self.whole = Some(part),
            }
        }
    }

    /// How many entries were read. `None`: further reading is useless.
    fn entries(&self) -> Option<u64> {
        let whole = self.whole.as_ref();
        let entries = whole.map_or(0, |whole| whole.read.builder.len());
        (!self.is_broken).then_some(entries as u64)
    }

    /// The content of all parts, if each ends where the next begins.
    fn whole(self, parts: usize) -> Result<Read, Broken> {
        match self.whole {
            Some(whole) if self.parts == parts && !self.is_broken => whole.whole(),
            _ => Err(Broken),
        }
    }
}
