#![allow(clippy::unwrap_used)]

use std::time::SystemTime;

use super::audit;
use super::database::Database;
use super::lists::{self, SUBSCRIPTIONS};
use crate::manage::audit::{AuditQuery, Operation, Outcome};
use crate::manage::filter::{Comparison, Filter, FilterField, ListQuery, Order};

/// The steps by which SQLite finds the rows of a statement.
async fn plan(database: &Database, text: String, values: Vec<super::Value>) -> String {
    let mut transaction = database.snapshot().await.unwrap();
    let text = format!("EXPLAIN QUERY PLAN {text}");
    let rows = transaction.session().rows(text, values).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.text(3).unwrap()).collect();
    steps.join("; ")
}

/// Every step is a search by an index, or a scan in the order of one, which stops
/// after the page.
fn assert_by_index(plan: &str) {
    for step in plan.split("; ") {
        let is_ordered = step.starts_with("SCAN") && step.contains("INDEX");
        let parts = [
            "CORRELATED SCALAR SUBQUERY",
            "LIST SUBQUERY",
            "SCALAR SUBQUERY",
            "CREATE BLOOM FILTER",
        ];
        let is_part = parts.iter().any(|part| step.starts_with(part));
        let unions = step.starts_with("MULTI-INDEX OR") || step.starts_with("INDEX ");
        let filters = step.starts_with("CREATE BLOOM FILTER");
        assert!(
            step.starts_with("SEARCH") || is_ordered || is_part || unions || filters,
            "{step} in {plan}"
        );
    }
}

#[tokio::test]
async fn list_or_lookup_on_sqlite_is_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let database = Database::open(path.to_str().unwrap()).await.unwrap();
    let now = SystemTime::now();
    let by = |field, value: &str| Some(Filter::compare(field, Comparison::Eq, value));
    let filters = [
        (
            None,
            "SCAN s USING INDEX sqlite_autoindex_sk_subscriptions_1",
        ),
        (
            by(FilterField::Id, "a"),
            "sqlite_autoindex_sk_subscriptions_1 (id=?)",
        ),
        (
            by(FilterField::Owner, "jane"),
            "sk_subscriptions_owner (owner=?)",
        ),
        (
            by(FilterField::State, "suspended"),
            "sk_subscriptions_state (state=?)",
        ),
        (by(FilterField::Scope, "/apis"), "sk_scopes_scope (scope=?)"),
        (
            by(FilterField::Product, "starter"),
            "sk_scopes_scope (scope=?)",
        ),
    ];
    for (filter, index) in filters {
        let query = ListQuery {
            filter,
            ..ListQuery::default()
        };
        let page = lists::page(database.dialect(), SUBSCRIPTIONS, &query, None, now);
        let found = plan(&database, page.text, page.values).await;
        assert!(found.contains(index), "{found}");
        assert_by_index(&found);
        if query.filter.is_some() {
            let count = lists::count(database.dialect(), SUBSCRIPTIONS, &query, None, now);
            let found = plan(&database, count.text, count.values).await;
            assert!(found.contains(index), "{found}");
        }
    }
    let in_place = ListQuery {
        order: Order::Catalog,
        ..ListQuery::default()
    };
    let page = lists::page(database.dialect(), SUBSCRIPTIONS, &in_place, None, now);
    // The place is the key of the table: no step sorts.
    let found = plan(&database, page.text, page.values).await;
    assert!(!found.contains("TEMP B-TREE"), "{found}");
}

#[tokio::test]
async fn audit_feed_or_lookup_on_sqlite_is_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let database = Database::open(path.to_str().unwrap()).await.unwrap();
    let all = AuditQuery::default;
    let queries = [
        (all(), "sqlite_autoindex_sk_audit_1"),
        (
            AuditQuery {
                record: Some("a".into()),
                ..all()
            },
            "sk_audit_record",
        ),
        (
            AuditQuery {
                caller: Some("a".into()),
                ..all()
            },
            "sk_audit_caller",
        ),
        (
            AuditQuery {
                operation: Some(Operation::Cancel),
                ..all()
            },
            "sk_audit_operation",
        ),
        (
            AuditQuery {
                outcome: Some(Outcome::Refused),
                ..all()
            },
            "INDEX",
        ),
    ];
    for (query, index) in queries {
        let (page, _) = audit::list(database.dialect(), &query);
        let found = plan(&database, page.text, page.values).await;
        assert!(found.contains(index), "{found}");
        assert_by_index(&found);
    }
    let of_request = "SELECT s.data FROM sk_keys k JOIN sk_subscriptions s \
                      ON s.id = k.subscription WHERE k.digest = $1";
    let of_manage = format!("SELECT s.data FROM sk_subscriptions s {}", lists::OF_KEY);
    for digest in [of_request, &of_manage] {
        let values = vec![[0; 32].as_slice().into()];
        let found = plan(&database, digest.to_owned(), values).await;
        assert!(
            found.contains("sqlite_autoindex_sk_keys_1 (digest=?)"),
            "{found}"
        );
        assert_by_index(&found);
    }
    let feed = "SELECT kind FROM sk_audit WHERE number > $1 AND refused = 0 \
                ORDER BY number, idx LIMIT 10";
    let found = plan(&database, feed.to_owned(), vec![1_i64.into()]).await;
    assert_by_index(&found);
    assert!(!found.contains("TEMP B-TREE"), "{found}");
}
