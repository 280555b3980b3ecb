use crate::access::explain::{Facts, Step, text};
use crate::access::{Decision, DenialReason, InapplicableKey};
use crate::catalog::{Api, KeySlot};
use crate::key::{Presented, default_names};

/// The rules in the order in which they are asked, by the last one that a key
/// reaches.
fn passes(reason: Option<DenialReason>, rule: Rule) -> Option<bool> {
    let failed = match reason {
        None => return Some(true),
        Some(
            DenialReason::MissingKey
            | DenialReason::EmptyKey
            | DenialReason::AmbiguousKey
            | DenialReason::MalformedKey,
        ) => Rule::Key,
        Some(DenialReason::UnknownKey) => Rule::Subscription,
        Some(DenialReason::Inactive(_)) => Rule::State,
        Some(
            DenialReason::NotYetValid
            | DenialReason::SubscriptionExpired
            | DenialReason::KeyExpired,
        ) => Rule::Validity,
        Some(DenialReason::OutOfScope) => Rule::Scope,
        // Nothing was asked about the key.
        Some(_) => return None,
    };
    match rule.cmp(&failed) {
        std::cmp::Ordering::Less => Some(true),
        std::cmp::Ordering::Equal => Some(false),
        std::cmp::Ordering::Greater => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    Key,
    Subscription,
    State,
    Validity,
    Scope,
}

impl Rule {
    const ALL: [Self; 5] = [
        Self::Key,
        Self::Subscription,
        Self::State,
        Self::Validity,
        Self::Scope,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Subscription => "subscription",
            Self::State => "state",
            Self::Validity => "validity",
            Self::Scope => "scope",
        }
    }
}

