use std::fmt::{self, Write};
use std::sync::Arc;

use crate::catalog::{Api, ApiIndex, Catalog, KeySlot, Owner, Product, State, SubscriptionView};

/// Why a request was denied. For the operator only: the client learns whether its
/// key is missing or invalid, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialReason {
    /// The request has no key.
    MissingKey,
    /// The first key source that is present is empty.
    EmptyKey,
    /// The first key source that is present has more than one value.
    AmbiguousKey,
    /// The key is longer than 256 bytes, or has no valid checksum although the layer is set
    /// to `generated_keys_only`.
    MalformedKey,
    /// No subscription has this key.
    UnknownKey,
    /// The subscription is in this state.
    Inactive(State),
    /// The subscription's `not_before` is in the future.
    NotYetValid,
    /// The subscription's `expires_at` has passed.
    SubscriptionExpired,
    /// The key's own `expires_at` has passed.
    KeyExpired,
    /// The subscription opens other APIs.
    OutOfScope,
    /// The path belongs to no API.
    NoSuchApi,
    /// The path belongs to another API, or to none, if it is decoded and cleaned up
    /// as some services do.
    AmbiguousPath,
    /// The store could not answer.
    StoreUnavailable,
    /// The layer's settings cannot work; see
    /// [`ConfigError`](crate::layer::ConfigError).
    Misconfigured,
}

impl DenialReason {
    /// One word for logs and metrics, without the state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingKey => "missing",
            Self::EmptyKey => "empty",
            Self::AmbiguousKey => "ambiguous",
            Self::MalformedKey => "malformed",
            Self::UnknownKey => "unknown",
            Self::Inactive(_) => "inactive",
            Self::NotYetValid => "not_yet_valid",
            Self::SubscriptionExpired => "subscription_expired",
            Self::KeyExpired => "key_expired",
            Self::OutOfScope => "out_of_scope",
            Self::NoSuchApi => "no_such_api",
            Self::AmbiguousPath => "ambiguous_path",
            Self::StoreUnavailable => "store_unavailable",
            Self::Misconfigured => "misconfigured",
        }
    }
}

/// A denied request, as the operator sees it.
///
/// `Display` explains the denial in a sentence. It contains no key, and text from
/// outside only escaped.
#[derive(Clone)]
pub struct Denial {
    /// `None` if nothing could be decided.
    pub(super) catalog: Option<Arc<Catalog>>,
    pub(super) api: Option<ApiIndex>,
    /// The owner of the key.
    pub(super) owner: Option<Owner>,
    pub(super) reason: DenialReason,
    pub(super) key_presented: bool,
    pub(crate) hint: Option<Hint>,
}

/// A likely cause that the request itself shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hint {
    /// The value of the key's header contains a comma.
    Comma,
    /// An outer layer has let the request in.
    OuterLayer,
}

impl Denial {
    /// A denial because nothing could be decided.
    pub(crate) fn undecided(reason: DenialReason) -> Self {
        Self {
            catalog: None,
            api: None,
            owner: None,
            reason,
            key_presented: false,
            hint: None,
        }
    }

    /// Why the request was denied.
    #[must_use]
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// Whether the request has a key: then the client learns that it is invalid, else
    /// that it is missing. An empty key is no key.
    #[must_use]
    pub fn key_presented(&self) -> bool {
        self.key_presented
    }

    /// The API that the request is for.
    #[must_use]
    pub fn api(&self) -> Option<&Api> {
        Some(self.catalog.as_ref()?.definitions().api(self.api?))
    }

    /// The products that contain the API: a subscription to one of them would fit.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        let found = self.catalog.as_deref().zip(self.api);
        found
            .into_iter()
            .flat_map(|(catalog, api)| catalog.definitions().products_with(api))
    }

    /// The subscription that owns the key.
    #[must_use]
    pub fn subscription(&self) -> Option<SubscriptionView<'_>> {
        let owner = self.owner.as_ref()?;
        Some(SubscriptionView::new(self.catalog.as_ref()?, owner))
    }

    /// The slot of the key in that subscription.
    #[must_use]
    pub fn key_slot(&self) -> Option<KeySlot> {
        self.owner.as_ref().map(Owner::slot)
    }

    /// The API whose path is most similar to the beginning of `path`, if any is.
    pub(crate) fn nearest_api(&self, path: &str) -> Option<&Api> {
        self.catalog.as_ref()?.definitions().nearest_path(path)
    }

    fn fmt_scopes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A custom store may not check its ids.
        let mut f = Escaped(f);
        let scopes = self.subscription().map(|s| s.scopes()).unwrap_or_default();
        for (at, scope) in scopes.iter().take(MAX_LISTED).enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{scope}")?;
        }
        if scopes.len() > MAX_LISTED {
            write!(f, " and {} more", scopes.len() - MAX_LISTED)?;
        }
        let api = self.api().map_or("", Api::id);
        write!(f, "; API {api:?} would need / or /apis or /apis/{api}")?;
        for product in self.products().take(MAX_LISTED) {
            write!(f, " or /products/{}", product.id())?;
        }
        Ok(())
    }
}

/// More scopes and products than this are not listed in a sentence.
const MAX_LISTED: usize = 20;

/// Writes untrusted text on one line.
struct Escaped<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.contains(char::is_control) {
            true => write!(self.0, "{}", text.escape_debug()),
            false => self.0.write_str(text),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = fmt::from_fn(|f| match self.subscription().zip(self.key_slot()) {
            Some((subscription, slot)) => {
                write!(f, "the {slot} key of subscription {:?}", subscription.id())
            }
            None => f.write_str("the key"),
        });
        match self.reason {
            DenialReason::MissingKey => f.write_str("the request has no key")?,
            DenialReason::EmptyKey => f.write_str("the key is empty")?,
            DenialReason::AmbiguousKey => f.write_str("the request has more than one key")?,
            DenialReason::MalformedKey => f.write_str(
                "the key is malformed: longer than 256 bytes, or without a valid checksum",
            )?,
            DenialReason::UnknownKey => f.write_str("no subscription has this key")?,
            DenialReason::Inactive(state) => {
                write!(f, "{key} opens nothing: the subscription is {state}")?;
            }
            DenialReason::NotYetValid => write!(
                f,
                "{key} does not work yet: the subscription's not_before is in the future"
            )?,
            DenialReason::SubscriptionExpired => write!(
                f,
                "{key} no longer works: the subscription's expires_at has passed"
            )?,
            DenialReason::KeyExpired => {
                write!(f, "{key} no longer works: the key's expires_at has passed")?;
            }
            DenialReason::OutOfScope => {
                write!(f, "{key} opens ")?;
                self.fmt_scopes(f)?;
            }
            DenialReason::NoSuchApi => f.write_str("the path belongs to no API")?,
            DenialReason::AmbiguousPath => f.write_str(
                "the path is ambiguous: decoded and cleaned up, it does not belong to the API \
                 that its bytes belong to",
            )?,
            DenialReason::StoreUnavailable => f.write_str("the store could not answer")?,
            DenialReason::Misconfigured => f.write_str("the settings of the layer cannot work")?,
        }
        f.write_str(match self.hint {
            None => "",
            Some(Hint::Comma) => {
                " (the value of its header contains a comma, which is part of the key: \
                 two headers may have been joined)"
            }
            Some(Hint::OuterLayer) => {
                " (an outer subscription key layer has let it in and may have stripped the key)"
            }
        })
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("reason", &self.reason)
            .field("api", &self.api().map(Api::id))
            .field("subscription", &self.subscription().map(|s| s.id()))
            .field("key_slot", &self.key_slot())
            .finish()
    }
}
