use std::error::Error;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tracing::Span;

use crate::access::{Access, Decision, Denial, DenialReason, Owner, Question, decide};
use crate::catalog::{Api, Catalog};
use crate::key::{KeyDigest, Presented, strip, take};
use crate::layer::ConfigError;
use crate::layer::error::Exchanged;
use crate::layer::observe;
use crate::layer::settings::{Settings, is_preflight};
use crate::response::{Rejection, refuse};
use crate::store::{Answer, Holdings, SubscriptionStore};

/// A store and the settings of a layer: what all its services share.
#[derive(Debug)]
pub(super) struct Gate<S> {
    store: Arc<S>,
    settings: Settings,
}

/// How often the key of one request is looked up at most, if the store changes its
/// definitions during each lookup.
const MAX_LOOKUPS: u32 = 4;

/// What happens to a request next.
pub(super) enum Step {
    /// It goes on to the inner service, within the span.
    Pass(Span),
    /// It is answered.
    Reject(Response<Bytes>),
    /// The store has to look up the digest first.
    Lookup(KeyDigest, Question),
}

impl<S: SubscriptionStore> Gate<S> {
    /// Settings that cannot work are reported at once, and then on every request.
    pub(super) fn new(store: Arc<S>, mut settings: Settings) -> Self {
        if let Err(error) = settings.check() {
            observe::misconfigured(&error);
            settings.error = Some(error);
        }
        Self { store, settings }
    }

    pub(super) async fn lookup(&self, key: &KeyDigest) -> Result<Answer, S::Error> {
        self.store.lookup(key).await
    }

    /// Takes a request as far as possible without waiting.
    pub(super) fn begin(&self, head: &mut Parts) -> Step {
        if let Some(error) = &self.settings.error {
            return self.misconfigured(head, error);
        }
        let holdings = match self.store.holdings() {
            Ok(holdings) => holdings,
            Err(error) => return self.unavailable(head, &error),
        };
        let has_all_keys = matches!(holdings, Holdings::Everything(_));
        let mut question = match self.read(head, holdings) {
            Ok(question) => question,
            Err(error) => return self.misconfigured(head, &error),
        };
        if self.settings.pass_preflights && is_preflight(head) {
            let api = question
                .api
                .map(|api| question.catalog.definitions().api(api));
            return self.pass(head, api);
        }
        if has_all_keys {
            question.owner = Owner::InCatalog;
            return self.decide(head, question, None);
        }
        let Some(digest) = to_look_up(&question) else {
            return self.decide(head, question, None);
        };
        match self.store.lookup_cached(&digest) {
            Some(answer) if self.belongs_to(&answer, &question.catalog) => {
                question.owner = answer.into_owner().into();
                self.decide(head, question, None)
            }
            _ => Step::Lookup(digest, question),
        }
    }

