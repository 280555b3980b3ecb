use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderValue;

use super::quoted::Quoted;

/// What the value names of a request.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) host: Option<&'a [u8]>,
    /// The path of the API in the catalog, without a trailing slash.
    pub(super) api_path: Option<&'a str>,
    pub(super) key_place: KeyPlace<'a>,
}

/// Where clients are told to put their key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyPlace<'a> {
    /// The name as configured, in that spelling.
    pub(crate) name: &'a str,
    pub(crate) kind: KeyKind,
}

/// The part of a request that a name stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Header,
    Query,
    Cookie,
}

impl KeyKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Cookie => "cookie",
        }
    }
}

/// Why a setting cannot stand in `WWW-Authenticate`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// Not a scheme.
    #[error(
        "{scheme:?} is not an authentication scheme: use one word, for example `AzureApiManagementKey`"
    )]
    Scheme {
        /// What was given.
        scheme: Box<str>,
    },
    /// A realm that no header can hold.
    #[error("the realm {realm:?} has control characters, which no header can hold")]
    Realm {
        /// What was given.
        realm: Box<str>,
    },
}

/// The `WWW-Authenticate` of a refusal: what of it is settable.
#[derive(Debug, Clone)]
pub(crate) struct ChallengeSettings {
    scheme: Cow<'static, str>,
    /// As it stands between the quotes, so that it is escaped once.
    realm: Option<Box<str>>,
}

impl Default for ChallengeSettings {
    fn default() -> Self {
        Self {
            scheme: Cow::Borrowed("AzureApiManagementKey"),
            realm: None,
        }
    }
}

impl ChallengeSettings {
    /// Sets the scheme, a token of RFC 9110.
    pub(crate) fn set_scheme(&mut self, scheme: &str) -> Result<(), ChallengeError> {
        if scheme.is_empty() || !scheme.bytes().all(is_token_byte) {
            return Err(ChallengeError::Scheme {
                scheme: scheme.into(),
            });
        }
        self.scheme = Cow::Owned(scheme.to_owned());
        Ok(())
    }

    /// Sets the whole realm, in place of the host and the API's path.
    pub(crate) fn set_realm(&mut self, realm: &str) -> Result<(), ChallengeError> {
        if realm.chars().any(char::is_control) {
            return Err(ChallengeError::Realm {
                realm: realm.into(),
            });
        }
        let escaped = realm.replace('\\', r"\\").replace('"', r#"\""#);
        self.realm = Some(escaped.into());
        Ok(())
    }

    /// The value for this request. `None` cannot happen, as every part is made
    /// of bytes that a header can hold; it spares a panic.
    pub(super) fn value(&self, asked: &Asked<'_>) -> Option<HeaderValue> {
        let realm = self.realm_for(asked);
        let name = Quoted::new(asked.key_place.name);
        let kind = asked.key_place.kind.as_str();
        let quotes = r#" realm="",name="",type="""#.len();
        let len = self.scheme.len() + realm.len() + name.len() + kind.len() + quotes;

        // Exactly as long as its text, the buffer becomes `Bytes` as it is.
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(self.scheme.as_bytes());
        out.extend_from_slice(br#" realm=""#);
        realm.write(&mut out);
        out.extend_from_slice(br#"",name=""#);
        name.write(&mut out);
        out.extend_from_slice(br#"",type=""#);
        out.extend_from_slice(kind.as_bytes());
        out.push(b'"');
        debug_assert_eq!(out.len(), len);
        HeaderValue::from_maybe_shared(Bytes::from(out)).ok()
    }

    fn realm_for<'a>(&'a self, asked: &Asked<'a>) -> Realm<'a> {
        match &self.realm {
            Some(realm) => Realm {
                origin: "",
                host: realm.as_bytes(),
                path: Quoted::empty(),
            },
            None => Realm::of(asked),
        }
    }
}

/// What stands between the quotes of `realm`, in its three pieces. A realm that
/// was set is whole and stands in the middle.
struct Realm<'a> {
    origin: &'static str,
    host: &'a [u8],
    path: Quoted<'a>,
}

impl<'a> Realm<'a> {
    fn of(asked: &Asked<'a>) -> Self {
        let path = asked.api_path.filter(|path| !path.is_empty());
        let path = Quoted::new(path.unwrap_or("/"));
        let (origin, host) = match asked.host {
            Some(host) => ("https://", host),
            None => ("", &b""[..]),
        };
        Self { origin, host, path }
    }

    fn len(&self) -> usize {
        self.origin.len() + self.host.len() + self.path.len()
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.origin.as_bytes());
        out.extend_from_slice(self.host);
        self.path.write(out);
    }
}

/// The bytes of a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::host;
    use super::*;

    const HEADER: KeyPlace<'_> = KeyPlace {
        name: "Ocp-Apim-Subscription-Key",
        kind: KeyKind::Header,
    };

    fn value_of(
        settings: &ChallengeSettings,
        authority: Option<&[u8]>,
        api_path: Option<&str>,
        key_place: KeyPlace<'_>,
    ) -> HeaderValue {
        let asked = Asked {
            host: authority.and_then(host::host),
            api_path,
            key_place,
        };
        settings.value(&asked).unwrap()
    }

    fn realm(settings: &ChallengeSettings, host: Option<&[u8]>, path: Option<&str>) -> Vec<u8> {
        let value = value_of(settings, host, path, HEADER);
        quoted_strings(value.as_bytes(), &settings.scheme).unwrap()[0].clone()
    }

