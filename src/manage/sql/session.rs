//! One connection to either database, behind one face: the same SQL texts with
//! `$1`, the same values, the same rows.

use std::borrow::Cow;

#[cfg(feature = "postgres")]
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};

/// An error of the driver. Its type is not part of the public API.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct SqlError(#[from] pub(crate) sqlx::Error);

pub(crate) type SqlResult<T> = Result<T, SqlError>;

/// A value of a statement. Each knows its type, also if it is absent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Some(value.to_owned()))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value)
    }
}

/// The two databases, and where their SQL differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Dialect {
    /// One of two texts.
    pub(crate) fn choose(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        let _ = (sqlite, postgres);
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres,
        }
    }

    /// The database's own time in microseconds since the epoch.
    pub(crate) fn now(self) -> &'static str {
        self.choose(
            "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
        )
    }
}

/// A connection that is in use.
pub(crate) enum Session<'c> {
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut PgConnection),
}

/// A row of an answer.
pub(crate) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(PgRow),
}

macro_rules! column {
    ($($name:ident: $type:ty),*) => {
        $(pub(crate) fn $name(&self, at: usize) -> SqlResult<$type> {
            Ok(match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(row) => row.try_get(at)?,
                #[cfg(feature = "postgres")]
                Self::Postgres(row) => row.try_get(at)?,
            })
        })*
    };
}

impl Row {
    column!(
        int: i64,
        optional_int: Option<i64>,
        text: String,
        optional_text: Option<String>,
        bytes: Vec<u8>,
        optional_bytes: Option<Vec<u8>>
    );

    /// A text that is only looked at.
    pub(crate) fn str(&self, at: usize) -> SqlResult<&str> {
        Ok(match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.try_get(at)?,
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.try_get(at)?,
        })
    }

    /// A number that is never negative.
    pub(crate) fn number(&self, at: usize) -> SqlResult<u64> {
        Ok(u64::try_from(self.int(at)?).unwrap_or_default())
    }
}

macro_rules! binder {
    ($name:ident, $database:ty, $arguments:ty) => {
        pub(super) fn $name(
            sql: Cow<'static, str>,
            values: Vec<Value>,
        ) -> Query<'static, $database, $arguments> {
            let query = match sql {
                Cow::Borrowed(sql) => sqlx::query(sql),
                // Texts are put together from parts of this crate; every value
                // that comes from outside is bound.
                Cow::Owned(sql) => sqlx::query(AssertSqlSafe(sql)),
            };
            values.into_iter().fold(query, |query, value| match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value.map(storable)),
                Value::Bytes(value) => query.bind(value),
            })
        }
    };
}

/// The text without `NUL`, which PostgreSQL cannot hold.
fn storable(text: String) -> String {
    if text.contains('\0') {
        return text.replace('\0', "\u{fffd}");
    }
    text
}

#[cfg(feature = "sqlite")]
binder!(sqlite, sqlx::Sqlite, SqliteArguments);
#[cfg(feature = "postgres")]
binder!(postgres, sqlx::Postgres, PgArguments);

impl Session<'_> {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// All rows of an answer.
    pub(crate) async fn rows(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> SqlResult<Vec<Row>> {
        let sql = sql.into();
        Ok(match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => {
                let rows = sqlite(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                let rows = postgres(sql, values).fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row of an answer, if it has one.
    pub(crate) async fn row(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> SqlResult<Option<Row>> {
        let sql = sql.into();
        Ok(match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => sqlite(sql, values)
                .fetch_optional(&mut **connection)
                .await?
                .map(Row::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres(sql, values)
                .fetch_optional(&mut **connection)
                .await?
                .map(Row::Postgres),
        })
    }

    /// Runs a statement. Returns how many rows it affected.
    pub(crate) async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> SqlResult<u64> {
        let sql = sql.into();
        Ok(match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => sqlite(sql, values)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres(sql, values)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
        })
    }

    /// Inserts many rows with few statements. `end` follows the values.
    pub(crate) async fn insert(
        &mut self,
        begin: &'static str,
        rows: Vec<Vec<Value>>,
        end: &'static str,
    ) -> SqlResult<()> {
        const AT_ONCE: usize = 200;
        let mut rows = rows.into_iter();
        loop {
            let chunk: Vec<Vec<Value>> = rows.by_ref().take(AT_ONCE).collect();
            let Some(first) = chunk.first() else {
                return Ok(());
            };
            let sql = self
                .dialect()
                .values_text(begin, chunk.len(), first.len(), end);
            let values = chunk.into_iter().flatten().collect();
            self.execute(sql, values).await?;
        }
    }
}

impl Dialect {
    /// `BEGIN VALUES ($1, $2), ($3, $4) END`
    ///
    /// On SQLite the values have no names: it looks names up one by one, which for
    /// a thousand of them takes longer than the insertion.
    fn values_text(self, begin: &str, rows: usize, columns: usize, end: &str) -> String {
        let numbered = self.choose("", "numbered") == "numbered";
        let row = |row: usize| {
            let places = (1..=columns).map(|column| match numbered {
                true => format!("${}", row * columns + column),
                false => "?".to_owned(),
            });
            format!("({})", places.collect::<Vec<_>>().join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("{begin} VALUES {} {end}", rows.join(", "))
    }
}
