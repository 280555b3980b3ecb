use http::HeaderValue;

use super::{RejectionContext, host};
use crate::catalog::Api;
use crate::key::is_token;

/// Why a setting cannot be part of `WWW-Authenticate`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// The scheme is not one word.
    #[error(
        "{scheme:?} is not an authentication scheme: use one word, for example `AzureApiManagementKey`"
    )]
    Scheme {
        /// The given scheme.
        scheme: String,
    },
    /// The realm contains control characters.
    #[error(
        "the realm {realm:?} contains control characters, which no header can hold: remove them"
    )]
    Realm {
        /// The given realm.
        realm: String,
    },
}

/// The configurable parts of `WWW-Authenticate`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChallengeSettings {
    scheme: Option<Box<str>>,
    /// With `"` and `\` escaped.
    realm: Option<Box<str>>,
}

impl ChallengeSettings {
    /// Sets the scheme, a token of RFC 9110.
    pub(crate) fn set_scheme(&mut self, scheme: &str) -> Result<(), ChallengeError> {
        let scheme = scheme.to_owned();
        if !is_token(&scheme) {
            return Err(ChallengeError::Scheme { scheme });
        }
        self.scheme = Some(scheme.into());
        Ok(())
    }

    /// Sets the whole realm, instead of the host and the path of the API.
    pub(crate) fn set_realm(&mut self, realm: &str) -> Result<(), ChallengeError> {
        if realm.chars().any(char::is_control) {
            let realm = realm.to_owned();
            return Err(ChallengeError::Realm { realm });
        }
        let escaped = realm.replace('\\', r"\\").replace('"', r#"\""#);
        self.realm = Some(escaped.into());
        Ok(())
    }

    /// The value for a request. Always `Some`: every part is made of bytes that a
    /// header can hold.
    pub(super) fn value(&self, context: &RejectionContext<'_>) -> Option<HeaderValue> {
        let place = context.key_place;
        let scheme = self.scheme.as_deref().unwrap_or(place.scheme());
        let path = context.api.map_or("/", Api::realm_path);
        let (start, host, path) = match &self.realm {
            Some(realm) => (" realm=\"", &b""[..], &**realm),
            None => match host::host(context.uri, context.headers) {
                Some(host) => (" realm=\"https://", host, path),
                None => (" realm=\"", &b""[..], path),
            },
        };
        let (scheme, start, path) = (scheme.as_bytes(), start.as_bytes(), path.as_bytes());
        let end = place.challenge_end().as_bytes();
        // Bytes without spare capacity move into the value as they are.
        HeaderValue::try_from([scheme, start, host, path, end].concat()).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use http::header::HOST;
    use http::{HeaderMap, Uri};

    use super::super::{Rejection, ResponseSettings};
    use super::*;
    use crate::key::{KeySource, default_names};

    const SCHEME: &str = "AzureApiManagementKey";

    fn value_of(
        settings: &ChallengeSettings,
        host: Option<&[u8]>,
        api_path: Option<&str>,
        source: &KeySource,
    ) -> HeaderValue {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        let api = api_path.map(|path| Api::new("id", path));
        let context = RejectionContext {
            rejection: Rejection::InvalidKey,
            settings: &ResponseSettings::default(),
            headers: &mut headers,
            uri: &Uri::default(),
            api: api.as_ref(),
            key_place: source.place(&default_names()),
        };
        settings.value(&context).unwrap()
    }

    fn realm(settings: &ChallengeSettings, host: Option<&[u8]>, path: Option<&str>) -> Vec<u8> {
        let value = value_of(settings, host, path, &KeySource::header());
        let scheme = settings.scheme.as_deref().unwrap_or(SCHEME);
        quoted_strings(value.as_bytes(), scheme).unwrap()[0].clone()
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
            &KeySource::header(),
        );
        assert_eq!(
            value,
            r#"AzureApiManagementKey realm="https://api.example:8080/echo",name="Ocp-Apim-Subscription-Key",type="header""#
        );
    }

    #[test]
    fn realm_by_default_is_the_host_and_the_path_of_the_api() {
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
    fn realm_path_and_key_name_are_escaped_in_quotes() {
        let source = KeySource::query_named("clé\"").unwrap();
        let settings = ChallengeSettings::default();
        let value = value_of(&settings, None, Some("/a\"\\é"), &source);
        assert_eq!(
            value,
            r#"AzureApiManagementKey realm="/a\"\\%C3%A9",name="cl%C3%A9\"",type="query""#
        );
    }

    #[test]
    fn configured_realm_and_scheme_replace_only_the_defaults() {
        let mut settings = ChallengeSettings::default();
        settings.set_scheme("ApiKey").unwrap();
        settings.set_realm(r#"our "APIs" \ é"#).unwrap();
        let source = KeySource::cookie("key").unwrap();
        let value = value_of(&settings, Some(b"api.example"), Some("/echo"), &source);
        let expected = r#"ApiKey realm="our \"APIs\" \\ é",name="key",type="cookie""#;
        assert_eq!(value.as_bytes(), expected.as_bytes());
    }

    #[test]
    fn scheme_that_is_not_a_token_is_rejected() {
        let mut settings = ChallengeSettings::default();
        for scheme in ["", "Api Key", "Api\"", "Api,", "é", "a\n", "a=b", "a/b"] {
            let refused = settings.set_scheme(scheme).unwrap_err();
            let scheme = scheme.into();
            assert_eq!(refused, ChallengeError::Scheme { scheme });
        }
        assert_eq!(settings.scheme, None);
    }

    #[test]
    fn realm_with_control_characters_is_rejected() {
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
            let source = KeySource::query_named(&name).unwrap();
            let value = value_of(&settings, Some(&host), Some(&path), &source);
            prop_assert!(value.to_str().is_ok());
            let read = quoted_strings(value.as_bytes(), SCHEME);
            prop_assert_eq!(&read.unwrap()[2], b"query");
        }

        #[test]
        fn valid_realm_is_parsed_back_unchanged(text in "(?s).{0,40}|[ -~]{0,40}") {
            let mut settings = ChallengeSettings::default();
            if settings.set_realm(&text).is_ok() {
                prop_assert_eq!(realm(&settings, None, None), text.as_bytes());
            }
        }

        #[test]
        fn valid_scheme_is_a_valid_header_value(text in "(?s).{0,9}|[!-~]{1,9}") {
            let mut settings = ChallengeSettings::default();
            if settings.set_scheme(&text).is_ok() {
                prop_assert_eq!(realm(&settings, None, None), b"/");
            }
        }
    }
}
