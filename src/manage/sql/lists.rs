//! Lists as SQL: filters become conditions with bound values.

use std::time::SystemTime;

use crate::manage::filter::{Comparison, Filter, FilterField, ListQuery, Order};
use crate::manage::sql::session::{Dialect, Value};
use crate::manage::stored::to_micros;

/// A statement under construction.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
    dialect: Dialect,
}

/// Where a kind of record lies.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static str,
    /// The column of the state with the number of its records.
    pub(super) total: &'static str,
}

pub(super) const APIS: Table = Table {
    name: "sk_apis s",
    columns: "s.data, s.place",
    total: "apis",
};
pub(super) const PRODUCTS: Table = Table {
    name: "sk_products s",
    columns: "s.data, s.place",
    total: "products",
};
pub(super) const SUBSCRIPTIONS: Table = Table {
    name: "sk_subscriptions s",
    columns: "s.data, s.place, \
        (SELECT u.at FROM sk_uses u WHERE u.subscription = s.id AND u.slot = 0), \
        (SELECT u.at FROM sk_uses u WHERE u.subscription = s.id AND u.slot = 1)",
    total: "subscriptions",
};

/// The subscription that holds a key in any slot.
pub(super) const OF_KEY: &str =
    "WHERE s.id = (SELECT k.subscription FROM sk_keys k WHERE k.digest = $1)";

