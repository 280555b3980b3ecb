use std::time::{Duration, SystemTime};

use crate::catalog::KeySlot;
use crate::key::KeyDigest;
use crate::manage::audit::{AuditEntry, AuditQuery};
use crate::manage::filter::{ListQuery, Page};
use crate::manage::record::{ApiRecord, ProductRecord, SubscriptionRecord};
use crate::manage::repository::{Answer, Repository, SealedKeys, SubscriptionPut, Transaction};
use crate::manage::seal::Sealer;
use crate::manage::sql::lists::{self, APIS, PRODUCTS, SUBSCRIPTIONS, Statement, Table};
use crate::manage::sql::session::{Row, SqlResult};
use crate::manage::sql::transaction::RecordTransaction;
use crate::manage::sql::{Database, SqlTransaction};
use crate::manage::sql::{audit, rows};
use crate::manage::usage::KeyUse;
use crate::manage::{Replica, RepositoryError, stored};

/// A repository in a SQL database.
pub(crate) struct SqlRepository {
    pub(super) database: Database,
}

/// For how long a replica counts after its last report.
const LEASE: Duration = Duration::from_secs(30);

impl SqlRepository {
    /// The database at a path or URL, with its tables. A new one gets the given
    /// all-access subscription.
    pub(in crate::manage) async fn open(
        target: &str,
        master: SubscriptionRecord,
        sealed: &SealedKeys,
        sealer: Option<&Sealer>,
    ) -> Result<Self, RepositoryError> {
        let database = Database::open(target).await?;
        let repository = Self { database };
        repository.begin_state(master, sealed).await?;
        if let Some(sealer) = sealer {
            repository.check_encryption_key(sealer).await?;
        }
        Ok(repository)
    }

    /// The database at a path or URL, to be read when it is reached.
    pub(crate) fn connect(target: &str) -> Result<Self, RepositoryError> {
        let database = Database::connect(target)?;
        Ok(Self { database })
    }

    /// Makes the state of a new database.
    async fn begin_state(
        &self,
        master: SubscriptionRecord,
        sealed: &SealedKeys,
    ) -> Result<(), RepositoryError> {
        let mut transaction = self.database.begin().await?;
        let begin = "INSERT INTO sk_state (id, number, apis, products, subscriptions, refused) \
                     VALUES (1, 0, 0, 0, 0, 0) ON CONFLICT (id) DO NOTHING";
        if transaction.session().execute(begin, Vec::new()).await? == 0 {
            return Ok(());
        }
        let mut transaction = RecordTransaction::begin(&self.database, transaction).await?;
        let (before, after) = (None, master);
        let master = SubscriptionPut { before, after };
        transaction.put_subscriptions(&[master], sealed).await?;
        Box::new(transaction).commit(false).await
    }

