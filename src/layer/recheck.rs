use std::sync::Arc;

use crate::access::{Access, Decision, Denial, DenialReason, InapplicableKey, Question, decide};
use crate::catalog::{Catalog, Owner};
use crate::key::Presented;
use crate::layer::gate::{Gate, MAX_LOOKUPS};
use crate::store::{Holdings, SubscriptionStore};

impl<S: SubscriptionStore> Gate<S> {
    /// Decides again about a request that was allowed.
    pub(super) async fn recheck(&self, access: &Access) -> Decision {
        for _ in 0..MAX_LOOKUPS {
            let Ok(holdings) = self.store.holdings() else {
                break;
            };
            let has_all_keys = matches!(holdings, Holdings::Everything(_));
            let Ok(catalog) = self.settings.definitions(holdings) else {
                return Decision::Deny(Denial::undecided(DenialReason::Misconfigured));
            };
            let mut question = self.ask_again(catalog, access);
            match access.digest() {
                Some(digest) if !has_all_keys => {
                    let Ok(answer) = self.lookup(&digest).await else {
                        break;
                    };
                    if !self.belongs_to(&answer, &question.catalog) {
                        match answer.definitions() {
                            Some(newer) => question = self.ask_again(Arc::clone(newer), access),
                            None => continue,
                        }
                    }
                    question.owner = answer.into_owner().map(Owner::Shared);
                }
                _ => {}
            }
            return decide(question);
        }
        Decision::Deny(Denial::undecided(DenialReason::StoreUnavailable))
    }

    fn ask_again(&self, catalog: Arc<Catalog>, access: &Access) -> Question {
        let mut policy = self.settings.policy;
        // A key that no longer fits must not make an anonymous caller of a known one.
        policy.inapplicable_key = InapplicableKey::Deny;
        let key = access.digest().map_or(Presented::Missing, Presented::Key);
        Question::for_api(catalog, access.api().id())
            .with_policy(policy)
            .with_key(key)
    }
}
