//! The way to a decision, for the operator.
//!
//! [`explain`] asks [`decide`] and describes what it answered: which API was
//! chosen, which subscription owns the key, each rule on the way, and the changes that would let
//! the request in. It repeats no rule. What would stop the request next, once the
//! first obstacle is gone, is another question to `decide`.

mod command;
mod cures;
mod steps;
mod text;

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::access::{
    Access, Decision, Denial, DenialReason, InapplicableKey, Policy, Question, decide,
};
use crate::catalog::{Api, Catalog, KeyOwner, KeySlot, Matched, Owner, Product, State, Timestamp};
use crate::key::Presented;

pub use command::command_line;

/// How a request is decided, step by step, and what would let it in.
///
/// `Display` writes it for people, on several lines; serialized, it is what
/// `subscription-key explain --json` prints. It never holds a key, and is not
/// meant for clients.
///
/// ```
/// use std::sync::Arc;
/// use tower_subscription_key::access::{Question, explain};
/// use tower_subscription_key::catalog::{Api, Catalog};
///
/// let catalog = Arc::new(Catalog::builder().api(Api::new("echo", "/echo")).build()?);
/// let path = "/ecko/1";
/// let explanation = explain(Question::for_path(catalog, path), Some(path));
/// assert!(!explanation.lets_in());
/// assert!(explanation.to_string().contains("the closest is \"/echo\""));
/// # Ok::<(), tower_subscription_key::catalog::CatalogError>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "rest", derive(utoipa::ToSchema))]
pub struct Explanation {
    outcome: Outcome,
    #[serde(rename = "told")]
    message: Option<&'static str>,
    #[serde(serialize_with = "reason_word")]
    #[cfg_attr(feature = "rest", schema(value_type = Option<String>))]
    reason: Option<DenialReason>,
    api: Option<String>,
    product: Option<String>,
    subscription: Option<String>,
    #[serde(serialize_with = "slot_word")]
    #[cfg_attr(feature = "rest", schema(value_type = Option<String>))]
    slot: Option<KeySlot>,
    scope: Option<String>,
    steps: Vec<Step>,
    cures: Vec<Cure>,
    #[serde(skip)]
    summary: String,
    #[serde(skip)]
    second: Option<String>,
}

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rest", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Access,
    Denied,
    Unmatched,
}

/// One rule on the way to a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rest", derive(utoipa::ToSchema))]
pub struct Step {
    rule: &'static str,
    holds: bool,
    text: String,
}

impl Step {
    /// The rule, as a word.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.rule
    }

    /// Whether the request passes the rule.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// What was found, for people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// One change that removes the obstacle. Several of them are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rest", derive(utoipa::ToSchema))]
pub struct Cure {
    text: String,
    #[serde(rename = "command")]
    line: Option<String>,
    #[serde(skip)]
    command: Option<Vec<String>>,
}

impl Cure {
    /// The change, for people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A whole `sh` line that makes the change with the command-line tool.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.line.as_deref()
    }
}

fn reason_word<S: Serializer>(
    reason: &Option<DenialReason>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    reason.map(DenialReason::as_str).serialize(serializer)
}

fn slot_word<S: Serializer>(slot: &Option<KeySlot>, serializer: S) -> Result<S::Ok, S::Error> {
    slot.map(KeySlot::as_str).serialize(serializer)
}

impl Explanation {
    /// Whether the request gets in, with or without an [`Access`].
    #[must_use]
    pub fn lets_in(&self) -> bool {
        self.outcome != Outcome::Denied
    }

    /// The reason of the denial, or for which a presented key was ignored.
    #[must_use]
    pub fn reason(&self) -> Option<DenialReason> {
        self.reason
    }

    /// The rules on the way, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The changes that remove the obstacle named by [`reason`](Self::reason).
    #[must_use]
    pub fn cures(&self) -> &[Cure] {
        &self.cures
    }

    /// The decision in one line.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Puts flags behind the name of the tool in every command, like `--catalog`
    /// and the path of a file.
    #[must_use]
    pub fn with_flags(mut self, flags: &[String]) -> Self {
        for cure in &mut self.cures {
            let words = cure.command.as_ref().map(|command| {
                let name = ["subscription-key".to_owned()];
                let words = name.iter().chain(flags).chain(command);
                command_line(words)
            });
            cure.line = words;
        }
        self
    }
}

/// Explains how [`decide`] decides a question. `path` is the path that the
/// question is about, unless it is about an API.
///
/// The owner of the key is looked up in the question's catalog.
#[must_use]
pub fn explain(question: Question, path: Option<&str>) -> Explanation {
    let case = Case {
        time: question.time.unwrap_or_else(Timestamp::now),
        path,
        catalog: question.catalog,
        api: question.api,
        presented: question.presented,
        policy: question.policy,
    };
    case.explain()
}

