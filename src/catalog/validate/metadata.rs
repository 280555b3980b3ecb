use std::io;

use serde_json::Value;

use crate::catalog::Metadata;

/// How deep [`Metadata`] may nest, itself included. Every reader of documents
/// accepts this depth.
pub const MAX_METADATA_DEPTH: usize = 32;

/// How many bytes the [`Metadata`] of one API, product or subscription may have
/// as JSON.
pub const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Invalid metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// It is not an object of names and values.
    #[error("metadata is an object of names and values, such as {{\"tier\": \"public\"}}")]
    NotAnObject,
    /// It nests deeper than [`MAX_METADATA_DEPTH`].
    #[error("metadata nests at most 32 levels deep: flatten it")]
    TooDeep,
    /// It has more than [`MAX_METADATA_BYTES`] as JSON.
    #[error("metadata has at most 65536 bytes as JSON: keep large values elsewhere")]
    TooLarge,
}

pub(crate) fn check_metadata(metadata: &Metadata) -> Result<(), MetadataError> {
    if metadata.is_empty() {
        return Ok(());
    }
    let fits = |(_, value): (&str, &Value)| fits(value, MAX_METADATA_DEPTH - 1);
    if !metadata.iter().all(fits) {
        return Err(MetadataError::TooDeep);
    }
    serde_json::to_writer(Remaining(MAX_METADATA_BYTES), metadata.values())
        .map_err(|_| MetadataError::TooLarge)
}

/// Whether a value nests at most that deep.
fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(values) => depth > 0 && values.iter().all(|value| fits(value, depth - 1)),
        Value::Object(values) => depth > 0 && values.values().all(|value| fits(value, depth - 1)),
        _ => true,
    }
}

/// A writer that takes that many more bytes and keeps none.
struct Remaining(usize);

impl io::Write for Remaining {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Metadata {
        let mut value = json!(1);
        for _ in 1..levels {
            value = json!([value]);
        }
        [("a", value)].into_iter().collect()
    }

    #[test]
    fn metadata_at_its_limits_is_accepted_and_beyond_refused() {
        assert_eq!(check_metadata(&nested(MAX_METADATA_DEPTH)), Ok(()));
        assert_eq!(
            check_metadata(&nested(MAX_METADATA_DEPTH + 1)),
            Err(MetadataError::TooDeep)
        );
        let text = |bytes: usize| -> Metadata { [("a", "x".repeat(bytes))].into_iter().collect() };
        let around = r#"{"a":""}"#.len();
        assert_eq!(check_metadata(&text(MAX_METADATA_BYTES - around)), Ok(()));
        assert_eq!(
            check_metadata(&text(MAX_METADATA_BYTES - around + 1)),
            Err(MetadataError::TooLarge)
        );
    }
}
