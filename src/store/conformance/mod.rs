//! A test suite that checks a store against the promises of every store.
//!
//! ```
//! use tower_subscription_key::MemoryStore;
//! use tower_subscription_key::store::conformance::{self, Nonconformance};
//!
//! # async fn test() -> Result<(), Nonconformance> {
//! // In a `#[tokio::test]`:
//! conformance::check(conformance::from_fn(|catalog| async {
//!     Ok::<_, std::io::Error>(MemoryStore::new(catalog))
//! }))
//! .await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(test())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The suite builds a catalog with subscriptions of every kind. The harness makes
//! stores with this catalog, and the suite queries them. It needs a tokio runtime
//! with its timer, paused or not. Every [`Promise`] is checked if the [`Harness`] can
//! also change the catalog and disconnect the store.
//!
//! # A harness for more than lookups
//!
//! ```
//! # use std::time::Duration;
//! # use tower_subscription_key::{Catalog, MemoryStore};
//! use tower_subscription_key::store::conformance::{Ability, Harness, Trouble};
//!
//! struct Mine;
//!
//! impl Harness for Mine {
//!     type Store = MemoryStore;
//!
//!     async fn store(&self, catalog: Catalog) -> Result<MemoryStore, Trouble> {
//!         Ok(MemoryStore::new(catalog))
//!     }
//!
//!     async fn change(&self, store: &MemoryStore, catalog: Catalog) -> Result<Ability, Trouble> {
//!         store.replace(catalog);
//!         Ok(Ability::Done)
//!     }
//!
//!     fn patience(&self) -> Duration {
//!         Duration::from_secs(1)
//!     }
//! }
//! ```
//!
//! For a store that reads documents, write the given catalog as a document from
//! [`Catalog::apis`], [`Catalog::products`] and [`Catalog::subscriptions`]. Keys are
//! written as digests
//! ([`KeyDigest::to_hex`](crate::KeyDigest::to_hex)).

mod answers;
mod catalogs;
mod checks;
mod report;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::catalog::Catalog;
use crate::store::SubscriptionStore;

pub use report::{Nonconformance, Promise, Report, Trouble, Violation};

use checks::{Checks, Given};

/// Makes stores for the suite, and simulates changes and outages.
pub trait Harness {
    /// The store under test.
    type Store: SubscriptionStore;

    /// Returns a new store with exactly the given catalog, ready for lookups.
    ///
    /// The suite calls it several times with the same catalog, and drops the earlier
    /// store first.
    ///
    /// # Errors
    ///
    /// If the store cannot be made. The suite ends.
    fn store(&self, catalog: Catalog) -> impl Future<Output = Result<Self::Store, Trouble>>;

    /// Changes the store's source to the given catalog. The store may see the change
    /// later than this returns.
    ///
    /// Default: not supported.
    ///
    /// # Errors
    ///
    /// If that fails. The suite ends.
    fn change(
        &self,
        store: &Self::Store,
        catalog: Catalog,
    ) -> impl Future<Output = Result<Ability, Trouble>> {
        let _ = (store, catalog);
        async { Ok(Ability::Missing) }
    }

    /// Makes the store's source unreachable.
    ///
    /// Default: not supported.
    ///
    /// # Errors
    ///
    /// If that fails. The suite ends.
    fn cut(&self, store: &Self::Store) -> impl Future<Output = Result<Ability, Trouble>> {
        let _ = store;
        async { Ok(Ability::Missing) }
    }

    /// Makes the store's source reachable again after [`cut`](Self::cut).
    ///
    /// # Errors
    ///
    /// If that fails. The suite ends.
    fn mend(&self, store: &Self::Store) -> impl Future<Output = Result<(), Trouble>> {
        let _ = store;
        async { Ok(()) }
    }

    /// How long a lookup may take, and how long the store may take to see a
    /// change or the end of an outage. Default: 10 seconds.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// Whether a harness supports an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// The action was done.
    Done,
    /// The action is not supported. The checks that depend on it are skipped.
    Missing,
}

/// A harness that can only make stores.
#[derive(Clone, Copy)]
pub struct FromFn<F>(F);

