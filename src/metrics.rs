//! Metrics through the `metrics` facade. Their names and labels are listed in
//! [`guide::operations`](crate::guide::operations).

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;
use metrics::{Key, Label, Level, Metadata, counter, gauge, histogram, with_recorder};

use crate::access::Decision;
use crate::catalog::{Api, KeySlot, Product};

/// More labels than this, after many changes of the catalog, are forgotten.
const MAX_KEYS: usize = 4096;

/// The labels of a decision.
#[derive(Default, PartialEq, Eq, Hash)]
struct Labels<'a> {
    outcome: &'static str,
    reason: &'static str,
    api: Cow<'a, str>,
    product: Cow<'a, str>,
    slot: &'static str,
}

thread_local! {
    /// Making a key allocates, which a request must not.
    static KEYS: RefCell<HashMap<Labels<'static>, Key>> = RefCell::default();
}

pub(crate) fn decided(decision: &Decision) {
    let slot = |slot: Option<KeySlot>| slot.map_or("", |slot| slot.as_str());
    count(match decision {
        Decision::Allow(access) => Labels {
            outcome: "allowed",
            reason: "",
            api: access.api().id().into(),
            product: access.product().map_or("", Product::id).into(),
            slot: slot(access.key_slot()),
        },
        Decision::Unmatched => Labels {
            outcome: "unmatched",
            ..Labels::default()
        },
        Decision::Deny(denial) => Labels {
            outcome: "denied",
            reason: denial.reason().as_str(),
            api: denial.api().map_or("", Api::id).into(),
            slot: slot(denial.key_slot()),
            ..Labels::default()
        },
    });
}

/// A CORS preflight was let through.
pub(crate) fn preflight() {
    count(Labels {
        outcome: "preflight",
        ..Labels::default()
    });
}

fn count(labels: Labels<'_>) {
    static METADATA: Metadata<'static> =
        Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    let increment = |key: &Key| {
        with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(1));
    };
    // While a thread ends, it counts nothing.
    let _ = KEYS.try_with(|keys| {
        {
            let known: &HashMap<Labels<'_>, Key> = &keys.borrow();
            if let Some(key) = known.get(&labels) {
                return increment(key);
            }
        }
        let labels = Labels {
            api: labels.api.into_owned().into(),
            product: labels.product.into_owned().into(),
            ..labels
        };
        let key = Key::from_parts(
            "subscription_key_decisions_total",
            vec![
                Label::from_static_parts("outcome", labels.outcome),
                Label::from_static_parts("reason", labels.reason),
                Label::new("api", labels.api.clone()),
                Label::new("product", labels.product.clone()),
                Label::from_static_parts("slot", labels.slot),
            ],
        );
        increment(&key);
        let mut keys = keys.borrow_mut();
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        keys.insert(labels, key);
    });
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

/// A source pushed a change to a store.
#[allow(dead_code, reason = "only some features have such stores")]
pub(crate) fn pushed(store: &str) {
    counter!("subscription_key_pushes_total", "store" => store.to_owned()).increment(1);
}

/// When the catalog of a store was last known to be the current one.
#[allow(dead_code, reason = "only some features have such stores")]
pub(crate) fn confirmed(store: &str, at: SystemTime) {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let gauge = gauge!("subscription_key_confirmed_timestamp_seconds", "store" => store.to_owned());
    gauge.set(seconds.as_secs_f64());
}
