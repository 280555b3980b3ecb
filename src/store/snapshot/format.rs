//! The content of the file: a JSON header, a catalog document and a JSON trailer.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::SystemTime;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;
use crate::document;
use crate::key::KeyDigest;

/// What a snapshot begins with.
const MAGIC: &str = "tower-subscription-key";

/// The format that is written, and the highest one that is read. Unknown fields of
/// a header are ignored.
pub(super) const FORMAT: u64 = 1;

pub(super) struct Header {
    pub(super) kind: String,
    /// The digest of the source.
    pub(super) source: String,
    pub(super) saved_at: SystemTime,
    pub(super) confirmed: Confirmed,
}

/// When subscriptions, by their ids, were last confirmed, if that was before the
/// file was saved.
pub(crate) type Confirmed = HashMap<String, SystemTime>;

/// Why a content is not used.
pub(super) enum Unusable {
    Broken,
    Newer(u64),
}

pub(super) fn write(writer: impl Write, header: &Header, catalog: &Catalog) -> io::Result<()> {
    let mut hashing = Hashing {
        writer,
        hash: Sha256::new(),
    };
    let time = |time: &SystemTime| Value::from(document::format_time(*time));
    let mut fields = json!({
        "snapshot": MAGIC,
        "format": FORMAT,
        "kind": header.kind,
        "source": header.source,
        "saved_at": time(&header.saved_at),
    });
    if !header.confirmed.is_empty() {
        let times = header.confirmed.iter();
        let times = times.map(|(id, at)| (id.clone(), time(at)));
        fields["confirmed"] = Value::Object(times.collect());
    }
    writeln!(hashing, "{fields}")?;
    document::write_to(catalog, document::Format::Json, &mut hashing)?;
    writeln!(hashing)?;
    let Hashing { mut writer, hash } = hashing;
    writeln!(writer, "{}", json!({ "sha256": hex(hash) }))
}

/// The header and the catalog document.
pub(super) fn read(content: &[u8]) -> Result<(Header, &[u8]), Unusable> {
    let (header, document) = checked(content).ok_or(Unusable::Broken)?;
    match header.get("format").and_then(Value::as_u64) {
        Some(format) if format > FORMAT => return Err(Unusable::Newer(format)),
        _ => {}
    }
    let header = read_header(&header).ok_or(Unusable::Broken)?;
    Ok((header, document))
}

/// The header of a complete content, and the document.
fn checked(content: &[u8]) -> Option<(Value, &[u8])> {
    let (hashed, trailer) = last_line(content)?;
    let trailer: Value = serde_json::from_slice(trailer).ok()?;
    if trailer.get("sha256")?.as_str()? != hex(Sha256::new_with_prefix(hashed)) {
        return None;
    }
    let (header, document) = last_line(hashed)?;
    let header: Value = serde_json::from_slice(header).ok()?;
    (header.get("snapshot")?.as_str()? == MAGIC).then_some((header, document))
}

fn read_header(header: &Value) -> Option<Header> {
    let text = |name: &str| header.get(name)?.as_str();
    let confirmed = match header.get("confirmed") {
        None => Confirmed::new(),
        Some(confirmed) => confirmed
            .as_object()?
            .iter()
            .map(|(id, at)| Some((id.clone(), document::parse_time(at.as_str()?)?)))
            .collect::<Option<_>>()?,
    };
    Some(Header {
        kind: text("kind")?.to_owned(),
        source: text("source")?.to_owned(),
        saved_at: document::parse_time(text("saved_at")?)?,
        confirmed,
    })
}

/// Everything before the last line, with the line break between them, and the line.
fn last_line(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let whole = content.strip_suffix(b"\n")?;
    let at = whole.iter().rposition(|byte| *byte == b'\n')?;
    Some((whole.get(..=at)?, whole.get(at + 1..)?))
}

pub(super) fn hex(hash: Sha256) -> String {
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
