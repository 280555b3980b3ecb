use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
#[cfg(feature = "postgres")]
use sqlx::Connection;
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::watch;

use crate::manage::RepositoryError;
use crate::manage::sql::schema::{MIGRATIONS, migrate};
use crate::manage::sql::session::{Dialect, Row, Session, SqlError, SqlResult, Value};

/// How long a call waits for a connection, and how long opening a database waits for
/// another process that creates the file.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a transaction waits for that of another process.
#[cfg(feature = "sqlite")]
const BUSY: Duration = Duration::from_secs(5);

/// A connection to PostgreSQL that was used this short a time ago is used untested.
#[cfg(feature = "postgres")]
const TRUSTED: Duration = Duration::from_millis(100);

/// A SQLite file or a PostgreSQL database. A clone is another handle.
#[derive(Clone)]
pub(crate) struct Database {
    pools: Pools,
    /// The place of the database for people, without a password.
    name: Arc<str>,
    /// Counts up with each change that this process makes.
    committed: Arc<watch::Sender<u64>>,
}

#[derive(Clone)]
enum Pools {
    #[cfg(feature = "sqlite")]
    Sqlite {
        /// One connection: SQLite has one writer, and waiting here is fair.
        writer: SqlitePool,
        readers: SqlitePool,
    },
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
}