    /// Refuses an encryption key that is not the one of the database.
    async fn check_encryption_key(&self, sealer: &Sealer) -> Result<(), RepositoryError> {
        let mut transaction = self.database.begin().await?;
        let mut session = transaction.session();
        let text = "SELECT key_check FROM sk_state";
        let row = session.row(text, Vec::new()).await?;
        match row.map_or(Ok(None), |row| row.optional_bytes(0))? {
            Some(check) if sealer.fits(&check) => Ok(()),
            Some(_) => Err(RepositoryError::new(format!(
                "the keys in the database {} were encrypted with another encryption key: open \
                 it with that one",
                self.database.name()
            ))),
            None => {
                let text = "UPDATE sk_state SET key_check = $1";
                let check = vec![Some(sealer.check()?).into()];
                session.execute(text, check).await?;
                Ok(transaction.commit().await?)
            }
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// A transaction for what may be lost if the database's machine fails: it is
    /// reported again. PostgreSQL then does not wait for the disk.
    async fn begin_unsynced(&self) -> SqlResult<SqlTransaction> {
        let mut transaction = self.database.begin().await?;
        let mut session = transaction.session();
        let text = session
            .dialect()
            .choose("SELECT 1", "SET LOCAL synchronous_commit TO OFF");
        session.execute(text, Vec::new()).await?;
        Ok(transaction)
    }

    /// Records the use of slots, merged by maximum. Unknown subscriptions are ignored.
    pub(crate) async fn record_use(&self, uses: &[KeyUse]) -> Result<(), RepositoryError> {
        let mut transaction = self.begin_unsynced().await?;
        let uses = uses.iter().map(|used| {
            let slot = i64::from(used.slot == KeySlot::Secondary);
            let at = stored::to_micros(used.at);
            vec![used.subscription.as_str().into(), slot.into(), at.into()]
        });
        let session = &mut transaction.session();
        session
            .insert(
                "INSERT INTO sk_uses (subscription, slot, at)",
                uses.collect(),
                "ON CONFLICT (subscription, slot) DO UPDATE SET at = excluded.at \
                 WHERE excluded.at > sk_uses.at",
            )
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Records that a replica is alive and has applied a number.
    pub(crate) async fn report_replica(
        &self,
        id: &str,
        applied: u64,
    ) -> Result<(), RepositoryError> {
        let now = self.database.dialect().now();
        let text = format!(
            "INSERT INTO sk_replicas (id, applied, at) VALUES ($1, $2, {now}) \
             ON CONFLICT (id) DO UPDATE SET applied = excluded.applied, at = excluded.at"
        );
        let mut transaction = self.begin_unsynced().await?;
        let values = vec![id.into(), applied.into()];
        transaction.session().execute(text, values).await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets the reports of a replica that has ended.
    pub(crate) async fn forget_replica(&self, id: &str) -> Result<(), RepositoryError> {
        let mut transaction = self.begin_unsynced().await?;
        let text = "DELETE FROM sk_replicas WHERE id = $1";
        transaction.session().execute(text, vec![id.into()]).await?;
        Ok(transaction.commit().await?)
    }

    async fn read(&self, statement: Statement) -> SqlResult<Vec<Row>> {
        let mut transaction = self.database.snapshot().await?;
        let mut session = transaction.session();
        session.rows(statement.text, statement.values).await
    }

    async fn by_id<T>(
        &self,
        table: Table,
        id: &str,
        record: impl Fn(&Row) -> SqlResult<T>,
    ) -> SqlResult<Option<T>> {
        let text = format!("SELECT {} FROM {} WHERE s.id = ", table.columns, table.name);
        let mut statement = Statement::new(self.database.dialect(), text);
        statement.bind(id);
        self.read(statement).await?.first().map(record).transpose()
    }

    /// A page and the total, of one version.
    async fn page<T>(
        &self,
        page: Statement,
        count: Statement,
        record: impl Fn(&Row) -> SqlResult<T>,
    ) -> SqlResult<Page<T>> {
        let mut transaction = self.database.snapshot().await?;
        let mut session = transaction.session();
        let total = session.number(count.text, count.values).await?;
        let rows = session.rows(page.text, page.values).await?;
        let records = rows.iter().map(record).collect::<SqlResult<_>>()?;
        Ok(Page { records, total })
    }

    async fn list<T>(
        &self,
        table: Table,
        query: &ListQuery,
        only: Option<&str>,
        now: SystemTime,
        record: impl Fn(&Row) -> SqlResult<T>,
    ) -> Result<Page<T>, RepositoryError> {
        let dialect = self.database.dialect();
        let page = lists::page(dialect, table, query, only, now);
        let count = lists::count(dialect, table, query, only, now);
        Ok(self.page(page, count, record).await?)
    }
}

impl Repository for SqlRepository {
    fn begin(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(async {
            let transaction = self.database.begin().await?;
            let transaction = RecordTransaction::begin(&self.database, transaction).await?;
            Ok(Box::new(transaction) as Box<dyn Transaction>)
        })
    }

    fn api<'a>(&'a self, id: &'a str) -> Answer<'a, Option<ApiRecord>> {
        Box::pin(async move { Ok(self.by_id(APIS, id, rows::record).await?) })
    }

    fn product<'a>(&'a self, id: &'a str) -> Answer<'a, Option<ProductRecord>> {
        Box::pin(async move { Ok(self.by_id(PRODUCTS, id, rows::record).await?) })
    }

    fn subscription<'a>(&'a self, id: &'a str) -> Answer<'a, Option<SubscriptionRecord>> {
        Box::pin(async move {
            let record = rows::subscription_with_use;
            Ok(self.by_id(SUBSCRIPTIONS, id, record).await?)
        })
    }

    fn subscription_of_key<'a>(
        &'a self,
        key: &'a KeyDigest,
    ) -> Answer<'a, Option<SubscriptionRecord>> {
        Box::pin(async move {
            let (columns, table) = (SUBSCRIPTIONS.columns, SUBSCRIPTIONS.name);
            let text = format!("SELECT {columns} FROM {table} {}", lists::OF_KEY);
            let mut transaction = self.database.snapshot().await?;
            let values = vec![key.as_bytes().as_slice().into()];
            let row = transaction.session().row(text, values).await?;
            Ok(row.as_ref().map(rows::subscription_with_use).transpose()?)
        })
    }

    fn list_apis<'a>(&'a self, query: &'a ListQuery) -> Answer<'a, Page<ApiRecord>> {
        Box::pin(self.list(APIS, query, None, SystemTime::now(), rows::record))
    }

    fn list_products<'a>(
        &'a self,
        query: &'a ListQuery,
        offered: bool,
    ) -> Answer<'a, Page<ProductRecord>> {
        let only = offered.then_some("s.offered = 1");
        Box::pin(self.list(PRODUCTS, query, only, SystemTime::now(), rows::record))
    }

    fn list_subscriptions<'a>(
        &'a self,
        query: &'a ListQuery,
        now: SystemTime,
    ) -> Answer<'a, Page<SubscriptionRecord>> {
        Box::pin(self.list(SUBSCRIPTIONS, query, None, now, rows::subscription_with_use))
    }

    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, Page<AuditEntry>> {
        Box::pin(async move {
            let (page, count) = audit::list(self.database.dialect(), query);
            Ok(self.page(page, count, audit::read).await?)
        })
    }

    fn number(&self) -> Answer<'_, u64> {
        Box::pin(async {
            let number = Statement::new(self.database.dialect(), "SELECT number FROM sk_state");
            let found = self.read(number).await?;
            Ok(found.first().map_or(Ok(0), |row| row.number(0))?)
        })
    }

    fn replicas(&self) -> Answer<'_, Vec<Replica>> {
        Box::pin(async {
            let dialect = self.database.dialect();
            let now = dialect.now();
            let text = format!("SELECT id, applied, {now} - at FROM sk_replicas ORDER BY id");
            let found = self.read(Statement::new(dialect, text)).await?;
            let mut replicas = Vec::with_capacity(found.len());
            for row in &found {
                // A clock that was set back makes no report younger than now.
                let age = Duration::from_micros(row.number(2)?);
                if age < LEASE {
                    replicas.push(Replica {
                        id: row.text(0)?,
                        applied: row.number(1)?,
                        age,
                    });
                }
            }
            Ok(replicas)
        })
    }
}
