//! Reads a whole catalog from the tables.

use tokio::task::spawn_blocking;

use crate::catalog::{Catalog, CatalogBuilder, Subscription};
use crate::manage::sql::{SqlResult, SqlTransaction, broken, record};
use crate::manage::{ApiRecord, ProductRecord, RepositoryError, SubscriptionRecord};

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
        builder.push_api(record::<ApiRecord>(&row)?.to_catalog());
    }
    let text = "SELECT data, place FROM sk_products ORDER BY place";
    for row in session.rows(text, Vec::new()).await? {
        builder.push_product(record::<ProductRecord>(&row)?.to_catalog());
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

/// Reads page after page; a page is unpacked while the next one is read. A page is one
/// text with a record in each line: SQLite hands over rows one by one, which takes longer
/// than all the rest.
async fn subscriptions(
    transaction: &mut SqlTransaction,
    builder: CatalogBuilder,
) -> Result<CatalogBuilder, RepositoryError> {
    let text = "SELECT string_agg(data, $1), MAX(place) FROM \
                (SELECT data, place FROM sk_subscriptions WHERE place > $2 \
                ORDER BY place LIMIT $3) AS page";
    let mut unpacking = spawn_blocking(move || SqlResult::Ok(builder));
    let mut after = i64::MIN;
    loop {
        let values = vec!["\n".into(), after.into(), PAGE.into()];
        let page = transaction.session().row(text, values).await?;
        let page = page.ok_or_else(|| broken("an aggregate has a row"))?;
        let unpacked = unpacking.await;
        let mut builder =
            unpacked.map_err(|_| RepositoryError::new("the runtime is shutting down"))??;
        let Some(records) = page.optional_text(0)? else {
            return Ok(builder);
        };
        after = page.int(1)?;
        unpacking = spawn_blocking(move || {
            for record in records.lines() {
                builder.push_subscription(subscription(record)?);
            }
            Ok(builder)
        });
    }
}

/// The subscription of a stored record.
pub(super) fn subscription(record: &str) -> SqlResult<Subscription> {
    let record: Result<SubscriptionRecord, _> = serde_json::from_str(record);
    Ok(record.map_err(broken)?.to_catalog())
}
