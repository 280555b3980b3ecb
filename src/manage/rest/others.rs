//! The operations that Azure has not: the audit trail, replicas and the caller.

use http::StatusCode;

use crate::document::parse_time;
use crate::manage::rest::call::{Answer, Call, json};
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::{filter, resource, shape};
use crate::manage::{AuditQuery, Comparison, Filter, FilterField, RecordKind};

impl Call<'_> {
    pub(super) async fn list_audit_events(&self) -> Answer {
        let query = self.audit_query()?;
        let page = self.manage().audit(&self.caller, &query).await?;
        self.list(page, shape::audit_event)
    }

    /// The audit trail knows no `or`: each comparison narrows the query.
    fn audit_query(&self) -> Result<AuditQuery, Refusal> {
        let paging = self.query.paging()?;
        let before = self.query.after().and_then(entry_name);
        let mut query = AuditQuery {
            before,
            skip: if before.is_some() { 0 } else { paging.skip },
            top: paging.top,
            ..AuditQuery::default()
        };
        let Some(text) = self.query.filter() else {
            return Ok(query);
        };
        let filter = filter::parse_with(text, |name, comparison, value| {
            narrow(&mut query, name, comparison, &value)?;
            // Only the shape of what is returned matters.
            Ok(Filter::compare(FilterField::Id, comparison, value))
        })?;
        if has_or(&filter) {
            let message = "the audit trail is filtered by comparisons with `and` only";
            return Err(Refusal::field("$filter", message));
        }
        Ok(query)
    }

    pub(super) async fn list_replicas(&self) -> Answer {
        self.shared.report_replica().await;
        let replicas = self.manage().replicas(&self.caller).await?;
        Ok(json(StatusCode::OK, &shape::replicas(replicas)))
    }

    pub(super) fn whoami(&self) -> Answer {
        Ok(json(StatusCode::OK, &shape::caller(&self.caller)))
    }
}

fn narrow(
    query: &mut AuditQuery,
    name: &str,
    comparison: Comparison,
    value: &str,
) -> Result<(), String> {
    match (name.to_ascii_lowercase().as_str(), comparison) {
        ("record", Comparison::Eq) => {
            let (kind, id) = record(value);
            query.kind = kind;
            query.record = Some(id.to_owned());
        }
        ("caller", Comparison::Eq) => query.caller = Some(value.to_owned()),
        ("operation", Comparison::Eq) => {
            let unknown = |_| format!("`{value}` is not an operation");
            query.operation = Some(value.parse().map_err(unknown)?);
        }
        ("outcome", Comparison::Eq) => {
            let unknown = |_| "an outcome is `accepted` or `refused`";
            query.outcome = Some(value.parse().map_err(unknown)?);
        }
        ("time", Comparison::Ge) => query.from = Some(time(value)?),
        ("time", Comparison::Lt) => query.until = Some(time(value)?),
        ("record" | "caller" | "operation" | "outcome", _) => {
            return Err(format!("`{name}` can only be compared with `eq`"));
        }
        ("time", _) => return Err("`time` can only be compared with `ge` and `lt`".to_owned()),
        _ => return Err(format!("`{name}` is not a field of the audit trail")),
    }
    Ok(())
}

fn time(text: &str) -> Result<std::time::SystemTime, String> {
    parse_time(text).ok_or_else(|| "a time is written like `2027-06-30T00:00:00Z`".to_owned())
}

/// A record by its full id, its short id, or its bare id of whatever kind.
fn record(value: &str) -> (Option<RecordKind>, &str) {
    let parts = resource::short(value).strip_prefix('/');
    let Some((collection, id)) = parts.and_then(|rest| rest.split_once('/')) else {
        return (None, value);
    };
    match &*collection.to_ascii_lowercase() {
        "apis" => (Some(RecordKind::Api), id),
        "products" => (Some(RecordKind::Product), id),
        "subscriptions" => (Some(RecordKind::Subscription), id),
        _ => (None, value),
    }
}

/// The number and index of an entry, by its name.
fn entry_name(name: &str) -> Option<(u64, u64)> {
    let (number, index) = name.split_once('.')?;
    Some((number.parse().ok()?, index.parse().ok()?))
}

fn has_or(filter: &Filter) -> bool {
    match filter {
        Filter::Or(..) => true,
        Filter::And(one, other) => has_or(one) || has_or(other),
        Filter::Compare(..) => false,
    }
}
