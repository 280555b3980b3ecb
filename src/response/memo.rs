use std::cell::RefCell;
use std::ptr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use super::{ChallengeSettings, KeyKind, KeyPlace};

/// All that the headers of a 401 depend on.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) content_type: &'a HeaderValue,
    pub(super) settings: &'a Arc<ChallengeSettings>,
    /// As the request has it, so that one that is known to name a host need not
    /// be looked at again.
    pub(super) authority: Option<&'a [u8]>,
    pub(super) api_path: Option<&'a str>,
    pub(super) key_place: KeyPlace<'a>,
}

/// The headers that were made last on this thread, and from what.
struct Last {
    content_type: HeaderValue,
    /// Kept, so that no other settings can come to stand at their address.
    settings: Arc<ChallengeSettings>,
    authority: Option<Box<[u8]>>,
    api_path: Option<Box<str>>,
    key_name: Box<str>,
    key_kind: KeyKind,
    headers: HeaderMap,
}

/// A client cannot make threads remember more than this.
const LONGEST_AUTHORITY: usize = 256;

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// The headers that `make` makes of those inputs.
///
/// A flood of wrong keys is a flood of equal refusals, and must not be the
/// expensive case: to copy the last headers takes a third of the time that
/// it takes to make them.
#[inline]
pub(super) fn headers(inputs: &Inputs<'_>, make: impl FnOnce() -> HeaderMap) -> HeaderMap {
    // A thread that is ending remembers nothing any more.
    match LAST.try_with(|last| recall(last.borrow().as_ref()?, inputs)) {
        Ok(Some(headers)) => headers,
        _ => made(inputs, make),
    }
}

/// Apart from what recalls, so that this does not weigh on it.
#[cold]
#[inline(never)]
fn made(inputs: &Inputs<'_>, make: impl FnOnce() -> HeaderMap) -> HeaderMap {
    let headers = make();
    if inputs.authority.is_none_or(may_be_kept) {
        let last = Last::new(inputs, headers.clone());
        let _ = LAST.try_with(|place| place.replace(Some(last)));
    }
    headers
}

#[inline]
fn recall(last: &Last, inputs: &Inputs<'_>) -> Option<HeaderMap> {
    last.is_of(inputs).then(|| last.headers.clone())
}

/// A password in front of a host is not kept.
fn may_be_kept(authority: &[u8]) -> bool {
    authority.len() <= LONGEST_AUTHORITY && !authority.contains(&b'@')
}

impl Last {
    fn new(inputs: &Inputs<'_>, headers: HeaderMap) -> Self {
        Self {
            content_type: inputs.content_type.clone(),
            settings: Arc::clone(inputs.settings),
            authority: inputs.authority.map(Into::into),
            api_path: inputs.api_path.map(Into::into),
            key_name: inputs.key_place.name.into(),
            key_kind: inputs.key_place.kind,
            headers,
        }
    }

    fn is_of(&self, inputs: &Inputs<'_>) -> bool {
        Arc::ptr_eq(&self.settings, inputs.settings)
            && self.key_kind == inputs.key_place.kind
            && self.authority.as_deref() == inputs.authority
            && self.api_path.as_deref() == inputs.api_path
            && *self.key_name == *inputs.key_place.name
            && same(&self.content_type, inputs.content_type)
    }
}

fn same(one: &HeaderValue, other: &HeaderValue) -> bool {
    // Of the same memory, it need not be read.
    let bytes = ptr::eq(one.as_bytes(), other.as_bytes()) || one == other;
    bytes && one.is_sensitive() == other.is_sensitive()
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    const PLACE: KeyPlace<'_> = KeyPlace {
        name: "key",
        kind: KeyKind::Header,
    };

    /// Whether the headers of those inputs had to be made.
    fn are_made(inputs: &Inputs<'_>) -> bool {
        let mut made = false;
        headers(inputs, || {
            made = true;
            HeaderMap::from_iter([(CONTENT_TYPE, inputs.content_type.clone())])
        });
        made
    }

    #[test]
    fn headers_are_made_again_as_soon_as_one_input_differs() {
        let settings = Arc::default();
        let json = HeaderValue::from_static("application/json");
        let inputs = Inputs {
            content_type: &json,
            settings: &settings,
            authority: Some(b"api.example"),
            api_path: Some("/echo"),
            key_place: PLACE,
        };
        let mut sensitive = json.clone();
        sensitive.set_sensitive(true);
        let other = HeaderValue::from_static("application/jsom");
        let with = |authority| Inputs {
            authority,
            ..inputs
        };
        let at = |api_path| Inputs { api_path, ..inputs };
        let by = |name, kind| Inputs {
            key_place: KeyPlace { name, kind },
            ..inputs
        };
        for different in [
            with(Some(b"api.examplf")),
            with(Some(b"api.exampl")),
            with(Some(b"API.example")),
            with(Some(b"api.example:80")),
            with(Some(b"")),
            with(None),
            at(Some("/echp")),
            at(Some("")),
            at(None),
            by("kez", KeyKind::Header),
            by("key", KeyKind::Query),
            Inputs {
                content_type: &sensitive,
                ..inputs
            },
            Inputs {
                content_type: &other,
                ..inputs
            },
            Inputs {
                settings: &Arc::default(),
                ..inputs
            },
        ] {
            assert!(are_made(&inputs));
            assert!(!are_made(&inputs));
            assert!(are_made(&different));
            assert!(!are_made(&different));
        }
        let equal = HeaderValue::from_bytes(json.as_bytes());
        let equal = equal.as_ref().unwrap_or(&other);
        assert!(are_made(&inputs));
        assert!(!are_made(&Inputs {
            content_type: equal,
            ..inputs
        }));
    }

    #[test]
    fn neither_a_long_authority_nor_a_password_is_kept() {
        let settings = Arc::default();
        let json = HeaderValue::from_static("application/json");
        let longest = [b'a'; LONGEST_AUTHORITY];
        let longer = [b'a'; LONGEST_AUTHORITY + 1];
        for (authority, kept) in [
            (&b"user:secret@api.example"[..], false),
            (b"@", false),
            (&longer, false),
            (&longest, true),
            (b"not a host", true),
        ] {
            let inputs = Inputs {
                content_type: &json,
                settings: &settings,
                authority: Some(authority),
                api_path: None,
                key_place: PLACE,
            };
            assert!(are_made(&inputs));
            assert_eq!(!are_made(&inputs), kept);
        }
    }
}
