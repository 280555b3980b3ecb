use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::answers::{
    Said, ask, fault, holdings_faults, lookup_cached, lookup_next_to_a_dropped_one,
};
use super::catalogs::{Expected, keys_of, strangers};
use super::{Promise, Violation};
use crate::catalog::Catalog;
use crate::key::KeyDigest;
use crate::store::SubscriptionStore;

/// How often a store is queried that should see a change.
const EVERY: Duration = Duration::from_millis(20);

/// A store with this many unanswered lookups hangs. The suite waits less for the
/// remaining ones.
const ENOUGH: u32 = 3;

/// A store under test, its catalog, and its violations.
pub(super) struct Checks<'a, S> {
    store: &'a S,
    patience: Duration,
    unanswered: AtomicU32,
    broken: &'a mut Vec<Violation>,
}

/// A catalog with its keys, and digests of unknown keys.
pub(super) struct Given {
    pub(super) catalog: Catalog,
    keys: Vec<Expected>,
    strangers: Vec<KeyDigest>,
}

impl Given {
    pub(super) fn new(catalog: Catalog) -> Self {
        let keys = keys_of(&catalog);
        let strangers = strangers(&keys);
        Self {
            catalog,
            keys,
            strangers,
        }
    }

    fn owner(&self, digest: &KeyDigest) -> Option<&Expected> {
        self.keys.iter().find(|key| key.digest == *digest)
    }

    /// All digests to look up, with their owners.
    fn questions(&self) -> impl Iterator<Item = (&KeyDigest, Option<&Expected>)> {
        let keys = self.keys.iter().map(|key| (&key.digest, Some(key)));
        keys.chain(self.strangers.iter().map(|digest| (digest, None)))
    }
}

impl<'a, S: SubscriptionStore> Checks<'a, S> {
    pub(super) fn new(store: &'a S, patience: Duration, broken: &'a mut Vec<Violation>) -> Self {
        Self {
            store,
            patience,
            unanswered: AtomicU32::new(0),
            broken,
        }
    }

    fn note(&mut self, promise: Promise, fault: Option<String>) {
        self.broken
            .extend(fault.map(|what| Violation::new(promise, what)));
    }

    async fn ask(&self, digest: &KeyDigest) -> Said {
        self.hear(ask(self.store, digest, self.patience()).await)
    }

    fn patience(&self) -> Duration {
        match self.unanswered.load(Ordering::Relaxed) {
            0..ENOUGH => self.patience,
            _ => self.patience / 100,
        }
    }