    /// Takes a request further after its `lookups`-th lookup.
    ///
    /// An answer counts only together with the definitions that it belongs to. If
    /// these are not those on which the request was read, the request is read again.
    pub(super) fn resume(
        &self,
        head: &mut Parts,
        mut question: Question,
        answer: Result<Answer, S::Error>,
        lookups: u32,
    ) -> Step {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                question.owner = Owner::Unavailable;
                return self.decide(head, question, Some(&error));
            }
        };
        if self.belongs_to(&answer, &question.catalog) {
            question.owner = answer.into_owner().into();
            return self.decide(head, question, None);
        }
        let (owner, definitions) = answer.into_parts();
        if let Some(definitions) = definitions {
            let looked_up = mem::replace(&mut question.presented, Presented::Missing);
            question = match self.read(head, Holdings::Definitions(definitions)) {
                Ok(question) => question,
                Err(error) => return self.misconfigured(head, &error),
            };
            match to_look_up(&question) {
                Some(digest) if question.presented != looked_up => {
                    if lookups < MAX_LOOKUPS {
                        return Step::Lookup(digest, question);
                    }
                }
                _ => {
                    question.owner = owner.into();
                    return self.decide(head, question, None);
                }
            }
        } else if lookups < MAX_LOOKUPS {
            return self.begin(head);
        }
        question.owner = Owner::Unavailable;
        self.decide(head, question, Some(&Exchanged { lookups }))
    }

    /// Reads what a request asks for, on the definitions that apply to it.
    fn read(&self, head: &mut Parts, holdings: Holdings) -> Result<Question, ConfigError> {
        let catalog = self.settings.definitions(holdings)?;
        let api = self.settings.api(&catalog, head)?;
        let names = self
            .settings
            .names(api.map(|api| catalog.definitions().api(api)));
        let presented = take(&self.settings.sources, &names, head);
        Ok(Question {
            catalog,
            api,
            presented,
            owner: Owner::None,
            policy: self.settings.policy,
            time: None,
        })
    }

    /// Whether an answer belongs to the definitions of `catalog`.
    fn belongs_to(&self, answer: &Answer, catalog: &Catalog) -> bool {
        if let Some(definitions) = answer.definitions() {
            return definitions.has_definitions_of(catalog);
        }
        if self.settings.catalog.is_some() {
            // The layer's own definitions never change.
            return true;
        }
        let now = self.store.holdings();
        let now = now.map(|holdings| self.settings.definitions(holdings));
        matches!(now, Ok(Ok(now)) if now.has_definitions_of(catalog))
    }

    /// Decides, reports the decision, and carries it out.
    fn decide(
        &self,
        head: &mut Parts,
        question: Question,
        cause: Option<&(dyn Error + 'static)>,
    ) -> Step {
        match decide(question) {
            Decision::Allow(access) => {
                self.strip(head, Some(access.api()));
                let span = observe::admitted(&access);
                head.extensions.insert(access);
                Step::Pass(span)
            }
            Decision::Unmatched => self.pass(head, None),
            Decision::Deny(denial) => self.deny(head, denial, cause),
        }
    }

    /// Lets a request through without an access, also without one of an outer layer.
    fn pass(&self, head: &mut Parts, api: Option<&Api>) -> Step {
        self.strip(head, api);
        head.extensions.remove::<Access>();
        Step::Pass(Span::none())
    }

    fn strip(&self, head: &mut Parts, api: Option<&Api>) {
        if self.settings.strip {
            strip(&self.settings.sources, &self.settings.names(api), head);
        }
    }

    /// The store does not know its APIs.
    fn unavailable(&self, head: &mut Parts, error: &S::Error) -> Step {
        let denial = Denial::undecided(DenialReason::StoreUnavailable);
        self.deny(head, denial, Some(error))
    }

    fn misconfigured(&self, head: &mut Parts, error: &ConfigError) -> Step {
        let denial = Denial::undecided(DenialReason::Misconfigured);
        self.deny(head, denial, Some(error))
    }

    fn deny(
        &self,
        head: &mut Parts,
        denial: Denial,
        cause: Option<&(dyn Error + 'static)>,
    ) -> Step {
        observe::denied(&denial, cause);
        let api = denial.api();
        let names = self.settings.names(api);
        let mut response = refuse(
            &self.settings.response,
            rejection(&denial),
            head,
            api.map(Api::path),
            self.settings.key_place(&names),
        );
        if self.settings.denial_extension {
            response.extensions_mut().insert(denial);
        }
        Step::Reject(response)
    }
}

/// The digest that the decision depends on, if it does.
fn to_look_up(question: &Question) -> Option<KeyDigest> {
    match (question.api, question.presented) {
        (Some(_), Presented::Key(digest)) => Some(digest),
        _ => None,
    }
}

/// What the client learns of a denial.
fn rejection(denial: &Denial) -> Rejection {
    match denial.reason() {
        DenialReason::StoreUnavailable | DenialReason::Misconfigured => Rejection::Unavailable,
        _ if denial.key_presented() => Rejection::InvalidKey,
        _ => Rejection::MissingKey,
    }
}
