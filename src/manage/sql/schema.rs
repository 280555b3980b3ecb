//! The tables, and how a database of an older version of them becomes one of the
//! current version.

use crate::manage::sql::session::{Dialect, Session, SqlResult};

/// The migrations, oldest first. A migration that was published never changes.
///
/// `{text}`, `{bytes}` and `{place}` are types with different names in the two
/// databases. Ids are compared by their bytes in both.
pub(super) const MIGRATIONS: &[&str] = &[
    // 1: records, keys, the audit trail with its change numbers.
    "
    CREATE TABLE sk_state (
        id BIGINT PRIMARY KEY CHECK (id = 1),
        number BIGINT NOT NULL,
        apis BIGINT NOT NULL,
        products BIGINT NOT NULL,
        subscriptions BIGINT NOT NULL,
        refused BIGINT NOT NULL,
        key_check {bytes}
    );
    CREATE TABLE sk_apis (
        place {place},
        id {text} NOT NULL UNIQUE,
        display_name {text} NOT NULL,
        data {text} NOT NULL
    );
    CREATE TABLE sk_products (
        place {place},
        id {text} NOT NULL UNIQUE,
        display_name {text} NOT NULL,
        offered BIGINT NOT NULL,
        data {text} NOT NULL
    );
    CREATE TABLE sk_subscriptions (
        place {place},
        id {text} NOT NULL UNIQUE,
        display_name {text} NOT NULL,
        owner {text},
        state {text} NOT NULL,
        state_comment {text},
        expires_at BIGINT,
        data {text} NOT NULL
    );
    CREATE INDEX sk_subscriptions_owner ON sk_subscriptions (owner, id);
    CREATE INDEX sk_subscriptions_state ON sk_subscriptions (state, id);
    CREATE TABLE sk_scopes (
        subscription {text} NOT NULL,
        scope {text} NOT NULL,
        owner {text} NOT NULL,
        state {text} NOT NULL,
        expires_at BIGINT,
        PRIMARY KEY (subscription, scope)
    );
    CREATE INDEX sk_scopes_scope ON sk_scopes (scope, owner, state, expires_at, subscription);
    CREATE TABLE sk_keys (
        digest {bytes} PRIMARY KEY,
        subscription {text} NOT NULL,
        slot BIGINT NOT NULL,
        retired BIGINT NOT NULL,
        sealed {bytes}
    );
    CREATE INDEX sk_keys_subscription ON sk_keys (subscription);
    CREATE TABLE sk_deleted (
        kind {text} NOT NULL,
        id {text} NOT NULL,
        version BIGINT NOT NULL,
        PRIMARY KEY (kind, id)
    );
    CREATE TABLE sk_audit (
        number BIGINT NOT NULL,
        idx BIGINT NOT NULL,
        at BIGINT NOT NULL,
        role {text} NOT NULL,
        caller {text} NOT NULL,
        operation {text} NOT NULL,
        refused BIGINT NOT NULL,
        kind {text} NOT NULL,
        record {text} NOT NULL,
        version_before BIGINT,
        version_after BIGINT,
        code {text},
        changes {text} NOT NULL,
        PRIMARY KEY (number, idx)
    );
    CREATE INDEX sk_audit_record ON sk_audit (record, number, idx);
    CREATE INDEX sk_audit_caller ON sk_audit (caller, number, idx);
    CREATE INDEX sk_audit_refused ON sk_audit (number, idx) WHERE refused = 1
    ",
    // 2: last use and replicas.
    "
    CREATE TABLE sk_uses (
        subscription {text} NOT NULL,
        slot BIGINT NOT NULL,
        at BIGINT NOT NULL,
        PRIMARY KEY (subscription, slot)
    );
    CREATE TABLE sk_replicas (
        id {text} PRIMARY KEY,
        applied BIGINT NOT NULL,
        at BIGINT NOT NULL
    )
    ",
    // 3: the audit trail by operation and by time.
    "
    CREATE INDEX sk_audit_operation ON sk_audit (operation, number, idx);
    CREATE INDEX sk_audit_at ON sk_audit (at)
    ",
];

/// Brings the tables to the given version, which is the newest but for tests.
/// Runs in a transaction that no other process can be in. Returns whether the
/// database was new.
pub(super) async fn migrate(session: &mut Session<'_>, version: usize) -> SqlResult<bool> {
    let create = "CREATE TABLE IF NOT EXISTS sk_migrations (version BIGINT PRIMARY KEY)";
    session.execute(create, Vec::new()).await?;
    let newest = "SELECT COALESCE(MAX(version), 0) FROM sk_migrations";
    let done = session.number(newest, Vec::new()).await?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        let message = format!(
            "the database has tables of version {done}, this program knows versions up to {}: \
             use a newer program",
            MIGRATIONS.len()
        );
        return Err(sqlx::Error::Configuration(message.into()).into());
    }
    for (at, migration) in MIGRATIONS.iter().enumerate().take(version).skip(done) {
        for statement in migration.split(';') {
            let statement = adapt(statement, session.dialect());
            session.execute(statement, Vec::new()).await?;
        }
        let note = "INSERT INTO sk_migrations (version) VALUES ($1)";
        session.execute(note, vec![(at as i64 + 1).into()]).await?;
    }
    Ok(done == 0)
}

fn adapt(statement: &str, dialect: Dialect) -> String {
    statement
        .replace("{text}", dialect.choose("TEXT", "TEXT COLLATE \"C\""))
        .replace("{bytes}", dialect.choose("BLOB", "BYTEA"))
        .replace(
            "{place}",
            dialect.choose("INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY"),
        )
}
