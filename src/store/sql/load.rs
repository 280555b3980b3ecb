//! Reads a whole catalog from the tables.

use std::borrow::Cow;

use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::catalog::{Catalog, CatalogBuilder, KeySlot, Metadata, Subscription, SubscriptionKey};
use crate::manage::RepositoryError;
use crate::manage::sql::{Row, SqlResult, SqlTransaction, api, broken, product};
use crate::manage::stored::from_micros;

/// How many subscriptions are read at once.
const PAGE: i64 = 10_000;

/// What to keep in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Everything,
    Definitions,
}

/// Reads the catalog of the version that the transaction sees.
pub(super) async fn load(
    transaction: &mut SqlTransaction,
    extent: Extent,
) -> Result<Catalog, RepositoryError> {
    let mut builder = Catalog::builder().allow_no_apis();
    let mut session = transaction.session();
    let text = "SELECT data, place FROM sk_apis ORDER BY place";
    for row in session.rows(text, Vec::new()).await? {
        builder.push_api(api(&row)?.to_catalog());
    }
    let text = "SELECT data, place FROM sk_products ORDER BY place";
    for row in session.rows(text, Vec::new()).await? {
        builder.push_product(product(&row)?.to_catalog());
    }
    if extent == Extent::Everything {
        builder = subscriptions(transaction, builder).await?;
    }
    let built = spawn_blocking(move || builder.build()).await;
    let built = built.map_err(|_| RepositoryError::new("the runtime is shutting down"))?;
    built.map_err(|error| {
        RepositoryError::with_source("the database holds a catalog that breaks the rules", error)
    })
}

/// Reads page after page; a page is unpacked while the next one is read.
async fn subscriptions(
    transaction: &mut SqlTransaction,
    builder: CatalogBuilder,
) -> Result<CatalogBuilder, RepositoryError> {
    let mut unpacking = spawn_blocking(move || SqlResult::Ok(builder));
    let mut after = i64::MIN;
    loop {
        let text = "SELECT data, place FROM sk_subscriptions WHERE place > $1 \
                    ORDER BY place LIMIT $2";
        let values = vec![after.into(), PAGE.into()];
        let rows = transaction.session().rows(text, values).await?;
        let unpacked = unpacking.await;
        let builder =
            unpacked.map_err(|_| RepositoryError::new("the runtime is shutting down"))??;
        let Some(last) = rows.last() else {
            return Ok(builder);
        };
        after = last.int(1)?;
        unpacking = spawn_blocking(move || unpack(builder, &rows));
    }
}

fn unpack(mut builder: CatalogBuilder, rows: &[Row]) -> SqlResult<CatalogBuilder> {
    for row in rows {
        builder.push_subscription(subscription(row)?);
    }
    Ok(builder)
}

/// The part of a stored record that the catalog has.
#[derive(Deserialize)]
struct Stored<'r> {
    #[serde(borrow)]
    id: Cow<'r, str>,
    #[serde(borrow, default)]
    display_name: Option<Cow<'r, str>>,
    #[serde(borrow)]
    scopes: Vec<Cow<'r, str>>,
    #[serde(borrow, default)]
    owner: Option<Cow<'r, str>>,
    #[serde(borrow)]
    state: Cow<'r, str>,
    #[serde(borrow, default)]
    primary_key: Option<StoredKey<'r>>,
    #[serde(borrow, default)]
    secondary_key: Option<StoredKey<'r>>,
    #[serde(borrow, default)]
    retired_primary_key: Option<StoredKey<'r>>,
    #[serde(borrow, default)]
    retired_secondary_key: Option<StoredKey<'r>>,
    not_before: Option<i64>,
    expires_at: Option<i64>,
    #[serde(default)]
    metadata: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct StoredKey<'r> {
    #[serde(borrow)]
    digest: Cow<'r, str>,
    expires_at: Option<i64>,
}

impl StoredKey<'_> {
    fn read(&self) -> SqlResult<SubscriptionKey> {
        let digest = self.digest.parse().map_err(broken)?;
        let key = SubscriptionKey::from_digest(digest);
        Ok(match self.expires_at {
            Some(end) => key.with_expiry(from_micros(end)),
            None => key,
        })
    }
}

/// The subscription of a row that begins with its stored record.
pub(super) fn subscription(row: &Row) -> SqlResult<Subscription> {
    let stored: Stored<'_> = serde_json::from_str(row.str(0)?).map_err(broken)?;
    let mut subscription = Subscription::new(stored.id);
    subscription = subscription.with_state(stored.state.parse().map_err(broken)?);
    for scope in &stored.scopes {
        subscription = subscription.with_scope(scope.parse().map_err(broken)?);
    }
    if let Some(name) = stored.display_name {
        subscription = subscription.with_display_name(name);
    }
    if let Some(owner) = stored.owner {
        subscription = subscription.with_owner(owner);
    }
    if let Some(key) = stored.primary_key {
        subscription = subscription.with_primary_key(key.read()?);
    }
    if let Some(key) = stored.secondary_key {
        subscription = subscription.with_secondary_key(key.read()?);
    }
    if let Some(key) = stored.retired_primary_key {
        subscription = subscription.with_retired_key(KeySlot::Primary, key.read()?);
    }
    if let Some(key) = stored.retired_secondary_key {
        subscription = subscription.with_retired_key(KeySlot::Secondary, key.read()?);
    }
    if let Some(from) = stored.not_before {
        subscription = subscription.with_not_before(from_micros(from));
    }
    if let Some(end) = stored.expires_at {
        subscription = subscription.with_expiry(from_micros(end));
    }
    if !stored.metadata.is_empty() {
        subscription = subscription.with_metadata(Metadata::from(stored.metadata));
    }
    Ok(subscription)
}
