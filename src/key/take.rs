use http::{HeaderMap, Request, Uri};

#[cfg(feature = "generate")]
use super::has_valid_checksum;
use super::source::{KeyPlaces, Place};
use super::{KeyDigest, MAX_KEY_BYTES, wire};

/// The key as a request presents it: one of the inputs of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presented {
    /// No source is present in the request.
    Missing,
    /// The source that decides is present and empty: no key.
    Empty,
    /// The source that decides has more than one value, equal or not. A wrong key: if
    /// one were chosen, a proxy and this service could see different callers.
    Ambiguous,
    /// Longer than [`MAX_KEY_BYTES`], or without a valid checksum although the layer is set
    /// to `generated_keys_only`. A wrong key.
    Malformed,
    /// The digest of the one key that is presented.
    Key(KeyDigest),
}

impl Presented {
    /// Whether a key is presented, right or wrong. An empty key is no key.
    #[must_use]
    pub fn is_present(self) -> bool {
        !matches!(self, Self::Missing | Self::Empty)
    }
}

/// Up to here, comparing every name is faster than hashing one: 10 ns instead of 23.
const FEW_LINES: usize = 16;

impl KeyPlaces<'_> {
    /// Takes the key from the first place that is present, and marks all header values
    /// that carry a key as sensitive: they print as `Sensitive` and stay out of
    /// compression tables.
    pub(crate) fn take<B>(self, request: &mut Request<B>) -> Presented {
        let mut first = Presented::Missing;
        for place in self.iter() {
            let decides = first == Presented::Missing;
            match place {
                Place::Query(_) if !decides => {}
                Place::Query(query) => first = self.take_query(request.uri(), query.name()),
                _ => each_key(request.headers_mut(), place, |key| match first {
                    Presented::Missing => first = self.read(key),
                    _ if decides => first = Presented::Ambiguous,
                    _ => {}
                }),
            }
        }
        first
    }

    /// Marks all header values that carry a key as sensitive, without reading the key.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        self.iter()
            .for_each(|place| each_key(headers, place, |_| {}));
    }

    fn take_query(self, uri: &Uri, name: &str) -> Presented {
        let mut values = wire::segments(uri.query().unwrap_or_default())
            .filter_map(|segment| wire::query_value(segment, name));
        match (values.next(), values.next()) {
            (None, _) => Presented::Missing,
            (Some(raw), None) if wire::is_encoded(raw) => {
                let mut buffer = [0; MAX_KEY_BYTES];
                let key = wire::decode_key(raw, &mut buffer);
                key.map_or(Presented::Malformed, |key| self.read(key))
            }
            (Some(key), None) => self.read(key),
            (Some(_), Some(_)) => Presented::Ambiguous,
        }
    }

    fn read(self, key: &[u8]) -> Presented {
        if self.generated_keys_only && !key.is_empty() && !has_valid_checksum(key) {
            return Presented::Malformed;
        }
        match key.len() {
            0 => Presented::Empty,
            1..=MAX_KEY_BYTES => Presented::Key(KeyDigest::of(key)),
            _ => Presented::Malformed,
        }
    }
}

/// Without the feature, no layer asks for it.
#[cfg(not(feature = "generate"))]
fn has_valid_checksum(_: &[u8]) -> bool {
    true
}

