use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Free-form values on an API, a product or a subscription, for later layers to
/// read: a rate, a plan, a tenant.
///
/// ```
/// use tower_subscription_key::catalog::Metadata;
///
/// let metadata: Metadata = [("calls_per_minute", 5)].into_iter().collect();
/// assert_eq!(metadata.get("calls_per_minute").and_then(|v| v.as_u64()), Some(5));
///
/// #[derive(serde::Deserialize)]
/// struct Plan { calls_per_minute: u32 }
/// let plan: Plan = metadata.read()?;
/// assert_eq!(plan.calls_per_minute, 5);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// The empty metadata, to borrow where there is none.
    pub(crate) fn none() -> &'static Self {
        static NONE: LazyLock<Metadata> = LazyLock::new(Metadata::default);
        &NONE
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn values(&self) -> &Map<String, Value> {
        &self.0
    }

    /// All values, read into a type of your own.
    ///
    /// # Errors
    ///
    /// Where the values do not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.0)
    }
}

impl From<Map<String, Value>> for Metadata {
    fn from(values: Map<String, Value>) -> Self {
        Self(values)
    }
}

impl From<Metadata> for Map<String, Value> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> Self {
        Self(
            values
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}
