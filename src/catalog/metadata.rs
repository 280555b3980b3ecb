use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{LazyLock, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

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

/// Free-form values on an API, a product or a subscription, for later layers: a
/// rate, a plan, a tenant.
///
/// A catalog refuses metadata that nests deeper than
/// [`MAX_METADATA_DEPTH`] or is larger than
/// [`MAX_METADATA_BYTES`].
///
/// ```
/// use serde_json::json;
/// use tower_subscription_key::catalog::Metadata;
///
/// let metadata = Metadata::try_from(json!({ "calls_per_minute": 5, "tags": ["new"] }))?;
/// assert_eq!(metadata.get("calls_per_minute"), Some(&json!(5)));
///
/// #[derive(serde::Deserialize)]
/// struct Plan { calls_per_minute: u32 }
/// assert_eq!(metadata.typed::<Plan>().unwrap().calls_per_minute, 5);
/// assert_eq!(Metadata::from([("tier", "public")]).get("tier"), Some(&json!("public")));
/// # Ok::<(), tower_subscription_key::catalog::MetadataError>(())
/// ```
#[derive(Default)]
pub struct Metadata {
    values: Map<String, Value>,
    typed: Typed,
}

/// The values as they were read into types, one after the other.
#[derive(Default)]
struct Typed(OnceLock<Box<(Box<dyn Any + Send + Sync>, Typed)>>);

impl Metadata {
    /// Empty metadata, to borrow.
    pub(crate) fn none() -> &'static Self {
        static NONE: LazyLock<Metadata> = LazyLock::new(Metadata::default);
        &NONE
    }

    /// The value with the given name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let values = self.values.iter();
        values.map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Reads all values into a type.
    ///
    /// # Errors
    ///
    /// If the values do not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.values)
    }

    /// All values as a type, read at the first call and kept for the next ones.
    ///
    /// Every request that meets the same API, product or subscription shares the
    /// result, until a change replaces it. One metadata can be read into several
    /// types.
    ///
    /// # Errors
    ///
    /// If the values do not fit the type. The error is kept, too.
    pub fn typed<T>(&self) -> Result<&T, &serde_json::Error>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let mut typed = &self.typed;
        loop {
            let (value, next) = &**typed.0.get_or_init(|| {
                let value: Result<T, serde_json::Error> = self.read();
                Box::new((Box::new(value), Typed::default()))
            });
            match value.downcast_ref::<Result<T, serde_json::Error>>() {
                Some(value) => return value.as_ref(),
                None => typed = next,
            }
        }
    }

    /// Checks the limits.
    pub(crate) fn check(&self) -> Result<(), MetadataError> {
        if self.is_empty() {
            return Ok(());
        }
        let fits = |(_, value): (&str, &Value)| fits(value, MAX_METADATA_DEPTH - 1);
        if !self.iter().all(fits) {
            return Err(MetadataError::TooDeep);
        }
        serde_json::to_writer(Remaining(MAX_METADATA_BYTES), &self.values)
            .map_err(|_| MetadataError::TooLarge)
    }
}

impl Clone for Metadata {
    fn clone(&self) -> Self {
        self.values.clone().into()
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metadata").field(&self.values).finish()
    }
}

impl From<Map<String, Value>> for Metadata {
    fn from(values: Map<String, Value>) -> Self {
        let typed = Typed::default();
        Self { values, typed }
    }
}

impl From<Metadata> for Map<String, Value> {
    fn from(metadata: Metadata) -> Self {
        metadata.values
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Metadata {
    fn from(values: [(K, V); N]) -> Self {
        values.into_iter().collect()
    }
}

impl TryFrom<Value> for Metadata {
    type Error = MetadataError;

    /// Takes an object, such as `json!({ "tier": "public" })`.
    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::Object(values) => Ok(values.into()),
            _ => Err(MetadataError::NotAnObject),
        }
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> Self {
        let values = values.into_iter();
        let values = values.map(|(name, value)| (name.into(), value.into()));
        values.collect::<Map<_, _>>().into()
    }
}

/// Whether a value nests at most `depth` levels deep.
fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(values) => depth > 0 && values.iter().all(|value| fits(value, depth - 1)),
        Value::Object(values) => depth > 0 && values.values().all(|value| fits(value, depth - 1)),
        _ => true,
    }
}

/// A writer that accepts the given number of bytes and discards them.
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
        assert_eq!(nested(MAX_METADATA_DEPTH).check(), Ok(()));
        assert_eq!(
            nested(MAX_METADATA_DEPTH + 1).check(),
            Err(MetadataError::TooDeep)
        );
        let text = |bytes: usize| -> Metadata { [("a", "x".repeat(bytes))].into_iter().collect() };
        let around = r#"{"a":""}"#.len();
        assert_eq!(text(MAX_METADATA_BYTES - around).check(), Ok(()));
        assert_eq!(
            text(MAX_METADATA_BYTES - around + 1).check(),
            Err(MetadataError::TooLarge)
        );
    }
}
