//! Reads a whole catalog from the tables.

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::task::spawn_blocking;

use crate::catalog::{Catalog, CatalogBuilder, Subscription};
use crate::manage::sql::{SqlResult, SqlTransaction, broken, record};
use crate::manage::{ApiRecord, ProductRecord, RepositoryError, SubscriptionRecord};

/// How many subscriptions are read at once.
const PAGE: i64 = 10_000;

/// How many pages are parsed at the same time.
const AT_ONCE: usize = 2;

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

/// Reads page after page. While one page is read, earlier ones are parsed, and the oldest
/// is packed. A page is one text with a record in each line, because SQLite hands over
/// rows one by one, which takes longer than reading them.
async fn subscriptions(
    transaction: &mut SqlTransaction,
    builder: CatalogBuilder,
) -> Result<CatalogBuilder, RepositoryError> {
    let text = "SELECT string_agg(data, $1), MAX(place) FROM \
                (SELECT data, place FROM sk_subscriptions WHERE place > $2 \
                ORDER BY place LIMIT $3) AS page";
    let ended = |_| RepositoryError::new("the runtime is shutting down");
    let mut parsing = FuturesOrdered::new();
    let mut packing = spawn_blocking(move || builder);
    let mut after = Some(i64::MIN);
    loop {
        while let Some(place) = after.filter(|_| parsing.len() < AT_ONCE) {
            let values = vec!["\n".into(), place.into(), PAGE.into()];
            let page = transaction.session().row(text, values).await?;
            let page = page.ok_or_else(|| broken("an aggregate has a row"))?;
            after = page.optional_int(1)?;
            if let Some(records) = page.optional_text(0)? {
                let parse = move || records.lines().map(subscription).collect();
                parsing.push_back(spawn_blocking::<_, SqlResult<Vec<_>>>(parse));
            }
        }
        let Some(parsed) = parsing.next().await else {
            return packing.await.map_err(ended);
        };
        let parsed = parsed.map_err(ended)??;
        let mut builder = packing.await.map_err(ended)?;
        packing = spawn_blocking(move || {
            for subscription in parsed {
                builder.push_subscription(subscription);
            }
            builder
        });
    }
}

/// The subscription of a stored record.
pub(super) fn subscription(record: &str) -> SqlResult<Subscription> {
    let record: Result<SubscriptionRecord, _> = serde_json::from_str(record);
    Ok(record.map_err(broken)?.to_catalog())
}