    fn hear(&self, said: Said) -> Said {
        if matches!(said, Said::Nothing) {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
        said
    }

    /// One lookup after the other, each with a `lookup_cached` before and after it.
    pub(super) async fn lookups(&mut self, given: &Given) {
        for (digest, expected) in given.questions() {
            self.lookup_cached(digest, expected);
            let said = self.ask(digest).await;
            let promise = match expected {
                Some(_) => Promise::Finds,
                None => Promise::Distinguishes,
            };
            self.note(promise, fault(expected, &said));
            self.lookup_cached(digest, expected);
        }
    }

    fn lookup_cached(&mut self, digest: &KeyDigest, expected: Option<&Expected>) {
        let fault = lookup_cached(self.store, digest).and_then(|said| fault(expected, &said));
        let fault = fault.map(|fault| format!("by `lookup_cached`, {fault}"));
        self.note(Promise::Peeks, fault);
    }

    pub(super) fn holdings(&mut self, given: &Given) {
        for fault in holdings_faults(self.store, &given.catalog, &given.keys, &given.strangers) {
            self.note(Promise::Holds, Some(fault));
        }
    }

    pub(super) async fn concurrent(&mut self, given: &Given) {
        let once: Vec<_> = given.questions().take(2 * given.keys.len()).collect();
        let questions = once.repeat(4);
        let lookups = questions.iter().map(|(digest, _)| self.ask(digest));
        let said = join_all(lookups).await;
        for ((_, expected), said) in questions.iter().zip(said) {
            self.note(Promise::Concurrent, fault(*expected, &said));
        }
    }

    pub(super) async fn dropped(&mut self, given: &Given) {
        for key in &given.keys {
            let patience = self.patience();
            let during = lookup_next_to_a_dropped_one(self.store, &key.digest, patience).await;
            let during = self.hear(during);
            let after = self.ask(&key.digest).await;
            for (when, said) in [("during", during), ("after", after)] {
                let fault = fault(Some(key), &said);
                let fault = fault.map(|fault| format!("{when} a dropped lookup, {fault}"));
                self.note(Promise::Dropped, fault);
            }
        }
    }

    /// Looks up every other key, so that the store knows some of the keys when an
    /// outage begins.
    pub(super) async fn ask_some(&mut self, given: &Given) {
        for key in given.keys.iter().step_by(2) {
            let said = self.ask(&key.digest).await;
            self.note(Promise::Finds, fault(Some(key), &said));
        }
    }

    /// While the source cannot be reached. Errors are expected.
    pub(super) async fn during_outage(&mut self, given: &Given) {
        for (digest, expected) in given.questions().take(2 * given.keys.len()) {
            let said = [
                lookup_cached(self.store, digest),
                Some(self.ask(digest).await),
            ];
            for said in said.into_iter().flatten() {
                if !matches!(said, Said::Failed(_)) {
                    self.note(Promise::Outage, fault(expected, &said));
                }
            }
        }
    }

    /// After an outage: errors may last a while, but a good key is never reported as unknown.
    pub(super) async fn recovers(&mut self, given: &Given) {
        let until = Instant::now() + self.patience;
        for (digest, expected) in given.questions().take(2 * given.keys.len()) {
            let may_pass = |said: &Said| matches!(said, Said::Failed(_) | Said::Nothing);
            let fault = self.settled(digest, expected, until, may_pass).await;
            self.note(Promise::Recovers, fault);
        }
    }

    /// Looks a key up until the answer is the expected one, or a wrong one that may
    /// not pass, or time is over. Returns what is wrong at the end.
    async fn settled(
        &self,
        digest: &KeyDigest,
        expected: Option<&Expected>,
        until: Instant,
        may_pass: impl Fn(&Said) -> bool,
    ) -> Option<String> {
        loop {
            let said = self.ask(digest).await;
            let fault = fault(expected, &said);
            if fault.is_none() || !may_pass(&said) || Instant::now() >= until {
                return fault;
            }
            sleep(EVERY).await;
        }
    }

    /// Looks up all keys from before and after a change, so that the store holds
    /// answers that become wrong.
    pub(super) async fn ask_all(&mut self, before: &Given, after: &Given) {
        for key in before.keys.iter().chain(&after.keys) {
            let said = self.ask(&key.digest).await;
            self.note(Promise::Finds, fault(before.owner(&key.digest), &said));
        }
    }

    /// After a change: every answer is from before it or from after it, and the store
    /// sees the change in time.
    pub(super) async fn changes(&mut self, before: &Given, after: &Given) {
        let until = Instant::now() + self.patience;
        for key in before.keys.iter().chain(&after.keys) {
            let digest = &key.digest;
            let (was, is) = (before.owner(digest), after.owner(digest));
            // An answer that was right before, or an error.
            let may_pass = |said: &Said| {
                matches!(said, Said::Failed(_) | Said::Nothing) || fault(was, said).is_none()
            };
            let fault = self.settled(digest, is, until, may_pass).await;
            let fault = fault.map(|fault| format!("after the change, {fault}"));
            self.note(Promise::Changes, fault);
        }
        self.changed_holdings(after, until).await;
    }

    async fn changed_holdings(&mut self, after: &Given, until: Instant) {
        loop {
            let faults = holdings_faults(self.store, &after.catalog, &after.keys, &after.strangers);
            if faults.is_empty() {
                return;
            }
            if Instant::now() >= until {
                for fault in faults {
                    let fault = format!("after the change, {fault}");
                    self.note(Promise::Changes, Some(fault));
                }
                return;
            }
            sleep(EVERY).await;
        }
    }
}
