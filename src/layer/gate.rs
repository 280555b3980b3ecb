use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use tracing::Span;
use tracing::level_filters::LevelFilter;

use crate::access::{Access, Decision, Denial, DenialReason, Hint, Question, decide};
use crate::catalog::{Api, Catalog, Matched};
use crate::key::{KeyDigest, Presented};
use crate::layer::ConfigError;
use crate::layer::error::{ChangedTooOften, LookupError};
use crate::layer::request::RequestInfo;
use crate::layer::settings::Settings;
#[cfg(feature = "metrics")]
use crate::metrics::LookupResult;
use crate::observe::{self, Cause};
use crate::response::{Rejection, RejectionContext, render};
use crate::store::{Answer, Holdings, SubscriptionStore};

/// The store and the settings of a layer, shared by all its services. Reads the head of
/// a request and returns what to do with it: a [`Step`].
#[derive(Debug)]
pub(super) struct Gate<S> {
    pub(super) store: Arc<S>,
    pub(super) settings: Settings,
    /// The error in the settings. Every request is then denied.
    error: Option<ConfigError>,
}

/// The maximum number of lookups for one request. A lookup is repeated if the
/// definitions of the store change meanwhile.
pub(super) const MAX_LOOKUPS: u32 = 4;

/// What to do with a request next.
pub(super) enum Step {
    /// Call the inner service within the span.
    Pass(Span),
    /// Call the inner service with a CORS preflight, which a CORS layer there answers.
    /// If its response does not answer a preflight, send the rejection instead.
    PassPreflight(Response<Bytes>),
    /// Send the rejection.
    Reject(Response<Bytes>),
    /// Look up the digest in the store, then call [`Gate::resume`].
    Lookup(KeyDigest, Question),
}

impl<S: SubscriptionStore> Gate<S> {
    pub(super) fn new(store: Arc<S>, settings: Settings) -> Self {
        let error = settings.check().err();
        if let Some(error) = &error {
            observe::misconfigured(error);
        }
        Self {
            store,
            settings,
            error,
        }
    }

    /// Decides a request at once if the store has the answer in memory. Otherwise
    /// returns [`Step::Lookup`].
    pub(super) fn begin<B>(&self, request: &mut Request<B>) -> Step {
        if let Some(error) = &self.error {
            return self.misconfigured(request, error);
        }
        let holdings = match self.store.holdings() {
            Ok(holdings) => holdings,
            Err(error) => {
                let denial = Denial::undecided(DenialReason::StoreUnavailable);
                return self.finish(request, Decision::Deny(denial), Some(&error));
            }
        };
        let has_all_keys = matches!(holdings, Holdings::Everything(_));
        let mut question = match self.read(request, holdings) {
            Ok(question) => question,
            Err(error) => return self.misconfigured(request, &error),
        };
        if self.settings.pass_preflights && RequestInfo::new(request).is_preflight() {
            return self.preflight(request, question);
        }
        let Some(digest) = question.digest() else {
            return self.finish(request, decide(question), None);
        };
        if has_all_keys {
            question.owner = question.catalog.find(&digest);
            return self.finish(request, decide(question), None);
        }
        match self.store.lookup_cached(&digest) {
            Some(answer) if self.belongs_to(&answer, &question.catalog) => {
                question.set_owner(answer.into_owner());
                self.finish(request, decide(question), None)
            }
            _ => Step::Lookup(digest, question),
        }
    }

    pub(super) async fn lookup(&self, key: &KeyDigest) -> Result<Answer, LookupError<S::Error>> {
        #[cfg(feature = "metrics")]
        let started = std::time::Instant::now();
        let lookup = self.store.lookup(key);
        #[cfg(feature = "timeout")]
        let answer = match self.settings.lookup_timeout {
            None => lookup.await.map_err(LookupError::Store),
            Some(limit) => match tokio::time::timeout(limit, lookup).await {
                Ok(answer) => answer.map_err(LookupError::Store),
                Err(_) => Err(LookupError::TimedOut(limit)),
            },
        };
        #[cfg(not(feature = "timeout"))]
        let answer = lookup.await.map_err(LookupError::Store);
        #[cfg(feature = "metrics")]
        crate::metrics::looked_up(
            match &answer {
                Ok(answer) if answer.owner().is_some() => LookupResult::Found,
                Ok(_) => LookupResult::Absent,
                Err(_) => LookupResult::Error,
            },
            started.elapsed(),
        );
        answer
    }

