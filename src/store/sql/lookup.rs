use std::fmt;
use std::sync::Arc;

use crate::access::Access;
use crate::catalog::{Catalog, KeyOwner};
use crate::key::KeyDigest;
use crate::manage::sql::{Row, SqlResult, Value, broken};
use crate::manage::{ManageError, RepositoryError};
use crate::store::sql::builder::SqlStoreBuilder;
use crate::store::sql::load::{self, Extent};
use crate::store::sql::store::Shared;
use crate::store::{
    Answer, CacheConfigError, CachedStore, CachedStoreBuilder, CatalogUnavailable, Holdings,
    StoreStatus, SubscriptionStore,
};

/// A store that keeps APIs and products of a management database in memory and
/// looks up one key at a time, by its digest.
///
/// Every request with a key waits for the database: put a cache around
/// the store with [`cached_with`](Self::cached_with).
#[derive(Clone)]
pub struct SqlLookupStore(Arc<Shared>);

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
    pub async fn open(target: impl Into<String>) -> Result<Self, ManageError> {
        let builder = SqlStoreBuilder::new(target.into());
        let shared = builder.open_with(Extent::Definitions).await?;
        Ok(Self(Arc::new(shared)))
    }

    /// The APIs and products in use. `None` before the first.
    #[must_use]
    pub fn definitions(&self) -> Option<Arc<Catalog>> {
        self.0.following.replica.catalog()
    }

    /// The version of the APIs and products, its age, and the last error.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.0.following.replica.status()
    }

    /// A cache around this store that follows every change.
    ///
    /// # Errors
    ///
    /// [`CacheConfigError`] if a setting cannot work.
    pub fn cached_with(
        self,
        settings: impl FnOnce(CachedStoreBuilder<Self>) -> CachedStoreBuilder<Self>,
    ) -> Result<CachedStore<Self>, CacheConfigError> {
        let shared = Arc::clone(&self.0);
        let source = shared.following.replica.source().to_owned();
        let cache = settings(CachedStore::builder(self).source(source)).build()?;
        cache.follow(&shared.watchers);
        Ok(cache)
    }

    async fn look_up(&self, key: &KeyDigest) -> Result<Answer, RepositoryError> {
        let database = self.0.repository.database();
        let (owner, number) = read(key, database.row(LOOKUP, vec![bytes(key)]).await?)?;
        let in_use = &self.0.following.replica;
        if let Some(definitions) = in_use.at_revision(&number.to_string()) {
            return Ok(Answer::new(owner).with_definitions(definitions));
        }
        // The APIs and products in use are of another version than the owner.
        let mut transaction = database.snapshot().await?;
        let row = transaction.session().row(LOOKUP, vec![bytes(key)]).await?;
        let (owner, _) = read(key, row)?;
        let definitions = load::load(&mut transaction, Extent::Definitions).await?;
        Ok(Answer::new(owner).with_definitions(Arc::new(definitions)))
    }
}

/// Reads the number of the last change and the subscription that has a key, in one
/// statement, so that both are of one version.
const LOOKUP: &str = "SELECT n.number, s.data \
     FROM (SELECT COALESCE(MAX(number), 0) AS number FROM sk_state) n \
     LEFT JOIN sk_keys k ON k.digest = $1 LEFT JOIN sk_subscriptions s ON s.id = k.subscription";

fn bytes(key: &KeyDigest) -> Value {
    key.as_bytes().as_slice().into()
}

fn read(key: &KeyDigest, row: Option<Row>) -> SqlResult<(Option<KeyOwner>, u64)> {
    let row = row.ok_or_else(|| broken("an aggregate has a row"))?;
    let owner = match row.optional_text(1)? {
        Some(record) => {
            let owner = KeyOwner::of_key(load::subscription(&record)?, key);
            Some(owner.ok_or_else(|| broken("the record of this key does not have it"))?)
        }
        None => None,
    };
    Ok((owner, row.number(0)?))
}

impl SubscriptionStore for SqlLookupStore {
    type Error = SqlLookupError;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, SqlLookupError> {
        Ok(self.lookup(key).await?.into_owner())
    }

    async fn lookup(&self, key: &KeyDigest) -> Result<Answer, SqlLookupError> {
        self.0.following.ensure_running();
        Ok(self.look_up(key).await?)
    }

    fn holdings(&self) -> Result<Holdings, SqlLookupError> {
        Ok(Holdings::Definitions(self.0.following.current()?))
    }

    fn record_use(&self, access: &Access) {
        self.0.uses.record(access);
    }
}

impl fmt::Debug for SqlLookupStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlLookupStore")
            .field("database", &self.0.following.replica.source())
            .field("status", &self.status())
            .finish()
    }
}