impl Facts<'_> {
    pub(super) fn steps(&self, decision: &Decision) -> Vec<Step> {
        let mut steps = vec![self.api_step()];
        if matches!(decision, Decision::Unmatched) {
            let text = "the layer lets a path of no API pass, without looking at its key";
            steps.push(step("unmatched", true, text.to_owned()));
            return steps;
        }
        if self.api.is_none() {
            return steps;
        }
        // A key is asked for even where none is needed.
        let reason = match (decision, self.reason) {
            (Decision::Allow(access), None) if access.subscription().is_none() => {
                Some(self.no_key())
            }
            (_, reason) => reason,
        };
        for rule in Rule::ALL {
            if let Some(holds) = passes(reason, rule) {
                steps.push(step(rule.as_str(), holds, self.key_text(rule, reason)));
            }
        }
        if reason.is_none() {
            return steps;
        }
        let policy = self.case.policy.inapplicable_key;
        if self.case.presented.is_present() && policy == InapplicableKey::Deny {
            let text = "the layer denies a key that opens nothing, also if none is needed";
            steps.push(step("inapplicable_key", false, text.to_owned()));
            return steps;
        }
        self.anonymous_steps(&mut steps);
        steps
    }

    fn no_key(&self) -> DenialReason {
        match self.case.presented {
            Presented::Empty => DenialReason::EmptyKey,
            _ => DenialReason::MissingKey,
        }
    }

    fn anonymous_steps(&self, steps: &mut Vec<Step>) {
        let Some(api) = self.api else { return };
        let open = self
            .products()
            .into_iter()
            .find(|product| product.is_open());
        let text = match open {
            Some(product) => format!("the open product {:?} contains it", product.id()),
            None => "no open product contains it".to_owned(),
        };
        steps.push(step("open_product", open.is_some(), text));
        if open.is_none() {
            let is_free = !api.subscription_required();
            let needs = if is_free { "requires no" } else { "requires a" };
            let text = format!("API {:?} {needs} subscription", api.id());
            steps.push(step("subscription_required", is_free, text));
        }
    }

    fn api_step(&self) -> Step {
        let Some(path) = self.case.path else {
            return match self.api {
                Some(api) => step(
                    "api",
                    true,
                    format!("the request is for API {:?}", api.id()),
                ),
                None => step("api", false, "the request is for no API".to_owned()),
            };
        };
        if self.reason == Some(DenialReason::AmbiguousPath) {
            let text =
                format!("{path:?} belongs to another API, or to none, once it is cleaned up");
            return step("path", false, text);
        }
        match self.api {
            Some(api) => {
                let mut text = format!("{path:?} belongs to API {:?}", api.id());
                match api.path() {
                    "" => text.push_str(", which takes every path that no other takes"),
                    prefix => text.push_str(&format!(" by its prefix {prefix:?}")),
                }
                if let Some(missed) = self
                    .missed(path)
                    .filter(|missed| missed.path().len() > api.path().len())
                {
                    let (prefix, id) = (missed.path(), missed.id());
                    text.push_str(&format!("; it misses the prefix {prefix:?} of API {id:?}"));
                }
                step("path", true, text)
            }
            None => {
                let missed = self.missed(path).map_or_else(String::new, |missed| {
                    format!(
                        ": the closest is {:?} of API {:?}",
                        missed.path(),
                        missed.id()
                    )
                });
                step("path", false, format!("{path:?} belongs to no API{missed}"))
            }
        }
    }

    /// The API with the prefix most similar to the start of the path.
    fn missed(&self, path: &str) -> Option<&Api> {
        self.case.catalog.definitions().nearest_path(path)
    }

    fn key_text(&self, rule: Rule, reason: Option<DenialReason>) -> String {
        match rule {
            Rule::Key => self.presented_text(),
            Rule::Subscription => match self.owner {
                Some(owner) => {
                    let id = owner.subscription().id();
                    let replaced = if owner.is_retired() { "replaced " } else { "" };
                    format!(
                        "it is the {replaced}{} key of subscription {id:?}",
                        owner.slot()
                    )
                }
                None => "no subscription has this key".to_owned(),
            },
            Rule::State => {
                let state = self.owner.map(|owner| owner.subscription().state());
                format!("the subscription is {}", state.unwrap_or_default())
            }
            Rule::Validity => self.validity_text(reason),
            Rule::Scope => self.scope_text(reason.is_none()),
        }
    }

    /// Where the key is looked for, by the names that hold for the API.
    pub(super) fn places(&self) -> String {
        let names = default_names();
        let header = self
            .api
            .and_then(|api| api.key_header())
            .unwrap_or(names.header);
        let query = self
            .api
            .and_then(|api| api.key_query())
            .unwrap_or(names.query);
        format!(
            "header `{}` or query parameter `{}`",
            header.spelling(),
            query.name()
        )
    }

    fn presented_text(&self) -> String {
        let places = self.places();
        match self.case.presented {
            Presented::Missing => format!("the request has no key in {places}"),
            Presented::Empty => format!("the key in {places} is empty"),
            Presented::Ambiguous => format!("the request has more than one key in {places}"),
            Presented::Malformed => "the key is longer than 256 bytes".to_owned(),
            Presented::Key(_) => format!("the request has a key, to be sent in {places}"),
        }
    }

    fn validity_text(&self, reason: Option<DenialReason>) -> String {
        let Some(owner) = self.owner else {
            return String::new();
        };
        let subscription = owner.subscription();
        match reason {
            Some(DenialReason::NotYetValid) => {
                format!(
                    "the subscription begins at {}",
                    text::time(subscription.not_before())
                )
            }
            Some(DenialReason::SubscriptionExpired) => {
                format!(
                    "the subscription ended at {}",
                    text::time(subscription.expires_at())
                )
            }
            Some(DenialReason::KeyExpired) => {
                let key = self.key_end();
                let replaced = if owner.is_retired() { "replaced " } else { "" };
                format!(
                    "the {replaced}{} key ended at {}",
                    owner.slot(),
                    text::time(key)
                )
            }
            _ => "the subscription and the key are valid now".to_owned(),
        }
    }

    fn key_end(&self) -> Option<std::time::SystemTime> {
        let owner = self.owner?;
        let (subscription, slot) = (owner.subscription(), owner.slot());
        let key = match owner.is_retired() {
            true => subscription.retired_key(slot),
            false => subscription.key(slot),
        };
        key?.expires_at()
    }

    fn scope_text(&self, holds: bool) -> String {
        let (Some(owner), Some(api)) = (self.owner, self.api) else {
            return String::new();
        };
        let scopes = owner
            .subscription()
            .scopes()
            .iter()
            .map(ToString::to_string);
        let scopes = scopes.collect::<Vec<_>>().join(", ");
        if holds {
            return format!("{scopes} contains API {:?}", api.id());
        }
        let products = self.products();
        let products: Vec<&str> = products.iter().map(|product| product.id()).collect();
        let inside = match products.as_slice() {
            [] => "is in no product".to_owned(),
            products => format!("is in {}", products.join(", ")),
        };
        format!("it opens {scopes}, and API {:?} {inside}", api.id())
    }

    /// The other slot, if it has a key that works.
    pub(super) fn other_slot(&self) -> Option<KeySlot> {
        let owner = self.owner?;
        let other = match owner.slot() {
            KeySlot::Primary => KeySlot::Secondary,
            KeySlot::Secondary => KeySlot::Primary,
        };
        let key = owner.subscription().key(other)?;
        let has_ended = key
            .expires_at()
            .is_some_and(|end| crate::catalog::Timestamp::from(end) <= self.case.time);
        (!has_ended).then_some(other)
    }
}

fn step(rule: &'static str, holds: bool, text: String) -> Step {
    Step { rule, holds, text }
}
