/// How to treat a key that does not grant access when the API can be called
/// without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InapplicableKey {
    /// The key is ignored: the request is allowed as if it had none.
    #[default]
    Ignore,
    /// The request is denied, so that a caller who expects to be known learns
    /// that the key is wrong.
    Deny,
}

/// How to treat a request with a path that belongs to no API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unmatched {
    /// The request is denied.
    #[default]
    Deny,
    /// The request is let through without an [`Access`](crate::Access). Its key
    /// is not looked up.
    Pass,
}

/// The settings of the layer that affect a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Policy {
    /// How to treat a key that does not grant access when the API can be called
    /// without one.
    pub inapplicable_key: InapplicableKey,
    /// How to treat a request with a path that belongs to no API.
    pub unmatched: Unmatched,
}

impl Policy {
    /// A policy of both settings.
    #[must_use]
    pub const fn new(inapplicable_key: InapplicableKey, unmatched: Unmatched) -> Self {
        Self {
            inapplicable_key,
            unmatched,
        }
    }
}
