//! Metrics through the `metrics` facade. Their names and labels are listed in
//! [`guide::operations`](crate::guide::operations).

use std::cell::RefCell;
use std::hash::Hash;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::{Equivalent, HashMap};
use metrics::{Key, Label, Level, Metadata, counter, gauge, histogram, with_recorder};

use crate::access::Decision;
use crate::catalog::{Api, KeySlot, Product};

const DECISIONS: &str = "subscription_key_decisions_total";

/// More labels than this, after many changes of the catalog, are forgotten.
const MAX_KEYS: usize = 4096;

/// The labels of a decision.
#[derive(PartialEq, Eq, Hash)]
struct Labels<T> {
    outcome: &'static str,
    reason: &'static str,
    api: T,
    product: T,
    slot: &'static str,
}

impl Equivalent<Labels<Box<str>>> for Labels<&str> {
    fn equivalent(&self, key: &Labels<Box<str>>) -> bool {
        self.outcome == key.outcome
            && self.reason == key.reason
            && self.api == &*key.api
            && self.product == &*key.product
            && self.slot == key.slot
    }
}

thread_local! {
    /// Making a key allocates, which a request must not.
    static KEYS: RefCell<HashMap<Labels<Box<str>>, Key>> = RefCell::default();
}

pub(crate) fn decided(decision: &Decision) {
    let slot = |slot: Option<KeySlot>| slot.map_or("", |slot| slot.as_str());
    count(match decision {
        Decision::Allow(access) => Labels {
            outcome: "allowed",
            reason: "",
            api: access.api().id(),
            product: access.product().map_or("", Product::id),
            slot: slot(access.key_slot()),
        },
        Decision::Unmatched => outcome("unmatched"),
        Decision::Deny(denial) => Labels {
            outcome: "denied",
            reason: denial.reason().as_str(),
            api: denial.api().map_or("", Api::id),
            product: "",
            slot: slot(denial.key_slot()),
        },
    });
}

/// A CORS preflight was let through.
pub(crate) fn preflight() {
    count(outcome("preflight"));
}

fn outcome(outcome: &'static str) -> Labels<&'static str> {
    Labels {
        outcome,
        reason: "",
        api: "",
        product: "",
        slot: "",
    }
}

fn count(labels: Labels<&str>) {
    static METADATA: Metadata<'static> =
        Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    let increment = |key: &Key| {
        with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(1));
    };
    // While a thread ends, it counts nothing.
    let _ = KEYS.try_with(|keys| {
        let mut keys = keys.borrow_mut();
        if let Some(key) = keys.get(&labels) {
            return increment(key);
        }
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        let key = labels.key();
        increment(&key);
        keys.insert(labels.into_owned(), key);
    });
}

impl Labels<&str> {
    fn key(&self) -> Key {
        let labels = vec![
            Label::from_static_parts("outcome", self.outcome),
            Label::from_static_parts("reason", self.reason),
            Label::new("api", self.api.to_owned()),
            Label::new("product", self.product.to_owned()),
            Label::from_static_parts("slot", self.slot),
        ];
        Key::from_parts(DECISIONS, labels)
    }

    fn into_owned(self) -> Labels<Box<str>> {
        Labels {
            outcome: self.outcome,
            reason: self.reason,
            api: self.api.into(),
            product: self.product.into(),
            slot: self.slot,
        }
    }
}

/// How a lookup ended.
pub(crate) enum LookupResult {
    Found,
    Absent,
    Error,
}

/// A store answered a lookup for which a request waited.
pub(crate) fn looked_up(result: LookupResult, took: Duration) {
    const NAME: &str = "subscription_key_lookups_total";
    // Labels that are literals cost no allocation.
    let counter = match result {
        LookupResult::Found => counter!(NAME, "result" => "found"),
        LookupResult::Absent => counter!(NAME, "result" => "absent"),
        LookupResult::Error => counter!(NAME, "result" => "error"),
    };
    counter.increment(1);
    histogram!("subscription_key_lookup_seconds").record(took);
}

/// A store that holds a whole catalog read its source, or failed to.
#[allow(dead_code, reason = "only some features have such stores")]
pub(crate) fn reloaded(store: &str, is_ok: bool) {
    let result = if is_ok { "ok" } else { "error" };
    let store = store.to_owned();
    counter!("subscription_key_reloads_total", "store" => store, "result" => result).increment(1);
}

/// When the catalog of a store was last known to be the current one.
#[allow(dead_code, reason = "only some features have such stores")]
pub(crate) fn confirmed(store: &str, at: SystemTime) {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let gauge = gauge!("subscription_key_confirmed_timestamp_seconds", "store" => store.to_owned());
    gauge.set(seconds.as_secs_f64());
}
