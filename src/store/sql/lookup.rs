use std::fmt;
use std::sync::Arc;

use crate::access::Access;
use crate::catalog::{Catalog, KeyOwner, KeySlot};
use crate::key::KeyDigest;
use crate::manage::sql::{SqlResult, SqlTransaction};
use crate::manage::{ManageError, RepositoryError};
#[cfg(feature = "cache")]
use crate::store::invalidation::Watchers;
use crate::store::sql::builder::SqlStoreBuilder;
use crate::store::sql::feed;
#[cfg(feature = "cache")]
use crate::store::sql::feed::Touched;
#[cfg(feature = "cache")]
use crate::store::sql::follow::OnChange;
use crate::store::sql::load::{self, Extent};
use crate::store::sql::store::Shared;
use crate::store::{Answer, CatalogUnavailable, Holdings, StoreStatus, SubscriptionStore};
#[cfg(feature = "cache")]
use crate::store::{CacheConfigError, CachedStore, CachedStoreBuilder, Invalidation};

/// A store that keeps APIs and products of a management database in memory and
/// looks up one key at a time, by its digest.
///
/// Every request with a key waits for the database: wrap the store in a
/// `CachedStore` (feature `cache`).
#[derive(Clone)]
pub struct SqlLookupStore {
    shared: Arc<Shared>,
    #[cfg(feature = "cache")]
    watchers: Arc<Watchers>,
}

/// Why a lookup failed. The client gets a 503.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlLookupError {
    /// APIs and products have not been read yet, or not for too long.
    #[error(transparent)]
    Definitions(#[from] CatalogUnavailable),
    /// The database could not be read.
    #[error(transparent)]
    Database(#[from] RepositoryError),
}

impl SqlLookupStore {
    /// Opens the database at a path (SQLite) or a `postgres://` URL, and waits for
    /// its APIs and products.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the database cannot be opened or read.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(target: impl Into<String>) -> Result<Self, ManageError> {
        let builder = SqlStoreBuilder::new(target.into());
        #[cfg(feature = "cache")]
        let watchers = Arc::new(Watchers::default());
        #[cfg(feature = "cache")]
        let on_change: Option<OnChange> = Some({
            let watchers = Arc::clone(&watchers);
            Arc::new(move |touched| notify(&watchers, touched))
        });
        #[cfg(not(feature = "cache"))]
        let on_change = None;
        let shared = builder.begin(Extent::Definitions, on_change)?;
        let mut status = shared.replica.watch_status();
        let first = status.wait_for(|status| status.version() > 0 || status.last_error().is_some());
        let failed = first.await.ok().and_then(|status| {
            let error = status.last_error().map(str::to_owned);
            error.filter(|_| status.version() == 0)
        });
        match failed {
            Some(error) => Err(RepositoryError::new(error).into()),
            None => Ok(Self {
                shared: Arc::new(shared),
                #[cfg(feature = "cache")]
                watchers,
            }),
        }
    }

    /// The APIs and products in use. `None` before the first.
    #[must_use]
    pub fn definitions(&self) -> Option<Arc<Catalog>> {
        self.shared.replica.catalog()
    }

    /// The version of the APIs and products, its age, and the last error.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.shared.replica.status()
    }

    /// A cache around this store that follows every change.
    ///
    /// # Errors
    ///
    /// [`CacheConfigError`] if a setting cannot work.
    #[cfg(feature = "cache")]
    pub fn cached_with(
        self,
        settings: impl FnOnce(CachedStoreBuilder<Self>) -> CachedStoreBuilder<Self>,
    ) -> Result<CachedStore<Self>, CacheConfigError> {
        let watchers = Arc::clone(&self.watchers);
        let source = self.shared.replica.source().to_owned();
        let cache = settings(CachedStore::builder(self).source(source)).build()?;
        // The cache holds the store: if the store held the cache, neither would
        // ever end.
        let weak = cache.downgrade();
        watchers.add(move |invalidation| {
            if let Some(cache) = weak.upgrade() {
                cache.invalidate(invalidation);
            }
        });
        Ok(cache)
    }

    /// Reads the owner, and the APIs and products that it belongs to if those in use
    /// are of another version.
    async fn look_up(&self, key: &KeyDigest) -> Result<Answer, RepositoryError> {
        let mut transaction = self.shared.repository.database().snapshot().await?;
        let answer = Answer::new(owner(&mut transaction, key).await?);
        let number = feed::mark(&mut transaction).await?.number;
        let in_use = self.shared.replica.at_revision(&number.to_string());
        let definitions = match in_use {
            Some(definitions) => definitions,
            None => Arc::new(load::load(&mut transaction, Extent::Definitions).await?),
        };
        Ok(answer.with_definitions(definitions))
    }
}

async fn owner(transaction: &mut SqlTransaction, key: &KeyDigest) -> SqlResult<Option<KeyOwner>> {
    let text = "SELECT s.data, k.slot FROM sk_keys k \
                JOIN sk_subscriptions s ON s.id = k.subscription WHERE k.digest = $1";
    let values = vec![key.as_bytes().as_slice().into()];
    let row = transaction.session().row(text, values).await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let slot = match row.int(1)? {
        0 => KeySlot::Primary,
        _ => KeySlot::Secondary,
    };
    Ok(Some(KeyOwner::new(load::subscription(&row)?, slot)))
}

/// Announces the changed subscriptions, or that anything may have changed.
#[cfg(feature = "cache")]
fn notify(watchers: &Watchers, touched: Option<&Touched>) {
    let Some(touched) = touched else {
        return watchers.notify(&Invalidation::All);
    };
    for id in &touched.subscriptions {
        watchers.notify(&Invalidation::Subscription {
            id: id.clone(),
            keys: Vec::new(),
        });
    }
    // A new key may be cached as unknown.
    if !touched.keys.is_empty() {
        watchers.notify(&Invalidation::Subscription {
            id: String::new(),
            keys: touched.keys.clone(),
        });
    }
}

impl SubscriptionStore for SqlLookupStore {
    type Error = SqlLookupError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, SqlLookupError> {
        Ok(self.lookup(key).await?.into_owner())
    }

    async fn lookup(&self, key: &KeyDigest) -> Result<Answer, SqlLookupError> {
        self.shared.task.ensure_running();
        Ok(self.look_up(key).await?)
    }

    fn holdings(&self) -> Result<Holdings, SqlLookupError> {
        self.shared.task.ensure_running();
        Ok(Holdings::Definitions(self.shared.replica.current()?))
    }

    fn record_use(&self, access: &Access) {
        self.shared.uses.record(access);
    }
}

impl fmt::Debug for SqlLookupStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlLookupStore")
            .field("database", &self.shared.replica.source())
            .field("status", &self.status())
            .finish()
    }
}
