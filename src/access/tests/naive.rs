//! The rules of access written a second time, from plain lists and without regard to
//! speed. It shares nothing with the decision.

use std::sync::Arc;
use std::time::SystemTime;

use crate::access::{Decision, DenialReason, InapplicableKey, Policy, Question, Unmatched, decide};
use crate::catalog::{
    Api, Catalog, CatalogError, KeySlot, Product, Scope, State, Subscription, SubscriptionView,
};
use crate::key::Presented;

/// A catalog as it was written down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plain {
    pub(crate) apis: Vec<Api>,
    pub(crate) products: Vec<Product>,
    pub(crate) subscriptions: Vec<Subscription>,
}

/// An outcome with everything in it that a caller can read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Access {
        api: String,
        product: Option<String>,
        subscription: Option<String>,
        slot: Option<KeySlot>,
        scope: Option<Scope>,
        owner: Option<String>,
    },
    Unmatched,
    Denied {
        reason: DenialReason,
        key_presented: bool,
        api: Option<String>,
        subscription: Option<String>,
        slot: Option<KeySlot>,
        scopes: Vec<Scope>,
        products: Vec<String>,
    },
}

/// Asks the crate to decide.
pub(crate) fn ask(
    catalog: &Arc<Catalog>,
    api: Option<&str>,
    presented: Presented,
    policy: Policy,
    now: SystemTime,
) -> Decision {
    // No API has the empty id.
    let question = Question::for_api(Arc::clone(catalog), api.unwrap_or_default());
    decide(question.with_key(presented).with_policy(policy).at(now))
}

/// What the crate says.
pub(crate) fn seen(
    catalog: &Arc<Catalog>,
    api: Option<&str>,
    presented: Presented,
    policy: Policy,
    now: SystemTime,
) -> Seen {
    let id = |subscription: SubscriptionView<'_>| subscription.id().to_owned();
    match ask(catalog, api, presented, policy, now) {
        Decision::Allow(access) => Seen::Access {
            api: access.api().id().into(),
            product: access.product().map(|product| product.id().into()),
            subscription: access.subscription().map(id),
            slot: access.key_slot(),
            scope: access.scope(),
            owner: access.owner().map(str::to_owned),
        },
        Decision::Unmatched => Seen::Unmatched,
        Decision::Deny(denial) => Seen::Denied {
            reason: denial.reason(),
            key_presented: denial.key_presented(),
            api: denial.api().map(|api| api.id().into()),
            subscription: denial.subscription().map(id),
            slot: denial.key_slot(),
            scopes: denial
                .subscription()
                .map(|subscription| subscription.scopes())
                .unwrap_or_default(),
            products: denial.products().map(|p| p.id().to_owned()).collect(),
        },
    }
}

impl Plain {
    pub(crate) fn build(&self) -> Result<Catalog, CatalogError> {
        let mut builder = Catalog::builder();
        for api in &self.apis {
            builder.push_api(api.clone());
        }
        for product in &self.products {
            builder.push_product(product.clone());
        }
        for subscription in &self.subscriptions {
            builder.push_subscription(subscription.clone());
        }
        builder.build()
    }

    pub(crate) fn api(&self, id: &str) -> Option<&Api> {
        self.apis.iter().find(|api| api.id() == id)
    }

    /// The products that hold the API, in the order of the catalog.
    fn holding(&self, api: &str) -> Vec<&Product> {
        let holds = |product: &&Product| product.apis().iter().any(|id| id == api);
        self.products.iter().filter(holds).collect()
    }

    /// Who owns that key, and in which slot.
    pub(crate) fn owner(&self, presented: Presented) -> Option<(&Subscription, KeySlot)> {
        let Presented::Key(digest) = presented else {
            return None;
        };
        for subscription in &self.subscriptions {
            for slot in [KeySlot::Primary, KeySlot::Secondary] {
                if subscription
                    .key(slot)
                    .is_some_and(|k| *k.digest() == digest)
                {
                    return Some((subscription, slot));
                }
            }
        }
        None
    }