    /// Continues a request with the answer to a lookup. `lookups` is the number of
    /// lookups so far.
    ///
    /// An answer is used only with the definitions that it belongs to. If the request
    /// was read with other definitions, it is read again.
    pub(super) fn resume<B>(
        &self,
        request: &mut Request<B>,
        mut question: Question,
        answer: Result<Answer, LookupError<S::Error>>,
        lookups: u32,
    ) -> Step {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return self.finish(request, question.deny_without_owner(), Some(&error));
            }
        };
        if self.belongs_to(&answer, &question.catalog) {
            question.set_owner(answer.into_owner());
            return self.finish(request, decide(question), None);
        }
        let (owner, definitions) = answer.into_parts();
        let Some(definitions) = definitions else {
            if lookups < MAX_LOOKUPS {
                return self.begin(request);
            }
            return self.changed_too_often(request, question, lookups);
        };
        let looked_up = question.presented;
        question = match self.read(request, Holdings::Definitions(definitions)) {
            Ok(question) => question,
            Err(error) => return self.misconfigured(request, &error),
        };
        match question.digest() {
            // The new definitions have other key names, and these give another key.
            Some(digest) if question.presented != looked_up => {
                if lookups < MAX_LOOKUPS {
                    return Step::Lookup(digest, question);
                }
                self.changed_too_often(request, question, lookups)
            }
            _ => {
                question.set_owner(owner);
                self.finish(request, decide(question), None)
            }
        }
    }

    /// Reads the API and the key of a request. The API comes first: it can have its
    /// own key names.
    fn read<B>(
        &self,
        request: &mut Request<B>,
        holdings: Holdings,
    ) -> Result<Question, ConfigError> {
        let catalog = self.settings.definitions(holdings)?;
        let matched = self.settings.api(&catalog, request)?;
        let api = matched.api().map(|api| catalog.definitions().api(api));
        let presented = self.settings.places(api).take(request);
        let mut question = Question::new(catalog, matched).with_policy(self.settings.policy);
        question.presented = presented;
        Ok(question)
    }

    /// Whether an answer belongs to the definitions of `catalog`.
    pub(super) fn belongs_to(&self, answer: &Answer, catalog: &Catalog) -> bool {
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

    fn changed_too_often<B>(
        &self,
        request: &mut Request<B>,
        question: Question,
        lookups: u32,
    ) -> Step {
        let cause = ChangedTooOften { lookups };
        self.finish(request, question.deny_without_owner(), Some(&cause))
    }

    fn misconfigured<B>(&self, request: &mut Request<B>, error: &ConfigError) -> Step {
        let denial = Denial::undecided(DenialReason::Misconfigured);
        self.finish(request, Decision::Deny(denial), Some(error))
    }

    /// Passes a preflight that would be denied because it has no key.
    fn preflight<B>(&self, request: &mut Request<B>, mut question: Question) -> Step {
        // Browsers send no key with a preflight. If there is one, it is ignored.
        question.presented = Presented::Missing;
        let is_ambiguous = question.api == Matched::Ambiguous;
        match decide(question) {
            Decision::Deny(denial) if !is_ambiguous => {
                observe::preflight(RequestInfo::new(request).path());
                let api = denial.api();
                let headers = &mut request.headers().clone();
                let rejection = self.reject(headers, request.uri(), &denial);
                self.let_through(request, api);
                Step::PassPreflight(rejection)
            }
            decision => self.finish(request, decision, None),
        }
    }

    /// Reports a decision and carries it out.
    fn finish<B>(
        &self,
        request: &mut Request<B>,
        mut decision: Decision,
        cause: Cause<'_>,
    ) -> Step {
        if let Decision::Deny(denial) = &mut decision {
            self.add_hint(request, denial);
        }
        let path = || RequestInfo::new(request).path();
        observe::decided(&decision, path, cause, self.settings.levels);
        match decision {
            Decision::Allow(access) => {
                self.store.record_use(&access);
                self.strip(request, Some(access.api()));
                let span = match self.settings.request_span {
                    true => observe::span(&access),
                    false => Span::none(),
                };
                request.extensions_mut().insert(access);
                Step::Pass(span)
            }
            Decision::Unmatched => {
                self.let_through(request, None);
                Step::Pass(Span::none())
            }
            Decision::Deny(denial) => {
                let uri = mem::take(request.uri_mut());
                let mut response = self.reject(request.headers_mut(), &uri, &denial);
                if self.settings.denial_extension {
                    response.extensions_mut().insert(denial);
                }
                Step::Reject(response)
            }
        }
    }

    fn strip<B>(&self, request: &mut Request<B>, api: Option<&Api>) {
        if self.settings.strip {
            self.settings.places(api).strip(request);
        }
    }

    /// Prepares a request that passes without an [`Access`]. Removes the one that an
    /// outer layer may have inserted.
    fn let_through<B>(&self, request: &mut Request<B>, api: Option<&Api>) {
        self.strip(request, api);
        request.extensions_mut().remove::<Access>();
        #[cfg(feature = "axum")]
        request.extensions_mut().insert(crate::access::LetThrough);
    }

    fn reject(&self, headers: &mut HeaderMap, uri: &Uri, denial: &Denial) -> Response<Bytes> {
        let api = denial.api();
        let places = self.settings.places(api);
        if api.is_none() {
            // `take` marks them, but is not called if the store or the settings fail.
            places.mark(headers);
        }
        render(RejectionContext {
            rejection: match denial.reason() {
                DenialReason::StoreUnavailable | DenialReason::Misconfigured => {
                    Rejection::Unavailable
                }
                _ if denial.key_presented() => Rejection::InvalidKey,
                _ => Rejection::MissingKey,
            },
            settings: &self.settings.response,
            headers,
            uri,
            api,
            key_place: places.preferred(),
        })
    }

    /// Adds a hint about the cause of a denial, if a log or an extension will show it.
    fn add_hint<B>(&self, request: &Request<B>, denial: &mut Denial) {
        // The denials with a hint concern no known subscription.
        let is_logged = self.settings.levels.unknown <= LevelFilter::current();
        if !is_logged && !self.settings.denial_extension {
            return;
        }
        denial.hint = match denial.reason() {
            DenialReason::MissingKey if request.extensions().get::<Access>().is_some() => {
                Some(Hint::OuterLayer)
            }
            DenialReason::UnknownKey | DenialReason::MalformedKey => {
                let name = self.settings.places(denial.api()).names.header.name();
                let mut values = request.headers().iter().filter(|(found, _)| *found == name);
                let has_comma = values.any(|(_, value)| value.as_bytes().contains(&b','));
                has_comma.then_some(Hint::Comma)
            }
            _ => None,
        };
    }
}
