use std::any::Any;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::catalog::MetadataError;

/// Free-form values on an API, a product or a subscription, for later layers: a
/// rate, a plan, a tenant.
///
/// A catalog refuses metadata that nests deeper than
/// [`MAX_METADATA_DEPTH`](crate::catalog::MAX_METADATA_DEPTH) or is larger than
/// [`MAX_METADATA_BYTES`](crate::catalog::MAX_METADATA_BYTES).
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