/// Reads every key in the headers at a place, and marks the lines that carry one as
/// sensitive.
fn each_key(headers: &mut HeaderMap, place: Place<'_>, mut read: impl FnMut(&[u8])) {
    let Some(header) = place.header() else {
        return;
    };
    if headers.len() > FEW_LINES && !headers.contains_key(header) {
        return;
    }
    for (name, line) in headers.iter_mut() {
        if name != header {
            continue;
        }
        let mut carries_key = false;
        place.keys(line.as_bytes(), |key| {
            carries_key = true;
            read(key);
        });
        if carries_key {
            line.set_sensitive(true);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Presented::{Ambiguous, Empty, Malformed, Missing};
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::key::{KeySource, default_names, default_sources};

    const KEY: &str = "Ocp-Apim-Subscription-Key";

    fn key(bytes: impl AsRef<[u8]>) -> Presented {
        Presented::Key(KeyDigest::of(bytes))
    }

    fn headers(lines: &[(&str, &[u8])]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_bytes(value).unwrap())
            })
            .collect()
    }

    fn by(sources: &[KeySource]) -> KeyPlaces<'_> {
        KeyPlaces {
            sources,
            names: default_names(),
            generated_keys_only: false,
        }
    }

    fn take_by(sources: &[KeySource], lines: &[(&str, &[u8])], uri: &str) -> Presented {
        let mut request = Request::get(uri).body(()).unwrap();
        *request.headers_mut() = headers(lines);
        let taken = by(sources).take(&mut request);
        for n in 0..=FEW_LINES {
            let name = HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap();
            let other = HeaderValue::from_static("other");
            request.headers_mut().insert(name, other);
        }
        let among_many = by(sources).take(&mut request);
        assert_eq!(taken, among_many, "many headers change nothing");
        taken
    }

    #[test]
    fn header_value_is_trimmed_and_otherwise_exact() {
        for (lines, expected) in [
            (&[][..], Missing),
            (&[(KEY, &b"K"[..])], key("K")),
            (&[("ocp-apim-subscription-key", b"K")], key("K")),
            (&[(KEY, b" \tK\t ")], key("K")),
            (&[(KEY, b"a, b;c=%41+")], key("a, b;c=%41+")),
            (&[(KEY, b"\xff\xfe")], key(b"\xff\xfe")),
            (&[(KEY, b"")], Empty),
            (&[(KEY, b" \t ")], Empty),
            (&[(KEY, b"K"), (KEY, b"L")], Ambiguous),
            (&[(KEY, b"K"), ("Accept", b"*/*"), (KEY, b"K")], Ambiguous),
            (&[(KEY, b""), (KEY, b"")], Ambiguous),
            (&[(KEY, &[b'k'; 257]), (KEY, b"")], Ambiguous),
            (&[(KEY, &[b'k'; 256])], key([b'k'; 256])),
            (&[(KEY, &[b'k'; 257])], Malformed),
        ] {
            let taken = take_by(&[KeySource::header()], lines, "/");
            assert_eq!(taken, expected, "{lines:?}");
        }
    }

    #[test]
    fn query_parameter_is_decoded() {
        let full = format!("/?subscription-key={}", "%6B".repeat(256));
        let over = format!("/?subscription-key={}", "%6B".repeat(257));
        let plain_over = format!("/?subscription-key={}", "k".repeat(257));
        let shrinks = format!("/?subscription-key={}%6b", "k".repeat(254));
        let long = format!("/?{}&subscription-key=K", "a=1&".repeat(16_000));
        for (uri, expected) in [
            ("/", Missing),
            ("/?", Missing),
            ("/?Subscription-Key=K", Missing),
            ("/?a=subscription-key=K", Missing),
            ("/?a=1;subscription-key=K", Missing),
            ("/subscription-key=K", Missing),
            ("/?subscription-key=K", key("K")),
            ("/?a=1&subscription-key=K&b=%61", key("K")),
            ("http://h?subscription-key=K", key("K")),
            ("/?%73ubscription%2Dkey=%4B", key("K")),
            ("/?subscription-key=a+b%20c", key("a b c")),
            ("/?subscription-key=+", key(" ")),
            ("/?subscription-key=%zz", key("%zz")),
            ("/?subscription-key=%ff%00", key(b"\xff\0")),
            ("/?subscription-key=K;a=1", key("K;a=1")),
            ("/?subscription-key=K=?/", key("K=?/")),
            ("/?subscription-key", Empty),
            ("/?subscription-key=", Empty),
            ("/?subscription-key=K&subscription-key=K", Ambiguous),
            ("/?subscription-key&subscription-ke%79", Ambiguous),
            ("*", Missing),
            ("h:443", Missing),
            (&full, key([b'k'; 256])),
            (&over, Malformed),
            (&plain_over, Malformed),
            (&shrinks, key([b'k'; 255])),
            (&long, key("K")),
        ] {
            let taken = take_by(&[KeySource::query()], &[], uri);
            assert_eq!(taken, expected, "{uri:.99}");
        }
    }

    #[test]
    fn cookie_in_any_header_line_is_found() {
        for (lines, expected) in [
            (&[("Cookie", &b"a=1; k=K"[..])][..], key("K")),
            (&[("Cookie", b"a=1"), ("Cookie", b"k=K")], key("K")),
            (&[("Cookie", b"k=\"K\"")], key("\"K\"")),
            (&[("Cookie", b"a=1; k")], Missing),
            (&[("Cookie", b"k=; a=1")], Empty),
            (&[("Cookie", b"k=K; k=K")], Ambiguous),
            (&[("Cookie", b"k="), ("Cookie", b"k=")], Ambiguous),
            (&[("k", b"K")], Missing),
        ] {
            let taken = take_by(&[KeySource::cookie("k").unwrap()], lines, "/");
            assert_eq!(taken, expected, "{lines:?}");
        }
    }

    #[test]
    fn authorization_counts_lines_of_the_scheme_only() {
        let name = "Authorization";
        for (lines, expected) in [
            (&[(name, &b"Bearer K"[..])][..], key("K")),
            (&[(name, b"bearer K"), (name, b"Basic L")], key("K")),
            (&[(name, b"Basic L")], Missing),
            (&[(name, b"Bearer")], Empty),
            (&[(name, b"Bearer K"), (name, b"BEARER K")], Ambiguous),
        ] {
            let taken = take_by(&[KeySource::bearer()], lines, "/");
            assert_eq!(taken, expected, "{lines:?}");
        }
    }

    #[test]
    fn first_present_source_decides_even_if_the_key_is_wrong() {
        let uri = "/?subscription-key=Q";
        for (lines, expected) in [
            (&[][..], key("Q")),
            (&[(KEY, &b"H"[..])], key("H")),
            (&[(KEY, b"")], Empty),
            (&[(KEY, b"H"), (KEY, b"H")], Ambiguous),
            (&[(KEY, &[b'k'; 257])], Malformed),
        ] {
            assert_eq!(take_by(&default_sources(), lines, uri), expected);
        }
        let reversed = [KeySource::query(), KeySource::header()];
        assert_eq!(take_by(&reversed, &[(KEY, b"H")], uri), key("Q"));
        assert_eq!(take_by(&[], &[(KEY, b"H")], uri), Missing);
    }

    #[test]
    fn debug_shows_nothing_of_a_key() {
        assert_eq!(format!("{:?}", key("K")), "Key(KeyDigest(..))");
    }

    #[test]
    fn lines_that_carry_a_key_are_marked_and_no_others() {
        let mut sources = default_sources();
        sources.extend([KeySource::bearer(), KeySource::cookie("k").unwrap()]);
        let lines = [
            (KEY, "K", true),
            (KEY, "", true),
            ("Authorization", "bearer K", true),
            ("Authorization", "Basic K", false),
            ("Cookie", "a=1; k=K", true),
            ("Cookie", "a=1", false),
            ("Subscription-Key", "K", false),
        ];
        let mut request = Request::new(());
        *request.headers_mut() = headers(&lines.map(|(name, value, _)| (name, value.as_bytes())));
        by(&sources).take(&mut request);
        for (name, value, sensitive) in lines {
            let mut lines = request.headers().get_all(name).iter();
            let line = lines.find(|line| *line == value);
            assert_eq!(line.unwrap().is_sensitive(), sensitive, "{name}: {value}");
        }
    }
}
