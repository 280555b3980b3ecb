use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::catalog::KeyOwner;
use crate::catalog::{Catalog, KeySlot, State};
use crate::key::KeyDigest;
use crate::store::conformance::{Ability, Harness, Trouble};
use crate::store::{Answer, SubscriptionStore};

/// The store of the trait's documentation, with both slots.
#[derive(Clone, Default)]
pub(super) struct Partners(Arc<Mutex<HashMap<KeyDigest, KeyOwner>>>);

impl Partners {
    pub(super) fn holding(catalog: &Catalog) -> Self {
        let partners = Self::default();
        partners.hold(catalog);
        partners
    }

    pub(super) fn hold(&self, catalog: &Catalog) {
        let mut keys = HashMap::new();
        for subscription in catalog.subscriptions().map(Arc::new) {
            for (slot, key) in subscription.keys() {
                let owner = KeyOwner::new(Arc::clone(&subscription), slot);
                keys.insert(*key.digest(), owner);
            }
        }
        *self.0.lock().unwrap() = keys;
    }

    fn get(&self, key: &KeyDigest) -> Option<KeyOwner> {
        self.0.lock().unwrap().get(key).cloned()
    }
}

impl SubscriptionStore for Partners {
    type Error = Infallible;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Infallible> {
        Ok(self.get(key))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unreachable")]
pub(super) struct Unreachable;

/// Partners at a remote server that can be cut off, asked in a way that may be wrong.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) partners: Partners,
    cut: Arc<AtomicBool>,
    flaw: Flaw,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Takes an outage for an absence.
    ErrorIsAbsence,
    /// Compares half of a digest.
    HalfDigest,
    /// Hides what is not active.
    ActiveOnly,
    /// Names the first slot always.
    FirstSlot,
    /// Breaks after a lookup that was dropped.
    Poisoned,
    /// Peeks without looking.
    PeeksAbsent,
    /// Remembers what it first saw, for ever.
    NeverForgets,
    /// Never answers.
    Hangs,
}

impl Remote {
    fn answer(&self, key: &KeyDigest) -> Option<KeyOwner> {
        let owner = match self.flaw {
            Flaw::HalfDigest => {
                let keys = self.partners.0.lock().unwrap();
                let same = |other: &&KeyDigest| other.as_bytes()[..16] == key.as_bytes()[..16];
                keys.keys()
                    .find(same)
                    .and_then(|key| keys.get(key))
                    .cloned()
            }
            _ => self.partners.get(key),
        }?;
        let active = owner.subscription().state() == State::Active;
        match self.flaw {
            Flaw::ActiveOnly if !active => None,
            Flaw::FirstSlot => Some(KeyOwner::new(
                owner.subscription().clone(),
                KeySlot::Primary,
            )),
            _ => Some(owner),
        }
    }
}

/// Counts up when it is dropped before its end.
struct Unfinished<'a>(&'a AtomicUsize, bool);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl SubscriptionStore for Remote {
    type Error = Unreachable;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Unreachable> {
        let mut unfinished = Unfinished(&self.asked, false);
        tokio::time::sleep(Duration::from_millis(1)).await;
        unfinished.1 = true;
        let poisoned = self.flaw == Flaw::Poisoned && self.asked.load(Ordering::SeqCst) > 0;
        if poisoned || self.flaw == Flaw::Hangs {
            std::future::pending::<()>().await;
        }
        match (self.cut.load(Ordering::SeqCst), self.flaw) {
            (true, Flaw::ErrorIsAbsence) => Ok(None),
            (true, _) => Err(Unreachable),
            (false, _) => Ok(self.answer(key)),
        }
    }

    fn lookup_cached(&self, _: &KeyDigest) -> Option<Answer> {
        (self.flaw == Flaw::PeeksAbsent).then(|| Answer::new(None))
    }
}

/// Harnesses with a scripted remote server.
#[derive(Clone)]
pub(super) struct Ends(pub(super) Flaw);

impl Ends {
    pub(super) fn remote(&self, catalog: &Catalog) -> Remote {
        Remote {
            partners: Partners::holding(catalog),
            cut: Arc::default(),
            flaw: self.0,
            asked: Arc::default(),
        }
    }
}

impl Harness for Ends {
    type Store = Remote;

    async fn store(&self, catalog: Catalog) -> Result<Remote, Trouble> {
        Ok(self.remote(&catalog))
    }

    async fn change(&self, store: &Remote, catalog: Catalog) -> Result<Ability, Trouble> {
        if self.0 != Flaw::NeverForgets {
            store.partners.hold(&catalog);
        }
        Ok(Ability::Done)
    }

    async fn cut(&self, store: &Remote) -> Result<Ability, Trouble> {
        store.cut.store(true, Ordering::SeqCst);
        Ok(Ability::Done)
    }

    async fn mend(&self, store: &Remote) -> Result<(), Trouble> {
        store.cut.store(false, Ordering::SeqCst);
        Ok(())
    }
}
