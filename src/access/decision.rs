use std::sync::Arc;
use std::time::SystemTime;

use crate::access::{Access, Denial, DenialReason};
use crate::catalog::{
    ApiIndex, Catalog, Claim, Definitions, Holder, KeySlot, ProductIndex, Scopes, State, Target,
    Timestamp,
};
use crate::key::Presented;

/// What a key that does not fit means where no key is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InapplicableKey {
    /// It is ignored: the caller gets in as if without a key.
    #[default]
    Ignore,
    /// It is refused as invalid: a caller who meant to be known learns of it.
    Deny,
}

/// What becomes of a request for no API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unmatched {
    /// It is denied.
    #[default]
    Deny,
    /// It passes, without any [`Access`] and without a look at its key.
    Pass,
}

/// The settings that bear on a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Policy {
    /// What a key that does not fit means where no key is needed.
    pub inapplicable_key: InapplicableKey,
    /// What becomes of a request for no API.
    pub unmatched: Unmatched,
}

/// Who owns the presented key.
#[derive(Debug)]
pub(crate) enum Owner<'a> {
    /// No subscription, or nobody was asked.
    Nobody,
    /// That subscription.
    Known(Claim<'a>),
    /// The store could not say.
    Unavailable,
}

/// All that a decision depends on, but for the time.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) api: Option<ApiIndex>,
    pub(crate) presented: Presented,
    pub(crate) owner: Owner<'a>,
    pub(crate) policy: Policy,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Admit(Admission),
    /// No API, and unknown paths may pass.
    Pass,
    Deny(DenialReason),
}

/// Through what a request was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) api: ApiIndex,
    pub(crate) product: Option<ProductIndex>,
    /// The slot and scope of the key that opened it, if one did.
    pub(crate) key: Option<(KeySlot, Target)>,
}

/// Decides. The clock is read at most once, and only where a subscription or
/// key has limits in time.
#[inline]
pub(crate) fn answer(question: &Question<'_>, now: impl FnOnce() -> Timestamp) -> Decision {
    let Some(api) = question.api else {
        return match question.policy.unmatched {
            Unmatched::Pass => Decision::Pass,
            Unmatched::Deny => Decision::Deny(DenialReason::NoSuchApi),
        };
    };
    let refusal = match opened(question, api, now) {
        Ok(admission) => return Decision::Admit(admission),
        Err(DenialReason::StoreUnavailable) => {
            return Decision::Deny(DenialReason::StoreUnavailable);
        }
        Err(reason) => reason,
    };
    let wrong_key = question.presented.is_present();
    if wrong_key && question.policy.inapplicable_key == InapplicableKey::Deny {
        return Decision::Deny(refusal);
    }
    let product = question.definitions.open_product(api);
    if product.is_some() || !question.definitions.api(api).subscription_required() {
        let key = None;
        return Decision::Admit(Admission { api, product, key });
    }
    Decision::Deny(refusal)
}

/// Whether the key opens the API, and if not, why.
#[inline]
fn opened(
    question: &Question<'_>,
    api: ApiIndex,
    now: impl FnOnce() -> Timestamp,
) -> Result<Admission, DenialReason> {
    match question.presented {
        Presented::Missing => return Err(DenialReason::MissingKey),
        Presented::Empty => return Err(DenialReason::EmptyKey),
        Presented::Ambiguous => return Err(DenialReason::AmbiguousKey),
        Presented::Malformed => return Err(DenialReason::MalformedKey),
        Presented::Key(_) => {}
    }
    let claim = match &question.owner {
        Owner::Nobody => return Err(DenialReason::UnknownKey),
        Owner::Unavailable => return Err(DenialReason::StoreUnavailable),
        Owner::Known(claim) => claim,
    };
    standing(claim, now)?;
    let target =
        fitting(claim.scopes, api, question.definitions).ok_or(DenialReason::OutOfScope)?;
    let product = match target {
        Target::Product(product) => Some(product),
        _ => None,
    };
    let key = Some((claim.slot, target));
    Ok(Admission { api, product, key })
}

