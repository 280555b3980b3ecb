use std::sync::LazyLock;

use http::header::{self, HeaderName};

use super::names::PlaceName;
use super::{KeyHeader, KeyNameError, KeyQuery, wire};

/// A place in a request that can carry a key.
///
/// The first source in the list that is present in the request decides, whether its
/// key is valid or not.
///
/// ```
/// use tower_subscription_key::key::KeySource;
///
/// let sources = [
///     KeySource::header(),
///     KeySource::bearer(),
///     KeySource::cookie("api_key")?,
/// ];
/// # Ok::<(), tower_subscription_key::key::KeyNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySource(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// `None`: the name that applies to the request.
    Header(Option<KeyHeader>),
    Query(Option<KeyQuery>),
    Cookie(PlaceName),
    Authorization(Box<str>),
}

impl KeySource {
    /// The subscription key header, by the name that applies to the request: the
    /// layer's, else the API's, else `Ocp-Apim-Subscription-Key`.
    #[must_use]
    pub fn header() -> Self {
        Self(Kind::Header(None))
    }

    /// The subscription key parameter of the query, by the name that applies to the
    /// request: the layer's, else the API's, else `subscription-key`.
    #[must_use]
    pub fn query() -> Self {
        Self(Kind::Query(None))
    }

    /// The header with the given name, for every API.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Header`] if it is not a header name, and
    /// [`KeyNameError::Reserved`] if HTTP needs it itself.
    pub fn header_named(name: &str) -> Result<Self, KeyNameError> {
        Ok(Self(Kind::Header(Some(KeyHeader::new(name)?))))
    }

    /// The query parameter with the given decoded name, for every API.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Query`] if the name is empty.
    pub fn query_named(name: &str) -> Result<Self, KeyNameError> {
        Ok(Self(Kind::Query(Some(KeyQuery::new(name)?))))
    }

    /// The cookie with the given name. Its value is the key, quotes included.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Cookie`] if it is not a cookie name.
    pub fn cookie(name: &str) -> Result<Self, KeyNameError> {
        if !is_token(name) {
            return Err(KeyNameError::Cookie { name: name.into() });
        }
        Ok(Self(Kind::Cookie(PlaceName::new("cookie", name))))
    }

    /// `Authorization` with the given scheme, in any case. A line with another scheme is
    /// not this source.
    ///
    /// # Errors
    ///
    /// [`KeyNameError::Scheme`] if the scheme is not one word.
    pub fn authorization(scheme: &str) -> Result<Self, KeyNameError> {
        if !is_token(scheme) {
            return Err(KeyNameError::Scheme {
                name: scheme.into(),
            });
        }
        Ok(Self(Kind::Authorization(scheme.into())))
    }

    /// `Authorization: Bearer KEY`.
    #[must_use]
    pub fn bearer() -> Self {
        Self(Kind::Authorization("Bearer".into()))
    }

    /// This source with the names that apply to a request.
    pub(crate) fn place<'a>(&'a self, names: &Names<'a>) -> Place<'a> {
        match &self.0 {
            Kind::Header(own) => Place::Header(own.as_ref().unwrap_or(names.header)),
            Kind::Query(own) => Place::Query(own.as_ref().unwrap_or(names.query)),
            Kind::Cookie(name) => Place::Cookie(name),
            Kind::Authorization(scheme) => Place::Authorization(scheme),
        }
    }
}

/// A source with its name for one request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    Header(&'a KeyHeader),
    Query(&'a KeyQuery),
    Cookie(&'a PlaceName),
    Authorization(&'a str),
}

static COOKIE: HeaderName = header::COOKIE;
static AUTHORIZATION: HeaderName = header::AUTHORIZATION;

impl<'a> Place<'a> {
    /// The default scheme of a challenge that asks for a key here.
    pub(crate) fn scheme(self) -> &'a str {
        match self {
            Self::Authorization(scheme) => scheme,
            _ => "AzureApiManagementKey",
        }
    }

    /// The end of that challenge, from the quote that ends its realm.
    pub(crate) fn challenge_end(self) -> &'a str {
        match self {
            Self::Header(header) => &header.spelling.challenge_end,
            Self::Query(query) => &query.0.challenge_end,
            Self::Cookie(cookie) => &cookie.challenge_end,
            Self::Authorization(_) => r#"",name="Authorization",type="header""#,
        }
    }

    /// The header that carries the key. `None` for the query.
    pub(super) fn header(self) -> Option<&'a HeaderName> {
        match self {
            Self::Header(own) => Some(own.name()),
            Self::Query(_) => None,
            Self::Cookie(_) => Some(&COOKIE),
            Self::Authorization(_) => Some(&AUTHORIZATION),
        }
    }

    /// Reads every key, perhaps an empty one, that a line of the header carries.
    #[inline]
    pub(super) fn keys(self, line: &[u8], mut read: impl FnMut(&[u8])) {
        match self {
            Self::Header(_) => read(line.trim_ascii()),
            Self::Query(_) => {}
            Self::Cookie(cookie) => wire::cookie_values(line, &cookie.name).for_each(read),
            Self::Authorization(scheme) => {
                wire::credentials(line, scheme).into_iter().for_each(read);
            }
        }
    }

    /// Whether a line of the header carries a key, perhaps an empty one.
    pub(super) fn is_in(self, line: &[u8]) -> bool {
        let mut is_in = false;
        self.keys(line, |_| is_in = true);
        is_in
    }
}