impl Statement {
    pub(super) fn new(dialect: Dialect, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
            dialect,
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Binds a value and writes its place.
    pub(super) fn bind(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        self.push(&place);
    }

    fn filter(&mut self, filter: &Filter, now: i64) {
        match filter {
            Filter::And(one, two) => self.pair(one, " AND ", two, now),
            Filter::Or(one, two) => self.pair(one, " OR ", two, now),
            Filter::Compare(field, comparison, value) => {
                self.compare(*field, *comparison, value, now);
            }
        }
    }

    fn pair(&mut self, one: &Filter, operator: &str, two: &Filter, now: i64) {
        self.push("(");
        self.filter(one, now);
        self.push(operator);
        self.filter(two, now);
        self.push(")");
    }

    fn compare(&mut self, field: FilterField, comparison: Comparison, value: &str, now: i64) {
        match field {
            FilterField::Id => self.operate("s.id", comparison, value),
            FilterField::DisplayName => self.operate("s.display_name", comparison, value),
            FilterField::StateComment => {
                self.operate("COALESCE(s.state_comment, '')", comparison, value);
            }
            FilterField::Owner if comparison == Comparison::Eq && !value.is_empty() => {
                self.operate("s.owner", comparison, value);
            }
            FilterField::Owner => self.operate("COALESCE(s.owner, '')", comparison, value),
            FilterField::State => self.state(comparison, value, now),
            FilterField::Scope => self.scope("x.scope", "", comparison, value),
            FilterField::Product => {
                let only = " AND x.scope LIKE '/products/%'";
                self.scope("substr(x.scope, 11)", only, comparison, value);
            }
        }
    }

    /// The state that callers see: an active subscription that has ended is expired.
    fn state(&mut self, comparison: Comparison, value: &str, now: i64) {
        match (comparison, value) {
            (Comparison::Eq, "active") => {
                self.push("(s.state = 'active' AND (s.expires_at IS NULL OR s.expires_at > ");
                self.bind(now);
                self.push("))");
            }
            (Comparison::Eq, "expired") => {
                self.push("(s.state = 'expired' OR (s.state = 'active' AND s.expires_at <= ");
                self.bind(now);
                self.push("))");
            }
            (Comparison::Eq, _) => self.operate("s.state", comparison, value),
            _ => {
                self.push("(CASE WHEN s.state = 'active' AND s.expires_at <= ");
                self.bind(now);
                self.push(" THEN 'expired' ELSE s.state END)");
                self.operate("", comparison, value);
            }
        }
    }

    /// Whether any scope compares so; for `ne`, whether no scope is equal.
    fn scope(&mut self, column: &str, only: &str, comparison: Comparison, value: &str) {
        let (begin, comparison) = match comparison {
            Comparison::Ne => ("s.id NOT IN (", Comparison::Eq),
            other => ("s.id IN (", other),
        };
        self.push(begin);
        self.push("SELECT x.subscription FROM sk_scopes x WHERE ");
        if column == "substr(x.scope, 11)" && comparison == Comparison::Eq {
            self.operate("x.scope", comparison, &format!("/products/{value}"));
        } else {
            self.operate(column, comparison, value);
            self.push(only);
        }
        self.push(")");
    }

    fn operate(&mut self, column: &str, comparison: Comparison, value: &str) {
        let operator = match comparison {
            Comparison::Eq => " = ",
            Comparison::Ne => " <> ",
            Comparison::Ge => " >= ",
            Comparison::Le => " <= ",
            Comparison::Gt => " > ",
            Comparison::Lt => " < ",
            Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => {
                return self.search(column, comparison, value);
            }
        };
        self.push(column);
        self.push(operator);
        self.bind(value);
    }

    fn search(&mut self, column: &str, comparison: Comparison, value: &str) {
        let length = value.chars().count() as i64;
        match comparison {
            Comparison::Contains => {
                let find = self.dialect.choose("instr", "strpos");
                self.push(&format!("{find}({column}, "));
                self.bind(value);
                self.push(") > 0");
            }
            Comparison::StartsWith => {
                self.push(&format!("substr({column}, 1, CAST("));
                self.bind(length);
                self.push(" AS INTEGER)) = ");
                self.bind(value);
            }
            _ => {
                self.push(&format!("substr({column}, CAST(length({column}) - "));
                self.bind(length);
                self.push(" + 1 AS INTEGER)) = ");
                self.bind(value);
                // A start before the text would count from its end.
                self.push(&format!(" AND length({column}) >= "));
                self.bind(length);
            }
        }
    }

    /// The conditions of a list, if it has any.
    fn conditions(&mut self, query: &ListQuery, only: Option<&str>, after: Option<&str>, now: i64) {
        let mut next = " WHERE ";
        let mut begin = |statement: &mut Self| {
            statement.push(next);
            next = " AND ";
        };
        if let Some(only) = only {
            begin(self);
            self.push(only);
        }
        if let Some(filter) = &query.filter {
            begin(self);
            self.filter(filter, now);
        }
        if let Some(after) = after {
            begin(self);
            self.operate("s.id", Comparison::Gt, after);
        }
    }
}

/// The statement that reads a page. Of skipped records it reads only the ids.
pub(super) fn page(
    dialect: Dialect,
    table: Table,
    query: &ListQuery,
    only: Option<&str>,
    now: SystemTime,
) -> Statement {
    let order = match query.order {
        Order::Id => " ORDER BY s.id",
        Order::Catalog => " ORDER BY s.place",
    };
    let text = format!("SELECT {} FROM {}", table.columns, table.name);
    let mut statement = Statement::new(dialect, text);
    if query.skip > 0 {
        statement.push(&format!(" WHERE s.id IN (SELECT s.id FROM {}", table.name));
    }
    statement.conditions(query, only, query.after.as_deref(), to_micros(now));
    statement.push(order);
    statement.push(" LIMIT ");
    statement.bind(i64::from(query.top));
    if query.skip > 0 {
        statement.push(" OFFSET ");
        statement.bind(query.skip);
        statement.push(")");
        statement.push(order);
    }
    statement
}

/// The statement that counts what all pages have.
pub(super) fn count(
    dialect: Dialect,
    table: Table,
    query: &ListQuery,
    only: Option<&str>,
    now: SystemTime,
) -> Statement {
    if query.filter.is_none() && only.is_none() {
        return Statement::new(dialect, format!("SELECT {} FROM sk_state", table.total));
    }
    let text = format!("SELECT COUNT(*) FROM {}", table.name);
    let mut statement = Statement::new(dialect, text);
    statement.conditions(query, only, None, to_micros(now));
    statement
}