/// A question that is asked more than once.
struct Case<'p> {
    catalog: Arc<Catalog>,
    path: Option<&'p str>,
    api: Matched,
    presented: Presented,
    policy: Policy,
    time: Timestamp,
}

impl Case<'_> {
    fn question(&self, policy: Policy) -> Question {
        let mut question = Question::new(Arc::clone(&self.catalog), self.api);
        question.time = Some(self.time);
        question.with_policy(policy).with_key(self.presented)
    }

    fn explain(&self) -> Explanation {
        let decision = decide(self.question(self.policy));
        // A path that passes unmatched: its key is not looked at.
        let owner = match (&decision, self.presented) {
            (Decision::Unmatched, _) => None,
            (_, Presented::Key(digest)) => self.catalog.owner(&digest),
            _ => None,
        };
        let obstacle = match &decision {
            Decision::Allow(access) if access.subscription().is_none() => self.ignored_key(),
            Decision::Deny(denial) => Some(denial.clone()),
            _ => None,
        };
        let reason = obstacle.as_ref().map(Denial::reason);
        let facts = Facts {
            case: self,
            owner: owner.as_ref(),
            reason,
            api: self
                .api
                .api()
                .map(|api| self.catalog.definitions().api(api)),
        };
        let second = reason.and_then(|reason| self.second_obstacle(reason, owner.as_ref()));
        let mut explanation = Explanation {
            outcome: Outcome::Denied,
            message: None,
            reason,
            api: facts.api.map(|api| api.id().to_owned()),
            product: None,
            subscription: owner
                .as_ref()
                .map(|owner| owner.subscription().id().to_owned()),
            slot: owner.as_ref().map(KeyOwner::slot),
            scope: None,
            steps: facts.steps(&decision),
            cures: facts.cures(),
            summary: text::summary(&decision, obstacle.as_ref()),
            second: second.map(|denial| denial.to_string()),
        };
        match &decision {
            Decision::Allow(access) => explanation.allow(access),
            Decision::Unmatched => explanation.outcome = Outcome::Unmatched,
            Decision::Deny(denial) => {
                let presented = denial.key_presented();
                explanation.message = Some(if presented { "invalid" } else { "missing" });
            }
        }
        explanation.with_flags(&[])
    }

    /// Why a presented key was ignored, if one was: what the request would be
    /// denied for if wrong keys were.
    fn ignored_key(&self) -> Option<Denial> {
        if !self.presented.is_present() {
            return None;
        }
        self.denied_by_key(None)
    }

    /// The denial if the policy were to deny wrong keys, for the key's owner or another.
    fn denied_by_key(&self, other: Option<KeyOwner>) -> Option<Denial> {
        let mut policy = self.policy;
        policy.inapplicable_key = InapplicableKey::Deny;
        let mut question = self.question(policy);
        question.owner = other.map(Owner::Shared).or(question.owner);
        match decide(question) {
            Decision::Deny(denial) => Some(denial),
            _ => None,
        }
    }

    /// What stops the key once the first obstacle is gone.
    fn second_obstacle(&self, reason: DenialReason, owner: Option<&KeyOwner>) -> Option<Denial> {
        self.api.api()?;
        let owner = owner?;
        let slot = owner.slot();
        let mut subscription = owner.subscription().clone();
        match reason {
            DenialReason::Inactive(_) => subscription.state = State::Active,
            DenialReason::NotYetValid => subscription.not_before = None,
            DenialReason::SubscriptionExpired => subscription.expires_at = None,
            DenialReason::KeyExpired => match slot {
                KeySlot::Primary => subscription.primary_key = None,
                KeySlot::Secondary => subscription.secondary_key = None,
            },
            _ => return None,
        }
        let owner = match (reason, self.presented) {
            (DenialReason::KeyExpired, _) => KeyOwner::new(subscription, slot),
            (_, Presented::Key(digest)) => KeyOwner::of_key(subscription, &digest)?,
            _ => return None,
        };
        self.denied_by_key(Some(owner))
    }
}

impl Explanation {
    fn allow(&mut self, access: &Access) {
        self.outcome = Outcome::Access;
        self.product = access.product().map(|product| product.id().to_owned());
        self.subscription = access.subscription().map(|s| s.id().to_owned());
        self.slot = access.key_slot();
        self.scope = access.scope().map(|scope| scope.to_string());
    }
}

/// What is known about a decision, to describe it.
struct Facts<'a> {
    case: &'a Case<'a>,
    owner: Option<&'a KeyOwner>,
    reason: Option<DenialReason>,
    api: Option<&'a Api>,
}

impl Facts<'_> {
    /// The products that contain the API.
    fn products(&self) -> Vec<&Product> {
        let definitions = self.case.catalog.definitions();
        let api = self.case.api.api();
        let products = |api| definitions.products_with(api);
        api.into_iter().flat_map(products).collect()
    }
}
