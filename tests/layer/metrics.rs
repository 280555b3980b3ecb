//! The counters of the feature `metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tower_subscription_key::{MemoryStore, SubscriptionKeyLayer, Unmatched};

use crate::preflights::preflight;
use crate::support::{KEY, Slow, catalog, get, keyed, layer, send, slow_layer};

/// Counters by their names and labels.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

struct Cell(Counts, String);

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }

    fn absolute(&self, value: u64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| label.value().to_owned());
        let labels: Vec<String> = labels.collect();
        let name = format!("{} {}", key.name(), labels.join("|"));
        Counter::from_arc(Arc::new(Cell(self.clone(), name)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Runs on a separate thread, so that the recorder sees only this work.
fn counted(work: impl Future<Output = ()>) -> BTreeMap<String, u64> {
    let counts = Counts::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    metrics::with_local_recorder(&counts, || runtime.block_on(work));
    counts.0.lock().unwrap().clone()
}

#[test]
fn decisions_are_counted_by_outcome_reason_api_product_and_slot() {
    let counts = counted(async {
        let layer = layer().unmatched(Unmatched::Pass).pass_preflights(true);
        for _ in 0..2 {
            send(&layer, keyed("/guarded", KEY)).await.access();
        }
        send(&layer, get("/given")).await.access();
        send(&layer, get("/guarded")).await.denied();
        send(&layer, keyed("/guarded", "wrong")).await.denied();
        send(&layer, get("/none")).await.passed();
        send(&layer, preflight("/guarded")).await;
    });
    let name = "subscription_key_decisions_total";
    let expected = [
        ("allowed||guarded|starter|primary", 2),
        ("allowed||given|gift|", 1),
        ("denied|missing|guarded||", 1),
        ("denied|unknown|guarded||", 1),
        ("unmatched||||", 1),
        ("preflight||||", 1),
    ];
    let expected = expected.map(|(labels, count)| (format!("{name} {labels}"), count));
    assert_eq!(counts, BTreeMap::from(expected));
}

#[test]
fn lookups_are_counted_by_result() {
    let counts = counted(async {
        let layer = slow_layer(&Slow::new());
        send(&layer, keyed("/guarded", KEY)).await.access();
        send(&layer, keyed("/guarded", "wrong")).await.denied();
        send(&slow_layer(&Slow::broken()), keyed("/guarded", KEY)).await;
        // No lookup is needed.
        let memory = SubscriptionKeyLayer::new(MemoryStore::new(catalog()));
        send(&memory, keyed("/guarded", KEY)).await.access();
        send(&layer, get("/guarded")).await.denied();
    });
    for (result, count) in [("found", 1), ("absent", 1), ("error", 1)] {
        let name = format!("subscription_key_lookups_total {result}");
        assert_eq!(counts.get(&name), Some(&count), "{result}");
    }
}
