use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

use crate::access::{Access, Denial, DenialReason, InapplicableKey, Policy, Unmatched};
use crate::catalog::{
    ApiIndex, Catalog, Claim, Definitions, Found, Holder, KeyOwner, KeySlot, PathMatch,
    ProductIndex, Scopes, State, Target, Timestamp,
};
use crate::key::{KeyDigest, Presented};

/// Everything that the decision about one request depends on.
///
/// [`decide`] looks up the presented key in the catalog of the question.
#[derive(Debug)]
pub struct Question {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) api: Matched,
    pub(crate) presented: Presented,
    pub(crate) owner: Owner,
    pub(crate) policy: Policy,
    /// The time of the request. `None` means now: the clock is then read, but only if
    /// the subscription or the key has a validity period.
    pub(crate) time: Option<Timestamp>,
}

/// The API that the path of a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched {
    Api(ApiIndex),
    None,
    /// Services that decode and normalise the path would choose another API.
    Ambiguous,
}

impl From<Option<ApiIndex>> for Matched {
    fn from(api: Option<ApiIndex>) -> Self {
        api.map_or(Self::None, Self::Api)
    }
}

impl From<PathMatch> for Matched {
    fn from(path: PathMatch) -> Self {
        match path.is_ambiguous() {
            true => Self::Ambiguous,
            false => path.api.into(),
        }
    }
}

impl Matched {
    pub(crate) fn api(self) -> Option<ApiIndex> {
        match self {
            Self::Api(api) => Some(api),
            Self::None | Self::Ambiguous => None,
        }
    }
}

/// The owner of the presented key.
#[derive(Debug)]
pub(crate) enum Owner {
    /// Not looked up yet: [`decide`] looks in the catalog.
    InCatalog,
    /// No subscription has the key.
    None,
    /// The store found the owner.
    Found(KeyOwner),
    /// The store could not answer.
    Unavailable,
}

impl From<Option<KeyOwner>> for Owner {
    fn from(owner: Option<KeyOwner>) -> Self {
        owner.map_or(Self::None, Self::Found)
    }
}

impl Question {
    /// A question about a request for the API with the given id, without a key,
    /// with the default policy, now.
    ///
    /// If the catalog has no such API, the request is unmatched.
    #[must_use]
    pub fn for_api(catalog: impl Into<Arc<Catalog>>, id: &str) -> Self {
        let catalog = catalog.into();
        let api = catalog.definitions().api_by_id(id);
        Self::new(catalog, api.into())
    }

    /// A question about a request for the given path, without a key, with the
    /// default policy, now.
    #[must_use]
    pub fn for_path(catalog: impl Into<Arc<Catalog>>, path: &str) -> Self {
        let catalog = catalog.into();
        let api = catalog.definitions().match_path(path);
        Self::new(catalog, api.into())
    }

    fn new(catalog: Arc<Catalog>, api: Matched) -> Self {
        Self {
            catalog,
            api,
            presented: Presented::Missing,
            owner: Owner::InCatalog,
            policy: Policy::default(),
            time: None,
        }
    }

    /// Sets the key that the request presents.
    #[must_use]
    pub fn with_key(mut self, presented: Presented) -> Self {
        self.presented = presented;
        self
    }

    /// Sets the policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the time of the request.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.time = Some(time.into());
        self
    }
}

/// The decision about a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Decision {
    /// The request is allowed.
    Allow(Access),
    /// The request is for no API and is let through without an [`Access`].
    Unmatched,
    /// The request is denied.
    Deny(Denial),
}

/// Decides a request by the [rules](crate::access). The layer calls this function too.
///
/// ```
/// use std::sync::Arc;
/// use tower_subscription_key::access::{Decision, DenialReason, Question, decide};
/// use tower_subscription_key::catalog::{Api, Catalog};
/// use tower_subscription_key::key::{KeyDigest, Presented};
///
/// let catalog = Arc::new(Catalog::builder().api(Api::new("echo", "/echo")).build()?);
/// let key = Presented::Key(KeyDigest::of("not a key"));
/// let question = Question::for_path(catalog, "/echo/1").with_key(key);
/// match decide(question) {
///     Decision::Deny(denial) => assert_eq!(denial.reason(), DenialReason::UnknownKey),
///     _ => unreachable!(),
/// }
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
#[must_use]
pub fn decide(mut question: Question) -> Decision {
    let key_presented = question.presented.is_present();
    let policy = question.policy;
    let api = match (question.api, policy.unmatched) {
        (Matched::Api(api), _) => api,
        (Matched::None, Unmatched::Pass) => return Decision::Unmatched,
        (Matched::None, Unmatched::Deny) => {
            return question.deny_path(DenialReason::NoSuchApi);
        }
        // Checked before the rules: none of them may allow such a request.
        (Matched::Ambiguous, _) => return question.deny_path(DenialReason::AmbiguousPath),
    };
    let Checked { opened, holder } = question.check_key(api);
    let catalog = question.catalog;
    let reason = match opened {
        // Rule 1: the key grants access.
        Ok((grant, digest)) => {
            let holder = holder.map(|(holder, _)| (holder, digest));
            return Decision::Allow(Access::new(catalog, grant, holder));
        }
        Err(reason) => reason,
    };
    let must_deny = reason == DenialReason::StoreUnavailable
        || key_presented && policy.inapplicable_key == InapplicableKey::Deny;
    if !must_deny {
        let definitions = catalog.definitions();
        let product = definitions.open_product(api);
        // Rule 2: an open product contains the API. Rule 3: the API requires no
        // subscription.
        if product.is_some() || !definitions.api(api).subscription_required() {
            let key = None;
            return Decision::Allow(Access::new(catalog, Grant { api, product, key }, None));
        }
    }
    // Rule 4: deny.
    Decision::Deny(Denial {
        catalog: Some(catalog),
        api: Some(api),
        holder,
        reason,
        key_presented,
        hint: None,
    })
}

