//! Suggestions of similar ids for an id that does not exist.

use tower_subscription_key::catalog::Catalog;
use tower_subscription_key::manage::{Caller, ListQuery, Manage, RecordKind, RecordRef};

use crate::failure::Failure;

/// At most this many ids are compared.
const MOST: u32 = 1_000;

/// A refusal that offers records of the catalog.
pub(crate) fn not_in(catalog: &Catalog, record: &RecordRef) -> Failure {
    let ids: Vec<String> = match record.kind {
        RecordKind::Api => catalog.apis().map(|api| api.id().to_owned()).collect(),
        RecordKind::Product => catalog.products().map(|p| p.id().to_owned()).collect(),
        _ => {
            let some = catalog.subscriptions().take(MOST as usize);
            some.map(|subscription| subscription.id().to_owned())
                .collect()
        }
    };
    not_among(record, ids)
}

/// A refusal that offers records of the database.
pub(crate) async fn not_found(manage: &Manage, caller: &Caller, record: &RecordRef) -> Failure {
    let query = ListQuery {
        top: MOST,
        ..ListQuery::default()
    };
    let ids: Vec<String> = match record.kind {
        RecordKind::Api => match manage.list_apis(caller, &query).await {
            Ok(page) => page.records.into_iter().map(|api| api.id).collect(),
            Err(_) => Vec::new(),
        },
        RecordKind::Product => match manage.list_products(caller, &query).await {
            Ok(page) => page.records.into_iter().map(|product| product.id).collect(),
            Err(_) => Vec::new(),
        },
        _ => match manage.list_subscriptions(caller, &query).await {
            Ok(page) => page.records.into_iter().map(|s| s.id).collect(),
            Err(_) => Vec::new(),
        },
    };
    not_among(record, ids)
}

fn not_among(record: &RecordRef, ids: Vec<String>) -> Failure {
    Failure::refused(format_args!(
        "there is no {record}{}",
        suggestion(&record.id, ids)
    ))
}

/// `: did you mean …?` for the ids that look like `id`.
pub(crate) fn suggestion(id: &str, ids: impl IntoIterator<Item = String>) -> String {
    let id = id.to_lowercase();
    let likeness = |other: &String| strsim::jaro_winkler(&id, &other.to_lowercase());
    let rated = ids.into_iter().map(|other| (likeness(&other), other));
    let mut near: Vec<(f64, String)> = rated.filter(|(likeness, _)| *likeness >= 0.8).collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.truncate(3);
    let near: Vec<String> = near.iter().map(|(_, id)| format!("{id:?}")).collect();
    match near.as_slice() {
        [] => String::new(),
        near => format!(": did you mean {}?", near.join(" or ")),
    }
}