/// Whether the subscription is active, and it and the key are valid now.
#[inline]
fn standing(claim: &Claim<'_>, now: impl FnOnce() -> Timestamp) -> Result<(), DenialReason> {
    if claim.state != State::Active {
        return Err(DenialReason::Inactive(claim.state));
    }
    if claim.validity.is_always() && claim.key_validity.is_always() {
        return Ok(());
    }
    let now = now();
    if claim.validity.begins_after(now) {
        Err(DenialReason::NotYetValid)
    } else if claim.validity.is_over_at(now) {
        Err(DenialReason::SubscriptionExpired)
    } else if claim.key_validity.is_over_at(now) {
        Err(DenialReason::KeyExpired)
    } else {
        Ok(())
    }
}

/// The most specific scope that holds the API: API, product, all APIs, service;
/// of two products the one that stands first in the catalog.
#[inline]
fn fitting(scopes: Scopes<'_>, api: ApiIndex, definitions: &Definitions) -> Option<Target> {
    let fits = |target: &Target| match *target {
        Target::Service | Target::AllApis => true,
        Target::Api(other) => other == api,
        Target::Product(product) => definitions.holders(api).contains(&product),
    };
    match scopes {
        Scopes::One(target) => Some(target).filter(fits),
        Scopes::Resolved(targets) => targets.iter().copied().filter(fits).min_by_key(rank),
        Scopes::Named(scopes) => {
            let targets = scopes.iter().filter_map(|scope| definitions.resolve(scope));
            targets.filter(fits).min_by_key(rank)
        }
    }
}

fn rank(target: &Target) -> (u8, Option<ProductIndex>) {
    match *target {
        Target::Api(_) => (0, None),
        Target::Product(product) => (1, Some(product)),
        Target::AllApis => (2, None),
        Target::Service => (3, None),
    }
}

/// What [`decide`] says.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The request is let in.
    Access(Access),
    /// The request is for no API and passes without any access.
    Unmatched,
    /// The request is denied.
    Denied(Denial),
}

/// Decides a request by a catalog: the same function that the layer uses.
///
/// `api` is the id of the API that the request is for (see
/// [`Catalog::api_for_path`]), `presented` what it brought as a key.
///
/// ```
/// use std::{sync::Arc, time::SystemTime};
/// use tower_subscription_key::access::{DenialReason, Outcome, Policy, decide};
/// use tower_subscription_key::catalog::{Api, Catalog};
/// use tower_subscription_key::key::{KeyDigest, Presented};
///
/// let catalog = Arc::new(Catalog::builder().api(Api::new("echo", "/echo")).build()?);
/// let key = Presented::Key(KeyDigest::of("not a key"));
/// match decide(&catalog, Some("echo"), key, Policy::default(), SystemTime::now()) {
///     Outcome::Denied(denial) => assert_eq!(denial.reason(), DenialReason::UnknownKey),
///     _ => unreachable!(),
/// }
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
#[must_use]
pub fn decide(
    catalog: &Arc<Catalog>,
    api: Option<&str>,
    presented: Presented,
    policy: Policy,
    now: SystemTime,
) -> Outcome {
    let definitions = catalog.definitions();
    let api = api.and_then(|id| definitions.api_by_id(id));
    let found = match presented {
        Presented::Key(digest) if api.is_some() => catalog.find(&digest),
        _ => None,
    };
    let (owner, holder) = match found {
        Some(found) => (Owner::Known(found.claim), Some(found.holder)),
        None => (Owner::Nobody, None),
    };
    let slot = match &owner {
        Owner::Known(claim) => Some(claim.slot),
        _ => None,
    };
    let question = Question {
        definitions,
        api,
        presented,
        owner,
        policy,
    };
    let decision = answer(&question, || now.into());
    outcome(
        Arc::clone(catalog),
        api,
        presented,
        holder.zip(slot),
        decision,
    )
}

fn outcome(
    catalog: Arc<Catalog>,
    api: Option<ApiIndex>,
    presented: Presented,
    holder: Option<(Holder, KeySlot)>,
    decision: Decision,
) -> Outcome {
    match decision {
        Decision::Admit(admission) => {
            let holder = holder.map(|(holder, _)| holder);
            Outcome::Access(Access::new(catalog, admission, holder))
        }
        Decision::Pass => Outcome::Unmatched,
        Decision::Deny(reason) => Outcome::Denied(Denial::new(
            Some(catalog),
            api,
            holder,
            reason,
            presented.is_present(),
        )),
    }
}
