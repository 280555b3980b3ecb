use std::fmt;

use http::HeaderName;

/// A header that carries keys: its name, and the spelling that clients are told.
///
/// HTTP compares header names without case, so the name alone would forget how
/// it was written; `WWW-Authenticate` repeats it as configured.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyHeader {
    name: HeaderName,
    spelling: Box<str>,
}

impl KeyHeader {
    /// A header of that name.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Header`] where `spelling` cannot be a header name.
    pub fn new(spelling: &str) -> Result<Self, KeyNameError> {
        let name =
            HeaderName::from_bytes(spelling.as_bytes()).map_err(|_| KeyNameError::Header {
                name: spelling.into(),
            })?;
        Ok(Self {
            name,
            spelling: spelling.into(),
        })
    }

    /// The header that is read where nobody has named one.
    pub(super) fn well_known() -> Self {
        Self {
            name: HeaderName::from_static("ocp-apim-subscription-key"),
            spelling: "Ocp-Apim-Subscription-Key".into(),
        }
    }

    /// The name as HTTP compares it.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The name as it was written.
    #[must_use]
    pub fn spelling(&self) -> &str {
        &self.spelling
    }
}

impl fmt::Debug for KeyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.spelling, f)
    }
}

/// A query parameter that carries keys, by its decoded name.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyQuery(Box<str>);

impl KeyQuery {
    /// A parameter of that name, compared exactly after percent-decoding.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Query`] where `name` is empty.
    pub fn new(name: &str) -> Result<Self, KeyNameError> {
        if name.is_empty() {
            return Err(KeyNameError::Query);
        }
        Ok(Self(name.into()))
    }

    /// The parameter that is read where nobody has named one.
    pub(super) fn well_known() -> Self {
        Self("subscription-key".into())
    }

    /// The decoded name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A name under which no key can travel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyNameError {
    /// Not a header name.
    #[error("{name:?} is not a header name: use letters, digits and `-`, for example `X-Api-Key`")]
    Header {
        /// What was given.
        name: Box<str>,
    },
    /// An empty query parameter name.
    #[error("a query parameter needs a name, for example `api_key`")]
    Query,
    /// Not a cookie name.
    #[error("{name:?} is not a cookie name: use letters, digits, `-` and `_`")]
    Cookie {
        /// What was given.
        name: Box<str>,
    },
    /// Not an authentication scheme.
    #[error("{name:?} is not an authentication scheme: use one word, for example `Bearer`")]
    Scheme {
        /// What was given.
        name: Box<str>,
    },
}
