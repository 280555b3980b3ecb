//! The audit trail in SQL.

use crate::manage::Caller;
use crate::manage::audit::{AuditEntry, AuditQuery, Outcome};
use crate::manage::reference::RecordRef;
use crate::manage::repository::REFUSED_KEPT;
use crate::manage::sql::lists::Statement;
use crate::manage::sql::rows::{broken, json};
use crate::manage::sql::session::{Dialect, Row, Session, SqlResult, Value};
use crate::manage::stored::{from_micros, to_micros};

/// The statements that read and count a page of the audit trail.
pub(super) fn list(dialect: Dialect, query: &AuditQuery) -> (Statement, Statement) {
    let columns = "number, idx, at, role, caller, operation, refused, kind, record, \
                   version_before, version_after, code, changes";
    let mut page = Statement::new(dialect, format!("SELECT {columns} FROM sk_audit"));
    let mut count = Statement::new(dialect, "SELECT COUNT(*) FROM sk_audit");
    for (statement, before) in [(&mut page, query.before), (&mut count, None)] {
        let mut next = " WHERE ";
        let mut condition = |condition: &str, value: Value| {
            statement.push(next);
            statement.push(condition);
            statement.bind(value);
            next = " AND ";
        };
        if let Some(record) = &query.record {
            condition("record = ", record.as_str().into());
        }
        if let Some(kind) = query.kind {
            condition("kind = ", kind.as_str().into());
        }
        if let Some(caller) = &query.caller {
            condition("caller = ", caller.as_str().into());
        }
        if let Some(operation) = query.operation {
            condition("operation = ", operation.as_str().into());
        }
        if let Some(outcome) = query.outcome {
            condition("refused = ", i64::from(outcome == Outcome::Refused).into());
        }
        if let Some(from) = query.from {
            condition("at >= ", to_micros(from).into());
        }
        if let Some(until) = query.until {
            condition("at < ", to_micros(until).into());
        }
        if let Some((number, index)) = before {
            condition("(number, idx) < (", number.into());
            statement.push(", ");
            statement.bind(index);
            statement.push(")");
        }
    }
    page.push(" ORDER BY number DESC, idx DESC LIMIT ");
    page.bind(i64::from(query.top));
    page.push(" OFFSET ");
    page.bind(query.skip);
    (page, count)
}

/// The entry that a row holds.
pub(super) fn read(row: &Row) -> SqlResult<AuditEntry> {
    let caller = match row.str(3)? {
        "owner" => Caller::Owner(row.text(4)?),
        _ => Caller::Publisher(row.text(4)?),
    };
    let version = |at| SqlResult::Ok(row.optional_int(at)?.and_then(|v| u64::try_from(v).ok()));
    Ok(AuditEntry {
        number: row.number(0)?,
        index: row.number(1)?,
        time: from_micros(row.int(2)?),
        caller,
        operation: row.str(5)?.parse().map_err(broken)?,
        outcome: match row.int(6)? {
            0 => Outcome::Accepted,
            _ => Outcome::Refused,
        },
        record: RecordRef {
            kind: row.str(7)?.parse().map_err(broken)?,
            id: row.text(8)?,
        },
        version_before: version(9)?,
        version_after: version(10)?,
        code: row.optional_text(11)?,
        changes: serde_json::from_str(row.str(12)?).map_err(broken)?,
    })
}

fn values(entry: &AuditEntry) -> SqlResult<Vec<Value>> {
    Ok(vec![
        entry.number.into(),
        entry.index.into(),
        to_micros(entry.time).into(),
        entry.caller.role().into(),
        entry.caller.id().into(),
        entry.operation.as_str().into(),
        i64::from(entry.outcome == Outcome::Refused).into(),
        entry.record.kind.as_str().into(),
        entry.record.id.as_str().into(),
        entry.version_before.into(),
        entry.version_after.into(),
        entry.code.as_deref().into(),
        json(&entry.changes)?,
    ])
}

/// Writes entries. Those without a number of their own get the number `after`, that of
/// the last change, and follow its entries.
pub(super) async fn write(
    session: &mut Session<'_>,
    mut entries: Vec<AuditEntry>,
    after: Option<u64>,
) -> SqlResult<()> {
    if let Some(number) = after {
        let text = "SELECT COALESCE(MAX(idx) + 1, 0) FROM sk_audit WHERE number = $1";
        let next = session.number(text, vec![number.into()]).await?;
        for (at, entry) in (next..).zip(&mut entries) {
            (entry.number, entry.index) = (number, at);
        }
    }
    let begin = "INSERT INTO sk_audit (number, idx, at, role, caller, operation, refused, \
                 kind, record, version_before, version_after, code, changes)";
    for entries in entries.chunks(1000) {
        let values = entries.iter().map(values).collect::<SqlResult<_>>()?;
        session.insert(begin, values, "").await?;
    }
    if entries
        .iter()
        .any(|entry| entry.outcome == Outcome::Refused)
    {
        forget_refused(session).await?;
    }
    Ok(())
}

/// Deletes the oldest entries of refused operations beyond those that are kept.
async fn forget_refused(session: &mut Session<'_>) -> SqlResult<()> {
    // In batches, so that a refusal costs no deletion as a rule.
    const SLACK: u64 = 100;
    const KEPT: u64 = REFUSED_KEPT as u64;
    let text = "UPDATE sk_state SET refused = refused + 1 RETURNING refused";
    if session.number(text, Vec::new()).await? <= KEPT + SLACK {
        return Ok(());
    }
    let text = "DELETE FROM sk_audit WHERE refused = 1 AND (number, idx) <= \
                (SELECT number, idx FROM sk_audit WHERE refused = 1 \
                ORDER BY number DESC, idx DESC LIMIT 1 OFFSET $1)";
    session.execute(text, vec![KEPT.into()]).await?;
    let text = "UPDATE sk_state SET refused = $1";
    session.execute(text, vec![KEPT.into()]).await?;
    Ok(())
}