/// What allows a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) api: ApiIndex,
    pub(crate) product: Option<ProductIndex>,
    /// The slot of the key and the scope that contains the API. `None` for an anonymous
    /// caller.
    pub(crate) key: Option<(KeySlot, Target)>,
}

/// The result of checking the presented key, and the subscription that owns it.
struct Checked {
    opened: Result<(Grant, KeyDigest), DenialReason>,
    holder: Option<(Holder, KeySlot)>,
}

impl Question {
    fn deny_path(self, reason: DenialReason) -> Decision {
        Decision::Deny(Denial {
            catalog: Some(self.catalog),
            api: None,
            holder: None,
            reason,
            key_presented: self.presented.is_present(),
            hint: None,
        })
    }

    fn check_key(&mut self, api: ApiIndex) -> Checked {
        let unowned = |reason| Checked {
            opened: Err(reason),
            holder: None,
        };
        let digest = match self.presented {
            Presented::Key(digest) => digest,
            Presented::Missing => return unowned(DenialReason::MissingKey),
            Presented::Empty => return unowned(DenialReason::EmptyKey),
            Presented::Ambiguous => return unowned(DenialReason::AmbiguousKey),
            Presented::Malformed => return unowned(DenialReason::MalformedKey),
        };
        match mem::replace(&mut self.owner, Owner::None) {
            Owner::None => unowned(DenialReason::UnknownKey),
            Owner::Unavailable => unowned(DenialReason::StoreUnavailable),
            Owner::InCatalog => match self.catalog.find(&digest) {
                None => unowned(DenialReason::UnknownKey),
                Some(Found { claim, holder }) => Checked {
                    opened: self.check_claim(api, &claim).map(|grant| (grant, digest)),
                    holder: Some((holder, claim.slot)),
                },
            },
            Owner::Found(owner) => {
                let slot = owner.slot();
                let opened = self.check_claim(api, &owner.claim());
                let holder = Holder::Shared(owner.subscription);
                Checked {
                    opened: opened.map(|grant| (grant, digest)),
                    holder: Some((holder, slot)),
                }
            }
        }
    }

    /// Grants access if the subscription is active, the subscription and the key are
    /// valid, and a scope contains the API.
    fn check_claim(&self, api: ApiIndex, claim: &Claim<'_>) -> Result<Grant, DenialReason> {
        if claim.state != State::Active {
            return Err(DenialReason::Inactive(claim.state));
        }
        if !(claim.validity.is_always() && claim.key_validity.is_always()) {
            let now = self.time.unwrap_or_else(Timestamp::now);
            if claim.validity.begins_after(now) {
                return Err(DenialReason::NotYetValid);
            }
            if claim.validity.is_over_at(now) {
                return Err(DenialReason::SubscriptionExpired);
            }
            if claim.key_validity.is_over_at(now) {
                return Err(DenialReason::KeyExpired);
            }
        }
        let target = fitting_scope(claim.scopes, api, self.catalog.definitions())
            .ok_or(DenialReason::OutOfScope)?;
        let product = match target {
            Target::Product(product) => Some(product),
            _ => None,
        };
        let key = Some((claim.slot, target));
        Ok(Grant { api, product, key })
    }
}

/// The most specific scope that contains the API, in this order: API, product, all
/// APIs, service. Of two products, the one that comes first in the catalog.
fn fitting_scope(scopes: Scopes<'_>, api: ApiIndex, definitions: &Definitions) -> Option<Target> {
    let ranked = |target: Target| {
        let rank = match target {
            Target::Api(other) if other == api => (0, 0),
            Target::Api(_) => return None,
            Target::Product(product) => (1, definitions.rank_as_holder(product, api)?),
            Target::AllApis => (2, 0),
            Target::Service => (3, 0),
        };
        Some((rank, target))
    };
    let best = match scopes {
        Scopes::One(target) => ranked(target),
        Scopes::Resolved(targets) => {
            let fitting = targets.iter().copied().filter_map(ranked);
            fitting.min_by_key(|(rank, _)| *rank)
        }
        Scopes::Named(scopes) => {
            let targets = scopes.iter().filter_map(|scope| definitions.resolve(scope));
            targets.filter_map(ranked).min_by_key(|(rank, _)| *rank)
        }
    };
    best.map(|(_, target)| target)
}
