use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tracing::Span;

use crate::access::{Access, Admission, Decision, Denial, DenialReason, Owner, Question, answer};
use crate::catalog::KeyOwner;
use crate::catalog::{ApiIndex, Catalog, Found, Holder, KeySlot, Timestamp, claim};
use crate::key::{KeyDigest, Presented, strip, take};
use crate::layer::ConfigError;
use crate::layer::error::Exchanged;
use crate::layer::observe;
use crate::layer::settings::{Settings, is_preflight};
use crate::response::{Rejection, refuse};
use crate::store::{Cached, Holdings, SubscriptionStore};

/// A store and the settings by which requests are put to it: all that the
/// services of one layer share.
#[derive(Debug)]
pub(super) struct Gate<S> {
    store: Arc<S>,
    settings: Settings,
}

/// A body that waits beside its request.
///
/// What is done after a wait needs none. Done to requests of this type, it is
/// compiled once for all bodies, and apart from what is done before.
#[derive(Debug)]
pub(super) struct BodyElsewhere;

/// How often the key of one request is looked up, at most: a store that exchanges
/// its catalog all the time must not keep it for ever.
const MOST_LOOKUPS: u32 = 4;

/// What happens to a request next.
pub(super) enum Step {
    /// It goes on to the inner service, within that span.
    Pass(Span),
    /// It is answered.
    Refuse(Response<Bytes>),
    /// It waits for the store to find the owner of that key.
    Find(KeyDigest, Context),
}

/// What is known of a request before the owner of its key is.
pub(super) struct Context {
    catalog: Arc<Catalog>,
    api: Option<ApiIndex>,
    presented: Presented,
}

impl<S: SubscriptionStore> Gate<S> {
    /// Settings that cannot work are told at once, and then on every request.
    pub(super) fn new(store: Arc<S>, mut settings: Settings) -> Self {
        if let Err(error) = settings.check() {
            observe::misconfigured(&error);
            settings.error = Some(error);
        }
        Self { store, settings }
    }

    /// Asks the store, and waits for its answer.
    pub(super) async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, S::Error> {
        self.store.find(key).await
    }

    /// Takes the request as far as it gets without waiting.
    #[inline]
    pub(super) fn begin<B>(&self, request: &mut Request<B>) -> Step {
        if let Some(error) = &self.settings.error {
            return self.misconfigured(request, error);
        }
        let holdings = match self.store.holdings() {
            Ok(holdings) => holdings,
            Err(error) => return self.unavailable(request, &error),
        };
        let has_all_keys = matches!(holdings, Holdings::Everything(_));
        let context = match self.context(holdings, request) {
            Ok(context) => context,
            Err(error) => return self.misconfigured(request, &error),
        };
        if self.settings.pass_preflights && is_preflight(request) {
            return self.pass_unseen(request, &context);
        }
        let Presented::Key(digest) = &context.presented else {
            return self.settle_unowned(request, context);
        };
        if context.api.is_none() {
            return self.settle_unowned(request, context);
        }
        if has_all_keys {
            let Some(Found { claim, holder }) = context.catalog.find(digest) else {
                return self.settle_unowned(request, context);
            };
            let holder = Some((holder, claim.slot));
            let decision = self.decide(&context, Owner::Known(claim));
            return self.conclude(request, context, holder, decision, None);
        }
        match self.store.find_cached(digest) {
            // What is at hand may be about APIs that have come meanwhile.
            Cached::Hit(_) | Cached::Absent if !self.is_current(&context, 0) => {
                Step::Find(*digest, context)
            }
            Cached::Hit(owner) => self.settle(request, context, Some(owner)),
            Cached::Absent => self.settle_unowned(request, context),
            Cached::Miss => Step::Find(*digest, context),
        }
    }

    #[inline]
    fn context<B>(
        &self,
        holdings: Holdings,
        request: &mut Request<B>,
    ) -> Result<Context, ConfigError> {
        let catalog = self.settings.definitions(holdings)?;
        let api = self.settings.api(&catalog, request)?;
        let names = self
            .settings
            .names(api.map(|api| catalog.definitions().api(api)));
        let presented = take(&self.settings.sources, &names, request);
        Ok(Context {
            catalog,
            api,
            presented,
        })
    }

    /// Takes the request further, by what the store answered after a wait: the
    /// `lookups`-th for it.
    ///
    /// An answer counts for the APIs and products that the request met. Where the
    /// store has others by now, it may be about those, and the request is begun
    /// anew: it still has its key, and its headers are at most marked sensitive.
    pub(super) fn resume(
        &self,
        request: &mut Request<BodyElsewhere>,
        context: Context,
        answer: Result<Option<KeyOwner>, S::Error>,
        lookups: u32,
    ) -> Step {
        match answer {
            Ok(owner) if self.is_current(&context, lookups) => self.settle(request, context, owner),
            Ok(_) if lookups < MOST_LOOKUPS => self.begin(request),
            Ok(_) => self.unanswered(request, context, &Exchanged { lookups }),
            Err(error) => self.unanswered(request, context, &error),
        }
    }

    /// Whether the store still has the APIs and products that the request met.
    ///
    /// Equal ones may have come back after others were there in between. Where that
    /// were so in each of many lookups, the store rather builds them anew whenever
    /// it is asked.
    fn is_current(&self, context: &Context, lookups: u32) -> bool {
        let Ok(holdings) = self.store.holdings() else {
            return false;
        };
        let now = self.settings.definitions(holdings);
        now.is_ok_and(|now| {
            now.has_definitions_of(&context.catalog)
                || lookups == MOST_LOOKUPS && now.has_equal_definitions(&context.catalog)
        })
    }

