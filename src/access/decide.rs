use std::sync::Arc;
use std::time::SystemTime;

use crate::access::granted::UsedKey;
use crate::access::{Access, Denial, DenialReason, InapplicableKey, Policy, Unmatched};
use crate::catalog::{
    ApiIndex, Catalog, Definitions, KeyOwner, Matched, Owner, Scopes, State, Target, Timestamp,
};
use crate::key::{KeyDigest, Presented};

/// Everything that the decision about one request depends on.
#[derive(Debug)]
pub struct Question {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) api: Matched,
    pub(crate) presented: Presented,
    /// The owner of the presented key. `None` if no subscription has it.
    pub(crate) owner: Option<Owner>,
    pub(crate) policy: Policy,
    /// The time of the request. `None` means now: the clock is then read, but only if
    /// the subscription or the key has a validity period.
    pub(crate) time: Option<Timestamp>,
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
        let matched = catalog.definitions().match_path(path);
        Self::new(catalog, matched)
    }

    pub(crate) fn new(catalog: Arc<Catalog>, api: Matched) -> Self {
        Self {
            catalog,
            api,
            presented: Presented::Missing,
            owner: None,
            policy: Policy::default(),
            time: None,
        }
    }

    /// Sets the key that the request presents, and looks it up in the catalog.
    #[must_use]
    pub fn with_key(mut self, presented: Presented) -> Self {
        self.presented = presented;
        self.owner = self.digest().and_then(|digest| self.catalog.find(&digest));
        self
    }

    /// Sets the owner that a store found for the presented key.
    pub(crate) fn set_owner(&mut self, owner: Option<KeyOwner>) {
        self.owner = match self.presented {
            Presented::Key(digest) => owner.map(|owner| Owner::Shared(owner.for_key(&digest))),
            _ => None,
        };
    }

    /// The digest of the presented key, if the decision depends on it: a request for no
    /// API needs no lookup.
    pub(crate) fn digest(&self) -> Option<KeyDigest> {
        match (self.api, self.presented) {
            (Matched::Api(_), Presented::Key(digest)) => Some(digest),
            _ => None,
        }
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
pub fn decide(question: Question) -> Decision {
    let policy = question.policy;
    let api = match (question.api, policy.unmatched) {
        (Matched::Api(api), _) => api,
        (Matched::None, Unmatched::Pass) => return Decision::Unmatched,
        (Matched::None, Unmatched::Deny) => return question.deny(DenialReason::NoSuchApi),
        // Checked before the rules: none of them may allow such a request.
        (Matched::Ambiguous, _) => return question.deny(DenialReason::AmbiguousPath),
    };
    let reason = match question.check_key(api) {
        // Rule 1: the key grants access.
        Ok(key) => {
            return Decision::Allow(Access {
                catalog: question.catalog,
                api,
                product: match key.scope {
                    Target::Product(product) => Some(product),
                    _ => None,
                },
                owner: question.owner,
                key: Some(key),
            });
        }
        Err(reason) => reason,
    };
    let must_deny =
        question.presented.is_present() && policy.inapplicable_key == InapplicableKey::Deny;
    if !must_deny {
        let definitions = question.catalog.definitions();
        let product = definitions.open_product(api);
        // Rule 2: an open product contains the API. Rule 3: the API requires no
        // subscription.
        if product.is_some() || !definitions.api(api).subscription_required() {
            return Decision::Allow(Access {
                catalog: question.catalog,
                api,
                product,
                owner: None,
                key: None,
            });
        }
    }
    // Rule 4: deny.
    question.deny(reason)
}

impl Question {
    /// Denies the request because the store could not look up its key: no rule applies
    /// while the owner of the key is not known.
    pub(crate) fn deny_without_owner(self) -> Decision {
        self.deny(DenialReason::StoreUnavailable)
    }

    fn deny(self, reason: DenialReason) -> Decision {
        Decision::Deny(Denial {
            catalog: Some(self.catalog),
            api: self.api.api(),
            owner: self.owner,
            reason,
            key_presented: self.presented.is_present(),
            hint: None,
        })
    }

    /// Checks that the owner of the key is active, that both are valid, and that a scope
    /// contains the API. Returns the key and the scope.
    fn check_key(&self, api: ApiIndex) -> Result<UsedKey, DenialReason> {
        let digest = match self.presented {
            Presented::Key(digest) => digest,
            Presented::Missing => return Err(DenialReason::MissingKey),
            Presented::Empty => return Err(DenialReason::EmptyKey),
            Presented::Ambiguous => return Err(DenialReason::AmbiguousKey),
            Presented::Malformed => return Err(DenialReason::MalformedKey),
        };
        let owner = self.owner.as_ref().ok_or(DenialReason::UnknownKey)?;
        let claim = self.catalog.claim(owner);
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
        let scope = fitting_scope(claim.scopes, api, self.catalog.definitions())
            .ok_or(DenialReason::OutOfScope)?;
        Ok(UsedKey { digest, scope })
    }
}

/// The most specific scope that contains the API, in this order: API, product, all
/// APIs, service. Of two products, the one that comes first in the catalog.
fn fitting_scope(scopes: Scopes<'_>, api: ApiIndex, definitions: &Definitions) -> Option<Target> {
    let ranked = |target: Target| {
        let rank = match target {
            Target::Api(other) if other == api => (0, 0),
            Target::Api(_) => return None,
            Target::Product(product) => (1, definitions.rank(product, api)?),
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