/// Returns a harness that makes stores with the given closure.
pub fn from_fn<F, Fut, S, E>(make: F) -> FromFn<F>
where
    F: Fn(Catalog) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    S: SubscriptionStore,
    E: Into<Trouble>,
{
    FromFn(make)
}

impl<F, Fut, S, E> Harness for FromFn<F>
where
    F: Fn(Catalog) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    S: SubscriptionStore,
    E: Into<Trouble>,
{
    type Store = S;

    async fn store(&self, catalog: Catalog) -> Result<S, Trouble> {
        (self.0)(catalog).await.map_err(Into::into)
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn(..)")
    }
}

/// Checks every promise that the harness supports.
///
/// # Errors
///
/// [`Nonconformance`] with every violation, or with the failure of the harness.
pub async fn check(harness: impl Harness) -> Result<Report, Nonconformance> {
    let mut suite = Suite {
        first: Given::new(catalogs::first()?),
        second: Given::new(catalogs::second()?),
        harness,
        broken: Vec::new(),
        report: Report::default(),
    };
    suite.asking().await?;
    suite.outage().await?;
    suite.change().await?;
    match suite.broken.is_empty() {
        true => Ok(suite.report),
        false => Err(Nonconformance::Violations(suite.broken)),
    }
}

struct Suite<H> {
    harness: H,
    first: Given,
    second: Given,
    broken: Vec<Violation>,
    report: Report,
}

impl<H: Harness> Suite<H> {
    /// Every part uses a new store, because a used one may remember earlier lookups.
    async fn store(&self) -> Result<H::Store, Nonconformance> {
        let store = self.harness.store(self.first.catalog.clone()).await;
        store.map_err(|source| failed("make a store", source))
    }

    async fn asking(&mut self) -> Result<(), Nonconformance> {
        let patience = self.harness.patience();
        let store = self.store().await?;
        let mut checks = Checks::new(&store, patience, &mut self.broken);
        checks.holdings(&self.first);
        checks.lookups(&self.first).await;
        drop(store);
        let store = self.store().await?;
        let mut checks = Checks::new(&store, patience, &mut self.broken);
        checks.concurrent(&self.first).await;
        drop(store);
        let store = self.store().await?;
        let mut checks = Checks::new(&store, patience, &mut self.broken);
        checks.dropped(&self.first).await;
        self.report.kept.extend([
            Promise::Holds,
            Promise::Finds,
            Promise::Distinguishes,
            Promise::Peeks,
            Promise::Concurrent,
            Promise::Dropped,
        ]);
        Ok(())
    }

    async fn outage(&mut self) -> Result<(), Nonconformance> {
        let promises = [Promise::Outage, Promise::Recovers];
        let store = self.store().await?;
        let patience = self.harness.patience();
        let mut checks = Checks::new(&store, patience, &mut self.broken);
        checks.ask_some(&self.first).await;
        let cut = self.harness.cut(&store).await;
        match cut.map_err(|source| failed("cut the store off", source))? {
            Ability::Done => self.report.kept.extend(promises),
            Ability::Missing => {
                self.report.skipped.extend(promises);
                return Ok(());
            }
        }
        // Twice, because what the first round met may be remembered wrongly.
        checks.during_outage(&self.first).await;
        checks.during_outage(&self.first).await;
        let mend = self.harness.mend(&store).await;
        mend.map_err(|source| failed("make the source reachable again", source))?;
        checks.recovers(&self.first).await;
        Ok(())
    }

    async fn change(&mut self) -> Result<(), Nonconformance> {
        let store = self.store().await?;
        let patience = self.harness.patience();
        let mut checks = Checks::new(&store, patience, &mut self.broken);
        checks.ask_all(&self.first, &self.second).await;
        let catalog = self.second.catalog.clone();
        let change = self.harness.change(&store, catalog).await;
        match change.map_err(|source| failed("change the catalog", source))? {
            Ability::Done => self.report.kept.push(Promise::Changes),
            Ability::Missing => {
                self.report.skipped.push(Promise::Changes);
                return Ok(());
            }
        }
        checks.changes(&self.first, &self.second).await;
        Ok(())
    }
}

fn failed(step: &'static str, source: Trouble) -> Nonconformance {
    Nonconformance::Harness { step, source }
}