    /// Reads a challenge as a client would; `None` if it is not one.
    fn quoted_strings(value: &[u8], scheme: &str) -> Option<[Vec<u8>; 3]> {
        let rest = value.strip_prefix(scheme.as_bytes())?;
        let (realm, rest) = quoted_string(rest.strip_prefix(b" realm=")?)?;
        let (name, rest) = quoted_string(rest.strip_prefix(b",name=")?)?;
        let (kind, rest) = quoted_string(rest.strip_prefix(b",type=")?)?;
        rest.is_empty().then_some([realm, name, kind])
    }

    fn quoted_string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
        let mut rest = text.strip_prefix(b"\"")?;
        let mut read = Vec::new();
        loop {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            match byte {
                b'"' => return Some((read, rest)),
                b'\\' => {
                    let (&escaped, after) = rest.split_first()?;
                    rest = after;
                    read.push(escaped);
                }
                _ => read.push(byte),
            }
        }
    }

    #[test]
    fn is_azures_to_the_byte() {
        let value = value_of(
            &ChallengeSettings::default(),
            Some(b"api.example:8080"),
            Some("/echo"),
            HEADER,
        );
        assert_eq!(
            value,
            r#"AzureApiManagementKey realm="https://api.example:8080/echo",name="Ocp-Apim-Subscription-Key",type="header""#
        );
    }

    #[test]
    fn the_realm_is_the_host_and_the_apis_path() {
        let settings = ChallengeSettings::default();
        let host = Some(&b"api.example"[..]);
        for (host, path, expected) in [
            (host, Some("/echo"), "https://api.example/echo"),
            (host, Some("/a/b"), "https://api.example/a/b"),
            (host, Some(""), "https://api.example/"),
            (host, None, "https://api.example/"),
            (None, Some("/echo"), "/echo"),
            (None, Some(""), "/"),
            (None, None, "/"),
            (Some(b"a\"b"), Some("/echo"), "/echo"),
        ] {
            let realm = realm(&settings, host, path);
            assert_eq!(realm, expected.as_bytes(), "{host:?} {path:?}");
        }
    }

    #[test]
    fn a_path_and_a_name_stay_between_their_quotes() {
        let place = KeyPlace {
            name: "clé\"",
            kind: KeyKind::Query,
        };
        let settings = ChallengeSettings::default();
        let value = value_of(&settings, None, Some("/a\"\\é"), place);
        assert_eq!(
            value,
            r#"AzureApiManagementKey realm="/a\"\\%C3%A9",name="cl%C3%A9\"",type="query""#
        );
    }

    #[test]
    fn a_set_realm_and_scheme_replace_theirs_and_nothing_else() {
        let mut settings = ChallengeSettings::default();
        settings.set_scheme("ApiKey").unwrap();
        settings.set_realm(r#"our "APIs" \ é"#).unwrap();
        let place = KeyPlace {
            name: "key",
            kind: KeyKind::Cookie,
        };
        let value = value_of(&settings, Some(b"api.example"), Some("/echo"), place);
        let expected = r#"ApiKey realm="our \"APIs\" \\ é",name="key",type="cookie""#;
        assert_eq!(value.as_bytes(), expected.as_bytes());
    }

    #[test]
    fn a_scheme_is_one_token() {
        let mut settings = ChallengeSettings::default();
        for scheme in ["", "Api Key", "Api\"", "Api,", "é", "a\n", "a=b", "a/b"] {
            let refused = settings.set_scheme(scheme).unwrap_err();
            let scheme = scheme.into();
            assert_eq!(refused, ChallengeError::Scheme { scheme });
        }
        assert_eq!(settings.scheme, "AzureApiManagementKey");
    }

    #[test]
    fn a_realm_has_no_control_characters() {
        let mut settings = ChallengeSettings::default();
        for realm in ["a\r\nb", "\0", "\t", "\u{7f}", "\u{85}"] {
            let refused = settings.set_realm(realm).unwrap_err();
            let realm = realm.into();
            assert_eq!(refused, ChallengeError::Realm { realm });
        }
        assert_eq!(settings.realm, None);
    }

    /// Whatever a header can hold, and what looks more like a host.
    fn host() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xffu8];
        prop_oneof![
            prop::collection::vec(byte, 0..40),
            "[a-z.@:\\[\\]\"]{0,20}".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_the_value_reads_as_a_challenge(
            host in host(),
            path in ".{0,20}|(?s).{0,20}|[\"\\\\]{0,9}",
            name in "(?s).{1,20}",
        ) {
            let settings = ChallengeSettings::default();
            let place = KeyPlace { name: &name, kind: KeyKind::Header };
            let value = value_of(&settings, Some(&host), Some(&path), place);
            prop_assert!(value.to_str().is_ok());
            let read = quoted_strings(value.as_bytes(), &settings.scheme);
            prop_assert_eq!(&read.unwrap()[2], b"header");
        }

        #[test]
        fn a_realm_that_is_taken_reads_back_as_it_was_set(text in "(?s).{0,40}|[ -~]{0,40}") {
            let mut settings = ChallengeSettings::default();
            if settings.set_realm(&text).is_ok() {
                prop_assert_eq!(realm(&settings, None, None), text.as_bytes());
            }
        }

        #[test]
        fn a_scheme_that_is_taken_can_be_written(text in "(?s).{0,9}|[!-~]{1,9}") {
            let mut settings = ChallengeSettings::default();
            if settings.set_scheme(&text).is_ok() {
                prop_assert_eq!(realm(&settings, None, None), b"/");
            }
        }
    }
}
