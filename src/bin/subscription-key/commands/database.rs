use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tower_subscription_key::document::format_time;
use tower_subscription_key::manage::{
    AuditEntry, AuditQuery, Caller, ListQuery, Manage, RecordKind, RecordRef,
};

use crate::args::{Audit, Common};
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::{Missing, plain_failure};
use crate::target::Target;

/// How long a database has to answer at all.
const PATIENCE: Duration = Duration::from_secs(8);

/// Opens a database. Only an import makes a new one.
pub(crate) async fn open(target: &str, missing: Missing) -> Result<Manage> {
    if missing != Missing::Make && is_missing_file(target) {
        return Err(Failure::unreachable(format_args!(
            "there is no database {target}: `subscription-key import` makes one"
        )));
    }
    match tokio::time::timeout(PATIENCE, Manage::open(target)).await {
        Ok(manage) => manage.map_err(plain_failure),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> Failure {
    let seconds = PATIENCE.as_secs();
    Failure::unreachable(format_args!(
        "the database has not answered within {seconds} s"
    ))
}

pub(crate) fn is_missing_file(target: &str) -> bool {
    let is_server = target.starts_with("postgres://") || target.starts_with("postgresql://");
    let path = target
        .strip_prefix("sqlite://")
        .or_else(|| target.strip_prefix("sqlite:"));
    let path = path.unwrap_or(target);
    let path = path.split('?').next().unwrap_or_default();
    !is_server && !Path::new(path).exists()
}

/// The database that a command needs.
async fn needed(common: &Common, command: &str) -> Result<(Manage, Caller)> {
    match Target::of(common)? {
        Target::Database(target) => {
            let manage = open(&target, Missing::Refuse).await?;
            Ok((manage, Caller::publisher("cli")))
        }
        Target::File(_) => Err(Failure::usage(format_args!(
            "`{command}` needs a database: give `--database PATH|URL`"
        ))),
    }
}

pub(super) async fn audit(common: &Common, args: &Audit) -> Result {
    let (kind, record) = match &args.record {
        None => (None, None),
        Some(record) => {
            let (kind, id) = record_of(record)?;
            (Some(kind), Some(id))
        }
    };
    let (manage, caller) = needed(common, "audit").await?;
    let query = AuditQuery {
        kind,
        record,
        top: u32::try_from(args.limit.unwrap_or(100)).unwrap_or(u32::MAX),
        ..AuditQuery::default()
    };
    let page = manage.audit(&caller, &query).await.map_err(plain_failure)?;
    if common.json {
        return output::json(&page.records.iter().map(entry).collect::<Vec<_>>());
    }
    let heads = [
        "NUMBER",
        "TIME",
        "CALLER",
        "OPERATION",
        "OUTCOME",
        "RECORD",
        "CHANGED",
    ];
    let rows = page.records.iter().map(|entry| {
        let changed: Vec<&str> = entry.changes.iter().map(|change| &*change.field).collect();
        let outcome = entry.code.as_deref().unwrap_or(entry.outcome.as_str());
        [
            entry.name(),
            format_time(entry.time),
            entry.caller.id().to_owned(),
            entry.operation.to_string(),
            outcome.to_owned(),
            record_text(&entry.record),
            changed.join(", "),
        ]
    });
    output::print(&output::table(heads, rows))
}

fn record_of(text: &str) -> Result<(RecordKind, String)> {
    let kinds = [
        ("apis/", RecordKind::Api),
        ("products/", RecordKind::Product),
        ("subscriptions/", RecordKind::Subscription),
    ];
    let found = kinds
        .iter()
        .find_map(|(prefix, kind)| Some((*kind, text.strip_prefix(prefix)?)));
    match found {
        Some((kind, id)) => Ok((kind, id.to_owned())),
        None => Err(Failure::usage(
            "--record: write it like `subscriptions/contoso`, `products/starter` or `apis/echo`",
        )),
    }
}

fn record_text(record: &RecordRef) -> String {
    match record.kind {
        RecordKind::Api => format!("apis/{}", record.id),
        RecordKind::Product => format!("products/{}", record.id),
        RecordKind::Subscription => format!("subscriptions/{}", record.id),
        _ => "catalog".to_owned(),
    }
}

fn entry(entry: &AuditEntry) -> Value {
    let changes = entry.changes.iter().map(
        |change| json!({ "field": change.field, "before": change.before, "after": change.after }),
    );
    json!({
        "name": entry.name(),
        "time": format_time(entry.time),
        "caller": { "role": entry.caller.role(), "id": entry.caller.id() },
        "operation": entry.operation.as_str(),
        "outcome": entry.outcome.as_str(),
        "record": record_text(&entry.record),
        "version_before": entry.version_before,
        "version_after": entry.version_after,
        "code": entry.code,
        "changes": changes.collect::<Vec<_>>(),
    })
}

pub(super) async fn status(common: &Common) -> Result {
    let (manage, caller) = needed(common, "status").await?;
    let one = ListQuery {
        top: 1,
        ..ListQuery::default()
    };
    let read = async {
        let apis = manage.list_apis(&caller, &one).await?.total;
        let products = manage.list_products(&caller, &one).await?.total;
        let subscriptions = manage.list_subscriptions(&caller, &one).await?.total;
        let number = manage.number().await?;
        Ok((number, [apis, products, subscriptions]))
    };
    let read = tokio::time::timeout(PATIENCE, read)
        .await
        .map_err(|_| no_answer())?;
    let (number, [apis, products, subscriptions]) = read.map_err(plain_failure)?;
    if common.json {
        return output::json(&json!({
            "status": "ok",
            "number": number,
            "apis": apis,
            "products": products,
            "subscriptions": subscriptions,
        }));
    }
    let rows = [
        ["status", "ok"].map(str::to_owned),
        ["last change".to_owned(), number.to_string()],
        ["apis".to_owned(), apis.to_string()],
        ["products".to_owned(), products.to_string()],
        ["subscriptions".to_owned(), subscriptions.to_string()],
    ];
    output::print(&output::table(["", ""], rows))
}

pub(super) async fn replicas(common: &Common) -> Result {
    let (manage, caller) = needed(common, "replicas").await?;
    let replicas = manage.replicas(&caller).await.map_err(plain_failure)?;
    if common.json {
        let values = replicas.iter().map(|replica| {
            json!({
                "id": replica.id,
                "applied": replica.applied,
                "age_seconds": replica.age.as_secs(),
            })
        });
        return output::json(&values.collect::<Vec<_>>());
    }
    let rows = replicas.iter().map(|replica| {
        let age = format!("{} s", replica.age.as_secs());
        [replica.id.clone(), replica.applied.to_string(), age]
    });
    output::print(&output::table(["ID", "APPLIED", "LAST REPORT"], rows))
}
