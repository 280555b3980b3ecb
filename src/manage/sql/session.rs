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

macro_rules! values {
    ($($type:ty => $kind:ident: $convert:expr;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$kind(Some($convert(value)))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$kind(value.map($convert))
            }
        })*
    };
}

values! {
    i64 => Int: |number| number;
    u64 => Int: |number| i64::try_from(number).unwrap_or(i64::MAX);
    &str => Text: str::to_owned;
    String => Text: |text| text;
    &[u8] => Bytes: <[u8]>::to_vec;
    Vec<u8> => Bytes: |bytes| bytes;
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

/// Runs a statement on either connection, and converts what it answers.
macro_rules! run {
    ($session:ident, $sql:ident, $values:ident, $method:ident, $convert:expr) => {
        Ok(match $session {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => {
                let query = sqlite($sql.into(), $values);
                ($convert)(query.$method(&mut **connection).await?, Row::Sqlite)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                let query = postgres($sql.into(), $values);
                ($convert)(query.$method(&mut **connection).await?, Row::Postgres)
            }
        })
    };
}

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
        run!(self, sql, values, fetch_all, |rows: Vec<_>, row| {
            rows.into_iter().map(row).collect()
        })
    }

    /// The first row of an answer, if it has one.
    pub(crate) async fn row(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> SqlResult<Option<Row>> {
        run!(self, sql, values, fetch_optional, Option::map)
    }

    /// The single number that a statement returns, or zero if it returns no row.
    pub(crate) async fn number(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> SqlResult<u64> {
        let row = self.row(sql, values).await?;
        row.map_or(Ok(0), |row| row.number(0))
    }

    /// Runs a statement. Returns how many rows it affected.
    pub(crate) async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> SqlResult<u64> {
        Ok(match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => {
                let query = sqlite(sql.into(), values);
                query.execute(&mut **connection).await?.rows_affected()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                let query = postgres(sql.into(), values);
                query.execute(&mut **connection).await?.rows_affected()
            }
        })
    }

    /// All rows of the answers to `BEGIN ($1, $2, …) END`, for many values.
    pub(crate) async fn among(
        &mut self,
        begin: &str,
        values: &[Value],
        end: &str,
    ) -> SqlResult<Vec<Row>> {
        let mut rows = Vec::with_capacity(values.len());
        for values in values.chunks(AT_ONCE) {
            let places = self.dialect().places(values.len());
            let sql = format!("{begin} ({places}) {end}");
            rows.extend(self.rows(sql, values.to_vec()).await?);
        }
        Ok(rows)
    }

    /// Inserts many rows with few statements. `end` follows the values.
    pub(crate) async fn insert(
        &mut self,
        begin: &str,
        rows: Vec<Vec<Value>>,
        end: &str,
    ) -> SqlResult<()> {
        let mut rows = rows.into_iter();
        loop {
            let chunk: Vec<Vec<Value>> = rows.by_ref().take(AT_ONCE).collect();
            let Some(width) = chunk.first().map(Vec::len) else {
                return Ok(());
            };
            let places = self.dialect().places(width);
            match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(_) => {
                    let places = vec![format!("({places})"); chunk.len()].join(", ");
                    let values = chunk.into_iter().flatten().collect();
                    let sql = format!("{begin} VALUES {places} {end}");
                    self.execute(sql, values).await?;
                }
                #[cfg(feature = "postgres")]
                Self::Postgres(connection) => {
                    let sql = format!("{begin} SELECT * FROM UNNEST({places}) {end}");
                    let query = (0..width).fold(sqlx::query(AssertSqlSafe(sql)), |query, at| {
                        bind_column(query, &chunk, at)
                    });
                    query.execute(&mut **connection).await?;
                }
            }
        }
    }
}

/// How many rows or values one statement takes.
const AT_ONCE: usize = 500;

impl Dialect {
    /// Placeholders for the given number of values.
    ///
    /// On SQLite they are anonymous: it looks up names one by one, which for a thousand
    /// of them takes longer than the statement.
    fn places(self, count: usize) -> String {
        let place = |number| match self.choose("?", "$") {
            "?" => "?".to_owned(),
            sign => format!("{sign}{number}"),
        };
        (1..=count).map(place).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(feature = "postgres")]
type PgQuery = Query<'static, sqlx::Postgres, PgArguments>;

/// Binds the values of one column as one array: PostgreSQL plans the statement once, and
/// not for each number of rows.
#[cfg(feature = "postgres")]
fn bind_column(query: PgQuery, rows: &[Vec<Value>], at: usize) -> PgQuery {
    macro_rules! array {
        ($kind:ident, $convert:expr) => {{
            let values = rows.iter().map(|row| match &row[at] {
                Value::$kind(value) => value.clone().map($convert),
                _ => None,
            });
            query.bind(values.collect::<Vec<_>>())
        }};
    }
    match rows[0][at] {
        Value::Int(_) => array!(Int, |number| number),
        Value::Text(_) => array!(Text, storable),
        Value::Bytes(_) => array!(Bytes, |bytes| bytes),
    }
}