/// A transaction, rolled back when dropped.
pub(crate) enum SqlTransaction {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Database {
    /// Opens the database at a path or URL. A SQLite file is made if it does not
    /// exist, and tables are brought to the current version.
    pub(crate) async fn open(target: &str) -> Result<Self, RepositoryError> {
        let database = Self::connect(target)?;
        let name = &database.name;
        let failed = |error| {
            RepositoryError::with_source(format!("the database {name} cannot be opened"), error)
        };
        let end = Instant::now() + CONNECTION_TIMEOUT;
        loop {
            match database.migrate(MIGRATIONS.len()).await {
                Ok(_) => return Ok(database),
                // Another process is making the file: SQLite does not wait for
                // that as it does for transactions.
                Err(error) if is_locked(&error.0) && Instant::now() < end => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// A handle to the database, which connects when it is first used.
    pub(crate) fn connect(target: &str) -> Result<Self, RepositoryError> {
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| target.starts_with(scheme));
        let (pools, name) = if is_postgres {
            Self::postgres(target)?
        } else {
            Self::sqlite(target.strip_prefix("sqlite:").unwrap_or(target))?
        };
        Ok(Self {
            pools,
            committed: commits_of(&name),
            name: name.into(),
        })
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(path: &str) -> Result<(Pools, String), RepositoryError> {
        let options = SqliteConnectOptions::new()
            .filename(path.trim_start_matches("//"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            // 64 MiB: digests are random, so imports touch every page of their index.
            .pragma("cache_size", "-65536")
            // For the journals of single statements.
            .pragma("temp_store", "memory")
            .statement_cache_capacity(200)
            .disable_statement_logging();
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(CONNECTION_TIMEOUT)
        };
        let (writer, readers) = (pool(1), pool(4));
        let pools = Pools::Sqlite {
            writer: writer.connect_lazy_with(options.clone()),
            readers: readers.connect_lazy_with(options),
        };
        Ok((pools, path.to_owned()))
    }

    #[cfg(not(feature = "sqlite"))]
    fn sqlite(_: &str) -> Result<(Pools, String), RepositoryError> {
        Err(RepositoryError::new(
            "SQLite files need the feature `sqlite`: enable it, or name a PostgreSQL URL",
        ))
    }

    #[cfg(feature = "postgres")]
    fn postgres(url: &str) -> Result<(Pools, String), RepositoryError> {
        let options: PgConnectOptions = url.parse().map_err(|_| {
            RepositoryError::new(
                "the PostgreSQL URL cannot be read: write it as \
                 postgres://USER@HOST:PORT/DATABASE",
            )
        })?;
        let name = format!(
            "postgres://{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        );
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            // A connection is tested before use only if it was idle: the test is a
            // round trip of its own.
            .test_before_acquire(false)
            .before_acquire(|connection, usage| {
                Box::pin(async move {
                    if usage.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.disable_statement_logging());
        Ok((Pools::Postgres(pool), name))
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres(_: &str) -> Result<(Pools, String), RepositoryError> {
        Err(RepositoryError::new(
            "PostgreSQL needs the feature `postgres`: enable it, or name a SQLite file",
        ))
    }

    /// Brings the tables to the given version, alone among all processes.
    pub(crate) async fn migrate(&self, version: usize) -> SqlResult<bool> {
        let mut transaction = self.begin().await?;
        let mut session = transaction.session();
        let lock = session.dialect().choose(
            "SELECT 1",
            "SELECT pg_advisory_xact_lock(hashtext('tower-subscription-key'))",
        );
        session.execute(lock, Vec::new()).await?;
        let is_new = migrate(&mut session, version).await?;
        transaction.commit().await?;
        Ok(is_new)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { .. } => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The place of the database for people, without a password.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Begins a transaction that may write. In SQLite it is the only one.
    pub(crate) async fn begin(&self) -> SqlResult<SqlTransaction> {
        Ok(match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { writer, .. } => SqlTransaction::Sqlite(begin_sqlite(writer).await?),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => SqlTransaction::Postgres(pool.begin().await?),
        })
    }

    /// Begins a transaction that reads one version of everything.
    pub(crate) async fn snapshot(&self) -> SqlResult<SqlTransaction> {
        Ok(match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { readers, .. } => SqlTransaction::Sqlite(readers.begin().await?),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => SqlTransaction::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
        })
    }

    /// The first row of one statement, which sees one version of everything. A
    /// connection that the server has closed is replaced.
    pub(crate) async fn row(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> SqlResult<Option<Row>> {
        match self.try_row(sql, values.clone()).await {
            Err(SqlError(sqlx::Error::Io(_))) => self.try_row(sql, values).await,
            row => row,
        }
    }

    async fn try_row(&self, sql: &'static str, values: Vec<Value>) -> SqlResult<Option<Row>> {
        match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await?;
                Session::Sqlite(&mut connection).row(sql, values).await
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                Session::Postgres(&mut connection).row(sql, values).await
            }
        }
    }

    /// Counts changes that this process makes, for those that wait for one.
    pub(crate) fn watch_commits(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    pub(crate) fn note_commit(&self) {
        self.committed.send_modify(|count| *count += 1);
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres_pool(&self) -> Option<&PgPool> {
        match &self.pools {
            Pools::Postgres(pool) => Some(pool),
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { .. } => None,
        }
    }
}

#[cfg(feature = "sqlite")]
async fn begin_sqlite(writer: &SqlitePool) -> SqlResult<sqlx::Transaction<'static, sqlx::Sqlite>> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match writer.begin_with(BEGIN).await {
        // SQLite itself rolls a transaction back when the disk is full, and then
        // the connection takes it for open for ever.
        Err(sqlx::Error::InvalidSavePointStatement) => {
            writer.acquire().await?.close().await?;
            Ok(writer.begin_with(BEGIN).await?)
        }
        begun => Ok(begun?),
    }
}

/// Whether another connection holds a lock that a statement needs.
fn is_locked(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| error.message().contains("database is locked"))
}

/// The counter of the changes that this process makes in a database. All handles
/// to the same database share it.
fn commits_of(name: &str) -> Arc<watch::Sender<u64>> {
    type Counters = HashMap<PathBuf, Weak<watch::Sender<u64>>>;
    static COUNTERS: Mutex<Option<Counters>> = Mutex::new(None);
    let path = std::path::absolute(name).unwrap_or_else(|_| name.into());
    let mut counters = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let counters = counters.get_or_insert_default();
    counters.retain(|_, counter| counter.strong_count() > 0);
    if let Some(counter) = counters.get(&path).and_then(Weak::upgrade) {
        return counter;
    }
    let counter = Arc::default();
    counters.insert(path, Arc::downgrade(&counter));
    counter
}

impl SqlTransaction {
    pub(crate) fn session(&mut self) -> Session<'_> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => Session::Sqlite(transaction),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => Session::Postgres(transaction),
        }
    }

    pub(crate) async fn commit(self) -> SqlResult<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => transaction.commit().await?,
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}