    /// What the rules say.
    pub(crate) fn says(
        &self,
        api: Option<&str>,
        presented: Presented,
        policy: Policy,
        now: SystemTime,
    ) -> Seen {
        let key_presented = match presented {
            Presented::Missing | Presented::Empty => false,
            Presented::Ambiguous | Presented::Malformed | Presented::Key(_) => true,
        };
        let Some(api) = api.and_then(|id| self.api(id)) else {
            return match policy.unmatched {
                Unmatched::Pass => Seen::Unmatched,
                Unmatched::Deny => Seen::Denied {
                    reason: DenialReason::NoSuchApi,
                    key_presented,
                    api: None,
                    subscription: None,
                    slot: None,
                    scopes: vec![],
                    products: vec![],
                },
            };
        };
        let owner = self.owner(presented);
        let wrong = match (presented, owner) {
            (Presented::Missing, _) => DenialReason::MissingKey,
            (Presented::Empty, _) => DenialReason::EmptyKey,
            (Presented::Ambiguous, _) => DenialReason::AmbiguousKey,
            (Presented::Malformed, _) => DenialReason::MalformedKey,
            (Presented::Key(_), None) => DenialReason::UnknownKey,
            (Presented::Key(_), Some((subscription, slot))) => {
                match self.opens(subscription, slot, api.id(), now) {
                    Ok(scope) => {
                        return Seen::Access {
                            api: api.id().into(),
                            product: match &scope {
                                Scope::Product(id) => Some(id.clone()),
                                _ => None,
                            },
                            subscription: Some(subscription.id().into()),
                            slot: Some(slot),
                            scope: Some(scope),
                            owner: subscription.owner().map(str::to_owned),
                        };
                    }
                    Err(reason) => reason,
                }
            }
        };
        let open = self.holding(api.id()).into_iter().find(|p| p.is_open());
        let refused_anyway = key_presented && policy.inapplicable_key == InapplicableKey::Deny;
        if (open.is_some() || !api.subscription_required()) && !refused_anyway {
            return Seen::Access {
                api: api.id().into(),
                product: open.map(|product| product.id().into()),
                subscription: None,
                slot: None,
                scope: None,
                owner: None,
            };
        }
        Seen::Denied {
            reason: wrong,
            key_presented,
            api: Some(api.id().into()),
            subscription: owner.map(|(subscription, _)| subscription.id().into()),
            slot: owner.map(|(_, slot)| slot),
            scopes: owner.map_or_else(Vec::new, |(owner, _)| owner.scopes().to_vec()),
            products: self
                .holding(api.id())
                .iter()
                .map(|product| product.id().into())
                .collect(),
        }
    }

    /// The scope by which the key opens the API now.
    fn opens(
        &self,
        subscription: &Subscription,
        slot: KeySlot,
        api: &str,
        now: SystemTime,
    ) -> Result<Scope, DenialReason> {
        if subscription.state() != State::Active {
            return Err(DenialReason::Inactive(subscription.state()));
        }
        if subscription.not_before().is_some_and(|start| now < start) {
            return Err(DenialReason::NotYetValid);
        }
        if subscription.expires_at().is_some_and(|end| end <= now) {
            return Err(DenialReason::SubscriptionExpired);
        }
        let key_end = subscription.key(slot).unwrap().expires_at();
        if key_end.is_some_and(|end| end <= now) {
            return Err(DenialReason::KeyExpired);
        }
        // From the most specific to the least.
        let mut candidates = vec![Scope::Api(api.into())];
        for product in self.holding(api) {
            candidates.push(Scope::Product(product.id().into()));
        }
        candidates.push(Scope::AllApis);
        candidates.push(Scope::Service);
        candidates
            .into_iter()
            .find(|candidate| subscription.scopes().contains(candidate))
            .ok_or(DenialReason::OutOfScope)
    }
}
