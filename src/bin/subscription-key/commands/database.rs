use serde_json::{Value, json};
use tower_subscription_key::document::format_time;
use tower_subscription_key::manage::{
    AuditEntry, AuditQuery, Caller, ListQuery, Manage, RecordKind, RecordRef,
};

use crate::args::{Audit, Common};
use crate::failure::{Failure, Result};
use crate::target::{Missing, Target};
use crate::{database, output};

/// The database that a command needs.
async fn needed(common: &Common, command: &str) -> Result<(Manage, Caller)> {
    match Target::of(common)? {
        Target::Database(target) => {
            let manage = database::open(&target, Missing::Refuse).await?;
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
    let page = manage.audit(&caller, &query).await?;
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
    let (number, [apis, products, subscriptions]) = database::answer(read).await?;
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
    let replicas = manage.replicas(&caller).await?;
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