/// Whether the text is a `token` of RFC 9110, as cookie names and authentication
/// schemes are.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The names that apply to one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) header: &'a KeyHeader,
    pub(crate) query: &'a KeyQuery,
}

/// The names if neither the layer nor the API sets any.
pub(crate) fn default_names() -> Names<'static> {
    static DEFAULT: LazyLock<(KeyHeader, KeyQuery)> = LazyLock::new(|| {
        let header = KeyHeader {
            name: HeaderName::from_static("ocp-apim-subscription-key"),
            spelling: PlaceName::new("header", "Ocp-Apim-Subscription-Key"),
        };
        let query = KeyQuery(PlaceName::new("query", "subscription-key"));
        (header, query)
    });
    let (header, query) = &*DEFAULT;
    Names { header, query }
}

/// The places of a request that can carry its key, in the order in which they decide.
#[derive(Clone, Copy)]
pub(crate) struct KeyPlaces<'a> {
    pub(crate) sources: &'a [KeySource],
    pub(crate) names: Names<'a>,
    /// Whether keys without a valid checksum are malformed.
    pub(crate) generated_keys_only: bool,
}

impl<'a> KeyPlaces<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = Place<'a>> + Clone {
        let sources = self.sources.iter();
        sources.map(move |source| source.place(&self.names))
    }

    /// Where clients should put their key: in the first header, also if the key came
    /// by query (as Azure says), or in the first place if no header is one.
    pub(crate) fn preferred(self) -> Place<'a> {
        let is_header = |place: &Place<'_>| matches!(place, Place::Header(_));
        let first = self.iter().find(is_header).or_else(|| self.iter().next());
        first.unwrap_or(Place::Header(self.names.header))
    }
}

/// The header, then the query.
pub(crate) fn default_sources() -> Vec<KeySource> {
    vec![KeySource::header(), KeySource::query()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn default_names_are_those_of_azure() {
        let names = default_names();
        assert_eq!(
            names.header,
            &KeyHeader::new("Ocp-Apim-Subscription-Key").unwrap()
        );
        assert_eq!(names.query, &KeyQuery::new("subscription-key").unwrap());
    }

    #[test]
    fn source_with_a_name_of_its_own_ignores_the_names_of_the_request() {
        let header = KeyHeader::new("X-Api-Key").unwrap();
        let query = KeyQuery::new("api_key").unwrap();
        let names = Names {
            header: &header,
            query: &query,
        };
        for (source, expected) in [
            (KeySource::header(), r#"Header("X-Api-Key")"#),
            (KeySource::query(), r#"Query("api_key")"#),
            (KeySource::header_named("Own").unwrap(), r#"Header("Own")"#),
            (KeySource::query_named("own").unwrap(), r#"Query("own")"#),
        ] {
            assert_eq!(format!("{:?}", source.place(&names)), expected);
        }
    }

    #[test]
    fn cookie_name_or_scheme_that_is_no_token_is_refused() {
        for good in ["k", "__Host-key", "a.b~c", "!#$%&'*+-.^_`|~"] {
            assert!(KeySource::cookie(good).is_ok(), "{good}");
            assert!(KeySource::authorization(good).is_ok(), "{good}");
        }
        for bad in [
            "", " ", "a b", "a=b", "a;b", "a,b", "\"a\"", "é", "a\n", "a/b",
        ] {
            let name = bad.to_owned();
            assert_eq!(
                KeySource::cookie(bad),
                Err(KeyNameError::Cookie { name: name.clone() })
            );
            assert_eq!(
                KeySource::authorization(bad),
                Err(KeyNameError::Scheme { name })
            );
        }
        assert_eq!(KeySource::authorization("Bearer"), Ok(KeySource::bearer()));
    }

    #[test]
    fn header_or_query_name_that_is_invalid_is_refused() {
        assert!(KeySource::header_named("X Key").is_err());
        assert_eq!(KeySource::query_named(""), Err(KeyNameError::Query));
    }
}
