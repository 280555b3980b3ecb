use std::cell::RefCell;

use http::{HeaderMap, HeaderValue};

use super::KeyKind;

/// All that the headers of a 401 depend on.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Inputs<'a> {
    pub(super) content_type: &'a HeaderValue,
    pub(super) scheme: &'a str,
    pub(super) realm: Option<&'a str>,
    pub(super) host: Option<&'a [u8]>,
    pub(super) api_path: Option<&'a str>,
    pub(super) key_name: &'a str,
    pub(super) key_kind: KeyKind,
}

/// The headers that were made last on this thread, and from what.
struct Last {
    content_type: HeaderValue,
    scheme: Box<str>,
    realm: Option<Box<str>>,
    host: Option<Box<[u8]>>,
    api_path: Option<Box<str>>,
    key_name: Box<str>,
    key_kind: KeyKind,
    headers: HeaderMap,
}

/// A client cannot make threads remember more than this.
const LONGEST_HOST: usize = 256;

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// The headers that `make` makes of those inputs.
///
/// A flood of wrong keys is a flood of equal refusals, and must not be the
/// expensive case: to copy the last headers takes a third of the time that
/// it takes to make them.
pub(super) fn headers(inputs: Inputs<'_>, make: impl FnOnce() -> HeaderMap) -> HeaderMap {
    if inputs.host.is_some_and(|host| host.len() > LONGEST_HOST) {
        return make();
    }
    // A thread that is ending remembers nothing any more.
    if let Ok(Some(headers)) = LAST.try_with(|last| recall(&last.borrow(), inputs)) {
        return headers;
    }
    let headers = make();
    let last = Last::new(inputs, headers.clone());
    let _ = LAST.try_with(|place| place.replace(Some(last)));
    headers
}

fn recall(last: &Option<Last>, inputs: Inputs<'_>) -> Option<HeaderMap> {
    let last = last.as_ref()?;
    (last.inputs() == inputs).then(|| last.headers.clone())
}

impl Last {
    fn new(inputs: Inputs<'_>, headers: HeaderMap) -> Self {
        Self {
            content_type: inputs.content_type.clone(),
            scheme: inputs.scheme.into(),
            realm: inputs.realm.map(Into::into),
            host: inputs.host.map(Into::into),
            api_path: inputs.api_path.map(Into::into),
            key_name: inputs.key_name.into(),
            key_kind: inputs.key_kind,
            headers,
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            content_type: &self.content_type,
            scheme: &self.scheme,
            realm: self.realm.as_deref(),
            host: self.host.as_deref(),
            api_path: self.api_path.as_deref(),
            key_name: &self.key_name,
            key_kind: self.key_kind,
        }
    }
}
