use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::document::{PART_BYTES, last_cut};
use crate::store::file::read::Hash;

/// A long text, read in parts that can be parsed in parallel.
pub(super) struct Parts<'f> {
    file: &'f File,
    hash: Sha256,
    /// What was read after the last cut.
    rest: Zeroizing<Vec<u8>>,
}

/// What looks like the beginning of an entry may have been cut off at the end of the
/// last search.
const LOOK_BACK: usize = 64;

impl<'f> Parts<'f> {
    pub(super) fn of(file: &'f File) -> Self {
        Self {
            file,
            hash: Sha256::new(),
            rest: Zeroizing::default(),
        }
    }

    /// The hash of the whole text. Reads what has not been read yet.
    pub(super) fn hash(mut self) -> io::Result<Hash> {
        self.by_ref().try_for_each(|part| part.map(drop))?;
        Ok(self.hash.finalize().into())
    }

    /// The next part. Empty after the last one.
    fn read(&mut self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut from = 1;
        let mut part = with_room(&self.rest);
        loop {
            let read = part.len();
            let more = part.capacity() - read - 1;
            self.file.take(more as u64).read_to_end(&mut part)?;
            if part.len() == read {
                self.rest = Zeroizing::default();
                return Ok(part);
            }
            self.hash.update(&part[read..]);
            if let Some(cut) = last_cut(&part, from) {
                self.rest = Zeroizing::new(part[cut..].to_vec());
                part.truncate(cut);
                return Ok(part);
            }
            from = part.len().saturating_sub(LOOK_BACK).max(1);
            part = with_room(&part);
        }
    }
}

impl Iterator for Parts<'_> {
    type Item = io::Result<Zeroizing<Vec<u8>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.read();
        part.map(|part| Some(part).filter(|part| !part.is_empty()))
            .transpose()
    }
}

/// The same bytes with room for as many more, so that a text without a place to cut
/// is not copied again and again. A buffer that grows leaves copies of keys behind.
fn with_room(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let room = bytes.len().max(PART_BYTES);
    let mut copy = Zeroizing::new(Vec::with_capacity(bytes.len() + room + 1));
    copy.extend_from_slice(bytes);
    copy
}
