use std::cell::RefCell;
use std::sync::Arc;

use http::HeaderValue;

use super::{ChallengeSettings, KeyKind, KeyPlace};

/// All that the `WWW-Authenticate` of a refusal depends on.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) settings: &'a Arc<ChallengeSettings>,
    /// As the request has it, so that one that is known to name a host need not
    /// be looked at again.
    pub(super) authority: Option<&'a [u8]>,
    pub(super) api_path: Option<&'a str>,
    pub(super) key_place: KeyPlace<'a>,
}

/// The value that was made last on this thread, and from what.
struct Last {
    /// Kept, so that no other settings can come to stand at their address.
    settings: Arc<ChallengeSettings>,
    authority: Option<Box<[u8]>>,
    api_path: Option<Box<str>>,
    key_name: Box<str>,
    key_kind: KeyKind,
    challenge: HeaderValue,
}

/// A client cannot make threads remember more than this.
const LONGEST_AUTHORITY: usize = 256;

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// The value that `make` makes of those inputs.
///
/// A flood of wrong keys is a flood of equal refusals, and must not be the
/// expensive case.
#[inline]
pub(super) fn challenge(
    inputs: &Inputs<'_>,
    make: impl FnOnce() -> Option<HeaderValue>,
) -> Option<HeaderValue> {
    // A thread that is ending remembers nothing any more.
    match LAST.try_with(|last| recall(last.borrow().as_ref()?, inputs)) {
        Ok(Some(challenge)) => Some(challenge),
        _ => made(inputs, make),
    }
}

/// Apart from what recalls, so that this does not weigh on it.
#[cold]
#[inline(never)]
fn made(inputs: &Inputs<'_>, make: impl FnOnce() -> Option<HeaderValue>) -> Option<HeaderValue> {
    let challenge = make()?;
    if inputs.authority.is_none_or(may_be_kept) {
        let last = Last::new(inputs, challenge.clone());
        let _ = LAST.try_with(|place| place.replace(Some(last)));
    }
    Some(challenge)
}

#[inline]
fn recall(last: &Last, inputs: &Inputs<'_>) -> Option<HeaderValue> {
    last.is_of(inputs).then(|| last.challenge.clone())
}

/// A password in front of a host is not kept.
fn may_be_kept(authority: &[u8]) -> bool {
    authority.len() <= LONGEST_AUTHORITY && !authority.contains(&b'@')
}

impl Last {
    fn new(inputs: &Inputs<'_>, challenge: HeaderValue) -> Self {
        Self {
            settings: Arc::clone(inputs.settings),
            authority: inputs.authority.map(Into::into),
            api_path: inputs.api_path.map(Into::into),
            key_name: inputs.key_place.name.into(),
            key_kind: inputs.key_place.kind,
            challenge,
        }
    }

    fn is_of(&self, inputs: &Inputs<'_>) -> bool {
        Arc::ptr_eq(&self.settings, inputs.settings)
            && self.key_kind == inputs.key_place.kind
            && self.authority.as_deref() == inputs.authority
            && self.api_path.as_deref() == inputs.api_path
            && *self.key_name == *inputs.key_place.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: KeyPlace<'_> = KeyPlace {
        name: "key",
        kind: KeyKind::Header,
    };

    /// Whether the value of those inputs had to be made.
    fn is_made(inputs: &Inputs<'_>) -> bool {
        let mut made = false;
        let value = challenge(inputs, || {
            made = true;
            Some(HeaderValue::from_static("value"))
        });
        assert_eq!(value, Some(HeaderValue::from_static("value")));
        made
    }

    #[test]
    fn a_value_is_made_again_as_soon_as_one_input_differs() {
        let settings = Arc::default();
        let inputs = Inputs {
            settings: &settings,
            authority: Some(b"api.example"),
            api_path: Some("/echo"),
            key_place: PLACE,
        };
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
                settings: &Arc::default(),
                ..inputs
            },
        ] {
            assert!(is_made(&inputs));
            assert!(!is_made(&inputs));
            assert!(is_made(&different));
            assert!(!is_made(&different));
        }
    }

    #[test]
    fn neither_a_long_authority_nor_a_password_is_kept() {
        let settings = Arc::default();
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
                settings: &settings,
                authority: Some(authority),
                api_path: None,
                key_place: PLACE,
            };
            assert!(is_made(&inputs));
            assert_eq!(!is_made(&inputs), kept);
        }
    }
}
