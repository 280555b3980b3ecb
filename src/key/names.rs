use std::fmt;

use http::HeaderName;
use percent_encoding::{CONTROLS, utf8_percent_encode};

/// A header that carries keys: its name, and the spelling that clients see.
///
/// HTTP compares header names in any case. `WWW-Authenticate` repeats the spelling as
/// configured.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyHeader {
    pub(super) name: HeaderName,
    pub(super) spelling: PlaceName,
}

/// Headers that cannot carry a key, because HTTP itself, or the request, breaks if a
/// client sends a key there or if the layer strips it.
const RESERVED: [&str; 16] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl KeyHeader {
    /// A header with the given name.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Header`] if it is not a header name, and
    /// [`KeyNameError::Reserved`] if it is one that HTTP needs itself, for example
    /// `Host` or `Content-Length`.
    pub fn new(spelling: &str) -> Result<Self, KeyNameError> {
        let given = || spelling.to_owned();
        let name = HeaderName::from_bytes(spelling.as_bytes())
            .map_err(|_| KeyNameError::Header { name: given() })?;
        if RESERVED.contains(&name.as_str()) {
            return Err(KeyNameError::Reserved { name: given() });
        }
        let spelling = PlaceName::new("header", spelling);
        Ok(Self { name, spelling })
    }

    /// The name as HTTP compares it.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The name in its original spelling.
    #[must_use]
    pub fn spelling(&self) -> &str {
        &self.spelling.name
    }
}

impl fmt::Debug for KeyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.spelling, f)
    }
}

/// A query parameter that carries keys, by its decoded name.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyQuery(pub(super) PlaceName);

impl KeyQuery {
    /// A parameter with the given name, compared exactly after percent-decoding.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Query`] if `name` is empty.
    pub fn new(name: &str) -> Result<Self, KeyNameError> {
        if name.is_empty() {
            return Err(KeyNameError::Query);
        }
        Ok(Self(PlaceName::new("query", name)))
    }

    /// The decoded name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl fmt::Debug for KeyQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The name of a place for keys, and the end of a challenge that asks for a key there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PlaceName {
    pub(super) name: Box<str>,
    /// The part of the challenge after the realm.
    pub(super) challenge_end: Box<str>,
}

impl PlaceName {
    pub(super) fn new(kind: &str, name: &str) -> Self {
        let challenge_end = format!("\",name=\"{}\",type=\"{kind}\"", quoted(name));
        Self {
            name: name.into(),
            challenge_end: challenge_end.into(),
        }
    }
}

impl fmt::Debug for PlaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

/// Text as the content of a quoted string of ASCII (RFC 9110, section 5.6.4): `"` and
/// `\` are escaped, and what such a string cannot hold is percent-encoded.
pub(crate) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
    utf8_percent_encode(&escaped, CONTROLS).to_string()
}

/// A name that cannot carry a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyNameError {
    /// Not a header name.
    #[error("{name:?} is not a header name: use letters, digits and `-`, for example `X-Api-Key`")]
    Header {
        /// The given name.
        name: String,
    },
    /// A header that HTTP needs itself.
    #[error(
        "the header {name:?} cannot carry a key, because HTTP needs it: use one of your own, \
         for example `X-Api-Key` (for a cookie, `KeySource::cookie`)"
    )]
    Reserved {
        /// The given name.
        name: String,
    },
    /// An empty name of a query parameter.
    #[error("the query parameter has an empty name: give it one, for example `api_key`")]
    Query,
    /// Not a cookie name.
    #[error("{name:?} is not a cookie name: use letters, digits, `-` and `_`")]
    Cookie {
        /// The given name.
        name: String,
    },
    /// Not an authentication scheme.
    #[error("{name:?} is not an authentication scheme: use one word, for example `Bearer`")]
    Scheme {
        /// The given name.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_that_http_needs_is_refused_in_any_case() {
        for name in RESERVED.into_iter().chain(["Host", "CONTENT-LENGTH"]) {
            let reserved = KeyNameError::Reserved { name: name.into() };
            assert_eq!(KeyHeader::new(name), Err(reserved));
        }
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "X-Api-Key",
            "api-host",
        ] {
            assert!(KeyHeader::new(name).is_ok(), "{name}");
        }
    }
}
