//! A long document is cut into parts, which are read side by side.
//!
//! Where to cut is a guess, because only a reader that begins at the beginning of a
//! JSON document knows what is text in it and what is not. The guess is right if the
//! part before it ends exactly there, between two subscriptions. If one is wrong,
//! the parts are not used.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::document::BYTE_ORDER_MARK;
use crate::document::json::walk::{Border, Part};
use crate::document::reader::{Broken, Read, Rules};

/// Reading a part takes some milliseconds.
pub(crate) const PART_BYTES: usize = 1 << 20;

/// More would wait for the thread that hands out the parts.
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
pub(in crate::document) fn cut(text: &[u8], bytes: usize) -> impl Iterator<Item = &[u8]> {
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

/// Reads the parts of a document. `progress` is called after each part that is
/// handed out, with the number of entries that were read and of bytes that were
/// handed out so far.
///
/// # Errors
///
/// The first error of `parts`. Inside, [`Broken`] if a guess was wrong, or the
/// document is not JSON.
pub(in crate::document) fn read<T, E>(
    parts: impl Iterator<Item = Result<T, E>>,
    rules: Rules<'_>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Result<Read, Broken>, E>
where
    T: AsRef<[u8]> + Send,
{
    let (sender, queue) = sync_channel(MOST_READERS);
    let reader = PartReader {
        queue: Arc::new(Mutex::new(queue)),
        rules,
        entries: &AtomicU64::new(0),
        failed: &AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let readers: Vec<_> = (0..count.min(MOST_READERS))
            .map_while(|_| {
                let reader = reader.clone();
                let thread = thread::Builder::new().name("document-part".into());
                thread.spawn_scoped(scope, move || reader.read()).ok()
            })
            .collect();
        // Without readers the queue is closed.
        let PartReader { queue, entries, .. } = reader;
        drop(queue);
        let (mut handed, mut bytes, mut start) = (0, 0, 0);
        for part in parts {
            let part = part?;
            let length = part.as_ref().len();
            let mark = part.as_ref().starts_with(BYTE_ORDER_MARK.as_bytes()) && handed == 0;
            bytes += length as u64;
            handed += 1;
            if sender
                .send(Handed {
                    number: handed,
                    start,
                    part,
                })
                .is_err()
            {
                break;
            }
            start += length - if mark { BYTE_ORDER_MARK.len() } else { 0 };
            progress(entries.load(Ordering::Relaxed), bytes);
        }
        drop(sender);
        let mut read = Vec::with_capacity(handed);
        for reader in readers {
            read.extend(reader.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        Ok(joined(read, handed))
    })
}

/// A part and its position in the document.
struct Handed<T> {
    number: usize,
    start: usize,
    part: T,
}

/// The number of the part with which the document begins.
const FIRST: usize = 1;

/// Reads parts until none is left.
struct PartReader<'s, T> {
    queue: Arc<Mutex<Receiver<Handed<T>>>>,
    rules: Rules<'s>,
    entries: &'s AtomicU64,
    failed: &'s AtomicBool,
}

impl<T> Clone for PartReader<'_, T> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            ..*self
        }
    }
}

impl<T: AsRef<[u8]>> PartReader<'_, T> {
    /// Returns what was read, with the numbers of the parts.
    fn read(self) -> Vec<(usize, Part)> {
        let mut read = Vec::new();
        while let Some(Handed {
            number,
            start,
            part,
        }) = self.next()
        {
            if self.failed.load(Ordering::Relaxed) {
                continue;
            }
            let begins = match number {
                FIRST => Border::Document,
                _ => Border::Subscription,
            };
            match Part::read(part.as_ref(), start, begins, self.rules) {
                Ok(part) => {
                    let entries = part.read.builder.len() as u64;
                    self.entries.fetch_add(entries, Ordering::Relaxed);
                    read.push((number, part));
                }
                Err(Broken) => self.failed.store(true, Ordering::Relaxed),
            }
        }
        read
    }

    fn next(&self) -> Option<Handed<T>> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.recv().ok()
    }
}

/// What all parts hold together, if each ends where the next begins.
fn joined(mut parts: Vec<(usize, Part)>, count: usize) -> Result<Read, Broken> {
    if parts.len() != count {
        return Err(Broken);
    }
    parts.sort_unstable_by_key(|(number, _)| *number);
    let mut parts = parts.into_iter().map(|(_, part)| part);
    let mut whole = parts.next().ok_or(Broken)?;
    for part in parts {
        whole.append(part)?;
    }
    whole.whole()
}
