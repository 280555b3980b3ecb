//! A long document is cut into parts, which are read side by side.
//!
//! Where to cut is a guess, because only who reads a JSON document from its
//! beginning knows what is text in it and what is not. The guess is right if the
//! part before ends exactly there, between two subscriptions. Where one is wrong,
//! nothing is made of the parts.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::catalog::CatalogBuilder;
use crate::document::Environment;
use crate::document::stream::Fields;
use crate::document::stream::entities::SubscriptionFields;
use crate::document::stream::part::{Border, Part};

/// Reading a part takes some milliseconds.
pub(crate) const PART_BYTES: usize = 1 << 20;

/// More would wait for the one that hands out the parts.
const MOST_READERS: usize = 8;

/// The last place behind `from` where that text may be cut: before what looks
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
        let known = SubscriptionFields::NAMES.iter().map(|n| n.as_bytes());
        known
            .filter_map(|known| name.strip_prefix(known))
            .any(|behind| behind.first() == Some(&b'"'))
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
        let (part, behind) = text.split_at(cut);
        rest = Some(behind).filter(|behind| !behind.is_empty());
        Some(part)
    })
}

/// Reads the parts of a document. `told` is called after each that is handed out,
/// with the entries that have been read and the bytes that were handed out so
/// far. `None` where there is anything to complain about, or a guess was wrong.
///
/// # Errors
///
/// The first error of `parts`.
pub(in crate::document) fn read<T, E>(
    parts: impl Iterator<Item = Result<T, E>>,
    environment: Environment<'_>,
    mut told: impl FnMut(u64, u64),
) -> Result<Option<CatalogBuilder>, E>
where
    T: AsRef<[u8]> + Send,
{
    let (sender, queue) = sync_channel(MOST_READERS);
    let reader = Reader {
        queue: Arc::new(Mutex::new(queue)),
        environment,
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
        // Where there are no readers, nobody takes the parts.
        let Reader { queue, entries, .. } = reader;
        drop(queue);
        let (mut handed, mut bytes) = (0, 0);
        for part in parts {
            let part = part?;
            bytes += part.as_ref().len() as u64;
            handed += 1;
            if sender.send((handed, part)).is_err() {
                break;
            }
            told(entries.load(Ordering::Relaxed), bytes);
        }
        drop(sender);
        let mut read = Vec::with_capacity(handed);
        for reader in readers {
            read.extend(reader.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        Ok(joined(read, handed))
    })
}

/// The number of the part with which the document begins.
const FIRST: usize = 1;

/// Reads parts as long as there are any.
struct Reader<'s, T> {
    queue: Arc<Mutex<Receiver<(usize, T)>>>,
    environment: Environment<'s>,
    entries: &'s AtomicU64,
    failed: &'s AtomicBool,
}

impl<T> Clone for Reader<'_, T> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            ..*self
        }
    }
}

impl<T: AsRef<[u8]>> Reader<'_, T> {
    /// What was read, with its place among the parts.
    fn read(self) -> Vec<(usize, Part)> {
        let mut read = Vec::new();
        while let Some((number, text)) = self.next() {
            if self.failed.load(Ordering::Relaxed) {
                continue;
            }
            let begins = match number {
                FIRST => Border::Document,
                _ => Border::Subscription,
            };
            match Part::read(text.as_ref(), begins, self.environment) {
                Some(part) => {
                    let entries = part.builder.len() as u64;
                    self.entries.fetch_add(entries, Ordering::Relaxed);
                    read.push((number, part));
                }
                None => self.failed.store(true, Ordering::Relaxed),
            }
        }
        read
    }

    fn next(&self) -> Option<(usize, T)> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.recv().ok()
    }
}

/// What all parts hold together, if each ends where the next begins.
fn joined(mut parts: Vec<(usize, Part)>, count: usize) -> Option<CatalogBuilder> {
    if parts.len() != count {
        return None;
    }
    parts.sort_unstable_by_key(|(number, _)| *number);
    let mut parts = parts.into_iter().map(|(_, part)| part);
    let mut whole = parts.next()?;
    for part in parts {
        whole.append(part)?;
    }
    whole.whole()
}
