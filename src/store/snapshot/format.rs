//! What stands in the file.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::SystemTime;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;
use crate::document;
use crate::key::KeyDigest;

/// What a file of this kind begins with.
const KIND: &str = "tower-subscription-key 1";

pub(super) struct Header {
    pub(super) saved_at: SystemTime,
    pub(super) source: String,
    #[cfg(feature = "cache")]
    pub(super) confirmed: Confirmed,
}

/// When subscriptions, by their ids, were last good that were not when the file
/// was saved.
pub(super) type Confirmed = HashMap<String, SystemTime>;

pub(super) fn write(
    writer: impl Write,
    catalog: &Catalog,
    saved_at: SystemTime,
    source: &str,
    confirmed: &Confirmed,
) -> io::Result<()> {
    let mut hashing = Hashing {
        writer,
        hash: Sha256::new(),
    };
    let saved_at = document::time_to_text(saved_at);
    let mut header = json!({ "snapshot": KIND, "saved_at": saved_at, "source": source });
    if !confirmed.is_empty() {
        let texts = confirmed
            .iter()
            .map(|(id, time)| (id.clone(), document::time_to_text(*time).into()));
        header["confirmed"] = Value::Object(texts.collect());
    }
    writeln!(hashing, "{header}")?;
    document::write(catalog, &mut hashing)?;
    writeln!(hashing)?;
    let Hashing { mut writer, hash } = hashing;
    let sha256 = hex(hash);
    writeln!(writer, "{}", json!({ "sha256": sha256 }))
}

/// The header and the catalog document. `None` where the file is not whole.
pub(super) fn read(content: &[u8]) -> Option<(Header, &[u8])> {
    let (hashed, trailer) = last_line(content)?;
    let trailer: Value = serde_json::from_slice(trailer).ok()?;
    if trailer.get("sha256")?.as_str()? != hex(Sha256::new_with_prefix(hashed)) {
        return None;
    }
    let (header, document) = last_line(hashed)?;
    let header: Value = serde_json::from_slice(header).ok()?;
    if header.get("snapshot")?.as_str()? != KIND {
        return None;
    }
    let header = Header {
        saved_at: document::time_from_text(header.get("saved_at")?.as_str()?)?,
        source: header.get("source")?.as_str()?.to_owned(),
        #[cfg(feature = "cache")]
        confirmed: confirmed(&header)?,
    };
    Some((header, document))
}

#[cfg(feature = "cache")]
fn confirmed(header: &Value) -> Option<Confirmed> {
    let Some(confirmed) = header.get("confirmed") else {
        return Some(Confirmed::new());
    };
    let times = confirmed.as_object()?.iter();
    times
        .map(|(id, time)| Some((id.clone(), document::time_from_text(time.as_str()?)?)))
        .collect()
}

/// What stands before the last line, with the break between them, and the line.
fn last_line(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let whole = content.strip_suffix(b"\n")?;
    let at = whole.iter().rposition(|byte| *byte == b'\n')?;
    Some((whole.get(..=at)?, whole.get(at + 1..)?))
}

fn hex(hash: Sha256) -> String {
    KeyDigest::from_bytes(hash.finalize().into()).to_hex()
}

struct Hashing<W> {
    writer: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
