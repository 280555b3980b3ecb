//! The change feed: what changed since a number, as one version.

use std::collections::HashSet;

use crate::catalog::Change;
use crate::key::KeyDigest;
use crate::manage::RecordKind;
use crate::manage::sql::{
    SqlResult, SqlTransaction, Value, api, broken, in_list, product, read_digest,
};
use crate::store::sql::load;

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

/// Which records changed after a mark.
struct Changed {
    apis: HashSet<String>,
    products: HashSet<String>,
    subscriptions: HashSet<String>,
    /// Whether a definition was deleted and made again: its place is another.
    is_remade: bool,
}

/// Looks for changes after the mark.
pub(super) async fn changes(
    transaction: &mut SqlTransaction,
    after: Mark,
    extent: load::Extent,
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
    let mut changed = Changed {
        apis: HashSet::new(),
        products: HashSet::new(),
        subscriptions: HashSet::new(),
        is_remade: false,
    };
    let mut deleted = HashSet::new();
    for row in &rows {
        let (kind, id) = (row.str(0)?, row.text(1)?);
        let kind: RecordKind = kind.parse().map_err(broken)?;
        let ids = match kind {
            RecordKind::Api => &mut changed.apis,
            RecordKind::Product => &mut changed.products,
            RecordKind::Subscription => &mut changed.subscriptions,
            RecordKind::Catalog => continue,
        };
        ids.insert(id.clone());
        if kind != RecordKind::Subscription {
            if row.str(2)? == "delete" {
                deleted.insert((kind, id));
            } else {
                changed.is_remade |= deleted.contains(&(kind, id));
            }
        }
    }
    if changed.is_remade {
        return Ok(Found::TooMuch);
    }
    let changes = read(transaction, &changed, extent).await?;
    let touched = match extent {
        load::Extent::Everything => Touched::default(),
        load::Extent::Definitions => touched(transaction, changed.subscriptions).await?,
    };
    Ok(Found::Changes {
        mark: newest,
        changes,
        touched,
    })
}

/// The changed records as they are in the version that the transaction sees.
async fn read(
    transaction: &mut SqlTransaction,
    changed: &Changed,
    extent: load::Extent,
) -> SqlResult<Vec<Change>> {
    let mut changes = Vec::new();
    let (mut apis, mut products) = (changed.apis.clone(), changed.products.clone());
    let begin = "SELECT data, place FROM sk_apis WHERE id IN ";
    for row in among(transaction, begin, &changed.apis, " ORDER BY place").await? {
        let record = api(&row)?;
        apis.remove(&record.id);
        changes.push(Change::PutApi(record.to_catalog()));
    }
    let begin = "SELECT data, place FROM sk_products WHERE id IN ";
    for row in among(transaction, begin, &changed.products, " ORDER BY place").await? {
        let record = product(&row)?;
        products.remove(&record.id);
        changes.push(Change::PutProduct(record.to_catalog()));
    }
    changes.extend(apis.into_iter().map(Change::RemoveApi));
    changes.extend(products.into_iter().map(Change::RemoveProduct));
    if extent == load::Extent::Everything {
        let mut gone = changed.subscriptions.clone();
        let begin = "SELECT data, place FROM sk_subscriptions WHERE id IN ";
        for row in among(transaction, begin, &changed.subscriptions, "").await? {
            let subscription = load::subscription(&row)?;
            gone.remove(subscription.id());
            changes.push(Change::PutSubscription(subscription));
        }
        changes.extend(gone.into_iter().map(Change::RemoveSubscription));
    }
    Ok(changes)
}

async fn touched(
    transaction: &mut SqlTransaction,
    subscriptions: HashSet<String>,
) -> SqlResult<Touched> {
    let begin = "SELECT digest FROM sk_keys WHERE subscription IN ";
    let rows = among(transaction, begin, &subscriptions, "").await?;
    let keys = rows.iter().map(|row| read_digest(row, 0));
    Ok(Touched {
        keys: keys.collect::<SqlResult<_>>()?,
        subscriptions: subscriptions.into_iter().collect(),
    })
}

async fn among(
    transaction: &mut SqlTransaction,
    begin: &str,
    ids: &HashSet<String>,
    end: &str,
) -> SqlResult<Vec<crate::manage::sql::Row>> {
    const AT_ONCE: usize = 500;
    let ids: Vec<&String> = ids.iter().collect();
    let mut rows = Vec::with_capacity(ids.len());
    for ids in ids.chunks(AT_ONCE) {
        let text = format!("{begin}{}{end}", in_list(ids.len()));
        let values = ids.iter().map(|id| Value::from(id.as_str())).collect();
        rows.extend(transaction.session().rows(text, values).await?);
    }
    Ok(rows)
}