    /// Decides without knowing whose the key is.
    fn unanswered<B>(
        &self,
        request: &mut Request<B>,
        context: Context,
        cause: &(dyn Error + 'static),
    ) -> Step {
        let decision = self.decide(&context, Owner::Unavailable);
        self.conclude(request, context, None, decision, Some(cause))
    }

    /// Decides by the owner that the store named.
    fn settle<B>(
        &self,
        request: &mut Request<B>,
        context: Context,
        owner: Option<KeyOwner>,
    ) -> Step {
        let Some(owner) = owner else {
            return self.settle_unowned(request, context);
        };
        let slot = owner.slot();
        let known = Owner::Known(claim(owner.subscription(), slot));
        let decision = self.decide(&context, known);
        let holder = Some((Holder::Shared(owner.into_subscription()), slot));
        self.conclude(request, context, holder, decision, None)
    }

    /// Decides where nobody owns the key, or there is none.
    #[inline(never)]
    fn settle_unowned<B>(&self, request: &mut Request<B>, context: Context) -> Step {
        let decision = self.decide(&context, Owner::Nobody);
        self.conclude(request, context, None, decision, None)
    }

    #[inline]
    fn decide(&self, context: &Context, owner: Owner<'_>) -> Decision {
        let question = Question {
            definitions: context.catalog.definitions(),
            api: context.api,
            presented: context.presented,
            owner,
            policy: self.settings.policy,
        };
        answer(&question, Timestamp::now)
    }

    #[inline(always)]
    fn conclude<B>(
        &self,
        request: &mut Request<B>,
        context: Context,
        holder: Option<(Holder, KeySlot)>,
        decision: Decision,
        cause: Option<&(dyn Error + 'static)>,
    ) -> Step {
        match decision {
            Decision::Admit(admission) => self.admit(request, context, holder, admission),
            Decision::Pass => self.pass_unseen(request, &context),
            Decision::Deny(reason) => self.deny(request, context, holder, reason, cause),
        }
    }

    #[inline]
    fn admit<B>(
        &self,
        request: &mut Request<B>,
        context: Context,
        holder: Option<(Holder, KeySlot)>,
        admission: Admission,
    ) -> Step {
        self.strip_key(request, &context);
        let holder = holder.map(|(holder, _)| holder);
        let access = Access::new(context.catalog, admission, holder);
        let span = observe::admitted(&access);
        request.extensions_mut().insert(access);
        Step::Pass(span)
    }

    /// Lets a request pass that nobody was asked about: it carries no access,
    /// not even one that an outer layer left.
    fn pass_unseen<B>(&self, request: &mut Request<B>, context: &Context) -> Step {
        self.strip_key(request, context);
        request.extensions_mut().remove::<Access>();
        Step::Pass(Span::none())
    }

    #[inline]
    fn strip_key<B>(&self, request: &mut Request<B>, context: &Context) {
        if !self.settings.strip {
            return;
        }
        let api = context
            .api
            .map(|api| context.catalog.definitions().api(api));
        let names = self.settings.names(api);
        strip(&self.settings.sources, &names, request);
    }

    /// Nothing can be decided, because the store does not know its APIs.
    #[cold]
    fn unavailable<B>(&self, request: &mut Request<B>, error: &S::Error) -> Step {
        let reason = DenialReason::StoreUnavailable;
        let denial = Denial::new(None, None, None, reason, false);
        observe::denied(&denial, Some(error));
        self.refuse(request, denial)
    }

    #[cold]
    fn misconfigured<B>(&self, request: &mut Request<B>, error: &ConfigError) -> Step {
        observe::misconfigured(error);
        let reason = DenialReason::Misconfigured;
        self.refuse(request, Denial::new(None, None, None, reason, false))
    }

    /// Out of the way of those who are let in.
    #[inline(never)]
    fn deny<B>(
        &self,
        request: &mut Request<B>,
        context: Context,
        holder: Option<(Holder, KeySlot)>,
        reason: DenialReason,
        cause: Option<&(dyn Error + 'static)>,
    ) -> Step {
        let denial = context.deny(holder, reason);
        observe::denied(&denial, cause);
        self.refuse(request, denial)
    }

    #[inline(always)]
    fn refuse<B>(&self, request: &mut Request<B>, denial: Denial) -> Step {
        let api = denial.api();
        let names = self.settings.names(api);
        let mut response = refuse(
            &self.settings.response,
            told(&denial),
            request,
            api.map(|api| api.path()),
            self.settings.key_place(&names),
        );
        if self.settings.denial_extension {
            response.extensions_mut().insert(denial);
        }
        Step::Refuse(response)
    }
}

impl Context {
    fn deny(self, holder: Option<(Holder, KeySlot)>, reason: DenialReason) -> Denial {
        let key_presented = self.presented.is_present();
        Denial::new(Some(self.catalog), self.api, holder, reason, key_presented)
    }
}

/// What the client is told of a denial.
fn told(denial: &Denial) -> Rejection {
    match denial.reason() {
        DenialReason::StoreUnavailable | DenialReason::Misconfigured => Rejection::Unavailable,
        _ if denial.key_presented() => Rejection::InvalidKey,
        _ => Rejection::MissingKey,
    }
}
