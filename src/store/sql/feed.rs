//! The change feed: what changed since a number, as one version.

use std::collections::{HashMap, HashSet};

use crate::catalog::Change;
use crate::key::KeyDigest;
use crate::manage::sql::{SqlResult, SqlTransaction, Value, broken, read_digest, record};
use crate::manage::{ApiRecord, ProductRecord, RecordKind};
use crate::store::sql::load::{Extent, subscription};

/// More changes than this are not worth following one by one.
const MANY: i64 = 20_000;

/// The last change that a replica has applied: its number and its time. The time
/// distinguishes it from another change with the same number in a restored database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) number: u64,
    at: i64,
}

/// What a look at the feed found.
pub(super) enum Found {
    /// Nothing new.
    Nothing,
    /// These changes lead to the version with the mark.
    Changes {
        mark: Mark,
        changes: Vec<Change>,
        touched: Touched,
    },
    /// Too much changed.
    TooMuch,
    /// The numbers do not continue those seen.
    WentBack(String),
}

/// Subscriptions that changed, and the keys that they have now: for stores that do
/// not keep them.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) subscriptions: Vec<String>,
    pub(super) keys: Vec<KeyDigest>,
}

/// The mark of the version that the transaction sees.
pub(super) async fn mark(transaction: &mut SqlTransaction) -> SqlResult<Mark> {
    let text = "SELECT s.number, a.at FROM sk_state s \
                LEFT JOIN sk_audit a ON a.number = s.number AND a.idx = 0";
    let row = transaction.session().row(text, Vec::new()).await?;
    row.map_or(Ok(Mark::default()), |row| {
        Ok(Mark {
            number: row.number(0)?,
            at: row.optional_int(1)?.unwrap_or_default(),
        })
    })
}

/// Looks for changes after the mark.
pub(super) async fn changes(
    transaction: &mut SqlTransaction,
    after: Mark,
    extent: Extent,
) -> SqlResult<Found> {
    let newest = mark(transaction).await?;
    if newest == after {
        return Ok(Found::Nothing);
    }
    if newest.number < after.number {
        let (from, to) = (after.number, newest.number);
        return Ok(Found::WentBack(format!(
            "change {from} was seen, the last one is now {to}"
        )));
    }
    let mut session = transaction.session();
    if after.number > 0 {
        let text = "SELECT at FROM sk_audit WHERE number = $1 AND idx = 0";
        let row = session.row(text, vec![after.number.into()]).await?;
        if row.map(|row| row.int(0)).transpose()? != Some(after.at) {
            let number = after.number;
            return Ok(Found::WentBack(format!(
                "change {number} is not the one that was seen"
            )));
        }
    }
    let text = "SELECT kind, record, operation FROM sk_audit \
                WHERE number > $1 AND refused = 0 AND operation <> 'readSecrets' \
                ORDER BY number, idx LIMIT $2";
    let values = vec![after.number.into(), (MANY + 1).into()];
    let rows = session.rows(text, values).await?;
    if rows.len() as i64 > MANY {
        return Ok(Found::TooMuch);
    }
    // The ids that changed, by kind.
    let mut changed: HashMap<RecordKind, HashSet<String>> = HashMap::new();
    let mut deleted = HashSet::new();
    for row in &rows {
        let kind: RecordKind = row.str(0)?.parse().map_err(broken)?;
        let id = row.text(1)?;
        if kind == RecordKind::Api || kind == RecordKind::Product {
            if row.str(2)? == "delete" {
                deleted.insert((kind, id.clone()));
            } else if deleted.contains(&(kind, id.clone())) {
                // Deleted and created again: it has another place in the list.
                return Ok(Found::TooMuch);
            }
        }
        changed.entry(kind).or_default().insert(id);
    }
    let mut ids = |kind| changed.remove(&kind).unwrap_or_default();
    let values =
        |ids: &HashSet<String>| -> Vec<Value> { ids.iter().map(|id| id.as_str().into()).collect() };
    let mut changes = Vec::new();
    let mut apis = ids(RecordKind::Api);
    let (begin, end) = (
        "SELECT data, place FROM sk_apis WHERE id IN",
        "ORDER BY place",
    );
    for row in session.among(begin, &values(&apis), end).await? {
        let record: ApiRecord = record(&row)?;
        apis.remove(&record.id);
        changes.push(Change::PutApi(record.to_catalog()));
    }
    let mut products = ids(RecordKind::Product);
    let (begin, end) = (
        "SELECT data, place FROM sk_products WHERE id IN",
        "ORDER BY place",
    );
    for row in session.among(begin, &values(&products), end).await? {
        let record: ProductRecord = record(&row)?;
        products.remove(&record.id);
        changes.push(Change::PutProduct(record.to_catalog()));
    }
    changes.extend(apis.into_iter().map(Change::RemoveApi));
    changes.extend(products.into_iter().map(Change::RemoveProduct));
    let mut subscriptions = ids(RecordKind::Subscription);
    let mut touched = Touched::default();
    match extent {
        Extent::Everything => {
            let begin = "SELECT data FROM sk_subscriptions WHERE id IN";
            for row in session.among(begin, &values(&subscriptions), "").await? {
                let subscription = subscription(row.str(0)?)?;
                subscriptions.remove(subscription.id());
                changes.push(Change::PutSubscription(subscription));
            }
            changes.extend(subscriptions.into_iter().map(Change::RemoveSubscription));
        }
        Extent::Definitions => {
            let begin = "SELECT digest FROM sk_keys WHERE subscription IN";
            let rows = session.among(begin, &values(&subscriptions), "").await?;
            let keys = rows.iter().map(|row| read_digest(row, 0));
            touched.keys = keys.collect::<SqlResult<_>>()?;
            touched.subscriptions = subscriptions.into_iter().collect();
        }
    }
    Ok(Found::Changes {
        mark: newest,
        changes,
        touched,
    })
}
