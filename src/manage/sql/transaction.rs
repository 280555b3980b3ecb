use std::collections::HashMap;

use crate::catalog::{KeySlot, Scope};
use crate::key::KeyDigest;
use crate::manage::audit::AuditEntry;
use crate::manage::record::{ApiRecord, ProductRecord, SubscriptionRecord};
use crate::manage::reference::{RecordKind, RecordRef};
use crate::manage::repository::{Answer, Counted, SealedKeys, SubscriptionPut, Transaction};
use crate::manage::sql::audit;
use crate::manage::sql::rows::{self, Placed, json, read_digest};
use crate::manage::sql::session::{Session, SqlResult, Value};
use crate::manage::sql::{Database, SqlTransaction};
use crate::manage::stored::to_micros;

/// A transaction of the rules. It holds the row of the state, so that there is
/// one at a time in the whole database.
pub(super) struct RecordTransaction {
    database: Database,
    transaction: SqlTransaction,
    number: u64,
    /// By how much the totals of the three kinds change.
    totals: [i64; 3],
}

impl RecordTransaction {
    pub(super) async fn begin(
        database: &Database,
        mut transaction: SqlTransaction,
    ) -> SqlResult<Self> {
        let mut session = transaction.session();
        let text = session.dialect().choose(
            "SELECT number FROM sk_state",
            "SELECT number FROM sk_state FOR UPDATE",
        );
        let number = session.number(text, Vec::new()).await?;
        Ok(Self {
            database: database.clone(),
            transaction,
            number,
            totals: [0; 3],
        })
    }

    fn session(&mut self) -> Session<'_> {
        self.transaction.session()
    }

    async fn by_id<T: Placed>(&mut self, text: &'static str, id: &str) -> SqlResult<Option<T>> {
        let row = self.session().row(text, vec![id.into()]).await?;
        row.as_ref().map(rows::record).transpose()
    }

    async fn put_all(&mut self, changes: &[SubscriptionPut], sealed: &SealedKeys) -> SqlResult<()> {
        let mut records = Vec::with_capacity(changes.len());
        let mut scopes = Vec::new();
        let mut keys = Vec::new();
        for change in changes {
            let after = &change.after;
            match &change.before {
                None => self.totals[2] += 1,
                Some(before) => self.drop_parts(before, after).await?,
            }
            records.push(vec![
                after.place.into(),
                after.id.as_str().into(),
                after.display_name().into(),
                after.owner.as_deref().into(),
                after.state.as_str().into(),
                after.state_comment.as_deref().into(),
                after.expires_at.map(to_micros).into(),
                json(after)?,
            ]);
            for scope in &after.scopes {
                scopes.push(vec![
                    after.id.as_str().into(),
                    scope.to_string().into(),
                    after.owner.as_deref().unwrap_or_default().into(),
                    after.state.as_str().into(),
                    after.expires_at.map(to_micros).into(),
                ]);
            }
            keys.extend(new_keys(change, sealed));
        }
        let mut session = self.session();
        session
            .insert(
                "INSERT INTO sk_subscriptions \
                 (place, id, display_name, owner, state, state_comment, expires_at, data)",
                records,
                "ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, \
                 owner = excluded.owner, state = excluded.state, \
                 state_comment = excluded.state_comment, expires_at = excluded.expires_at, \
                 data = excluded.data",
            )
            .await?;
        session
            .insert(
                "INSERT INTO sk_scopes (subscription, scope, owner, state, expires_at)",
                scopes,
                "ON CONFLICT (subscription, scope) DO UPDATE SET owner = excluded.owner, \
                 state = excluded.state, expires_at = excluded.expires_at",
            )
            .await?;
        session
            .insert(
                "INSERT INTO sk_keys (digest, subscription, slot, retired, sealed)",
                keys,
                "ON CONFLICT (digest) DO UPDATE SET subscription = excluded.subscription, \
                 slot = excluded.slot, retired = excluded.retired, sealed = excluded.sealed",
            )
            .await
    }

    /// Deletes the scopes and keys that a record had and no longer has.
    async fn drop_parts(
        &mut self,
        before: &SubscriptionRecord,
        after: &SubscriptionRecord,
    ) -> SqlResult<()> {
        for scope in &before.scopes {
            if !after.scopes.contains(scope) {
                let text = "DELETE FROM sk_scopes WHERE subscription = $1 AND scope = $2";
                let values = vec![before.id.as_str().into(), scope.to_string().into()];
                self.session().execute(text, values).await?;
            }
        }
        for (_, _, key) in before.all_keys() {
            if !after.holds(&key.digest) {
                let text = "DELETE FROM sk_keys WHERE digest = $1 AND subscription = $2";
                let values = vec![digest(&key.digest), before.id.as_str().into()];
                self.session().execute(text, values).await?;
            }
        }
        Ok(())
    }

    async fn delete_record(&mut self, record: &RecordRef, version: u64) -> SqlResult<()> {
        let (at, text) = match record.kind {
            RecordKind::Api => (0, "DELETE FROM sk_apis WHERE id = $1"),
            RecordKind::Product => (1, "DELETE FROM sk_products WHERE id = $1"),
            RecordKind::Subscription => (2, "DELETE FROM sk_subscriptions WHERE id = $1"),
            RecordKind::Catalog => return Ok(()),
        };
        let id = || vec![record.id.as_str().into()];
        let mut session = self.session();
        let deleted = session.execute(text, id()).await?;
        if record.kind == RecordKind::Subscription {
            for part in [
                "DELETE FROM sk_scopes WHERE subscription = $1",
                "DELETE FROM sk_keys WHERE subscription = $1",
                "DELETE FROM sk_uses WHERE subscription = $1",
            ] {
                session.execute(part, id()).await?;
            }
        }
        let note = "INSERT INTO sk_deleted (kind, id, version) VALUES ($1, $2, $3) \
                    ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version";
        let values = vec![
            record.kind.as_str().into(),
            record.id.as_str().into(),
            version.into(),
        ];
        session.execute(note, values).await?;
        self.totals[at] -= i64::try_from(deleted).unwrap_or_default();
        Ok(())
    }

    async fn finish(mut self, counts: bool) -> SqlResult<()> {
        let number = self.number + u64::from(counts);
        if counts || self.totals != [0; 3] {
            let text = "UPDATE sk_state SET number = $1, apis = apis + $2, \
                        products = products + $3, subscriptions = subscriptions + $4";
            let [apis, products, subscriptions] = self.totals;
            let values = vec![
                number.into(),
                apis.into(),
                products.into(),
                subscriptions.into(),
            ];
            self.session().execute(text, values).await?;
        }
        #[cfg(feature = "postgres")]
        if counts && let Session::Postgres(_) = self.session() {
            let text = "SELECT pg_notify('sk_changes', $1)";
            let values = vec![number.to_string().into()];
            self.session().execute(text, values).await?;
        }
        self.transaction.commit().await?;
        if counts {
            self.database.note_commit();
        }
        Ok(())
    }
}

/// The rows of those keys that are new in their place.
fn new_keys(change: &SubscriptionPut, sealed: &SealedKeys) -> impl Iterator<Item = Vec<Value>> {
    let SubscriptionPut { before, after } = change;
    after.all_keys().filter_map(|(slot, retired, key)| {
        let sealed = sealed.get(&key.digest);
        let is_known = before.as_ref().is_some_and(|before| {
            let mut held = before.all_keys();
            held.any(|(s, r, held)| (s, r, held.digest) == (slot, retired, key.digest))
        });
        if is_known && sealed.is_none() {
            return None;
        }
        Some(vec![
            digest(&key.digest),
            after.id.as_str().into(),
            i64::from(slot == KeySlot::Secondary).into(),
            i64::from(retired).into(),
            sealed.cloned().into(),
        ])
    })
}

fn texts(ids: &[String]) -> Vec<Value> {
    ids.iter().map(|id| id.as_str().into()).collect()
}

fn digest(digest: &KeyDigest) -> Value {
    digest.as_bytes().as_slice().into()
}

impl Transaction for RecordTransaction {
    fn next_number(&self) -> u64 {
        self.number + 1
    }

    fn api<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<ApiRecord>> {
        Box::pin(async move {
            let text = "SELECT data, place FROM sk_apis WHERE id = $1";
            Ok(self.by_id(text, id).await?)
        })
    }

    fn product<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<ProductRecord>> {
        Box::pin(async move {
            let text = "SELECT data, place FROM sk_products WHERE id = $1";
            Ok(self.by_id(text, id).await?)
        })
    }

    fn subscription<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<SubscriptionRecord>> {
        Box::pin(async move {
            let text = "SELECT data, place FROM sk_subscriptions WHERE id = $1";
            Ok(self.by_id(text, id).await?)
        })
    }

    fn definitions(&mut self) -> Answer<'_, (Vec<ApiRecord>, Vec<ProductRecord>)> {
        Box::pin(async {
            let mut session = self.session();
            let text = "SELECT data, place FROM sk_apis ORDER BY place";
            let apis = session.rows(text, Vec::new()).await?;
            let text = "SELECT data, place FROM sk_products ORDER BY place";
            let products = session.rows(text, Vec::new()).await?;
            let apis = apis.iter().map(rows::record).collect::<SqlResult<_>>()?;
            let products = products.iter().map(rows::record);
            Ok((apis, products.collect::<SqlResult<_>>()?))
        })
    }

    fn subscriptions<'a>(
        &'a mut self,
        ids: &'a [String],
    ) -> Answer<'a, HashMap<String, SubscriptionRecord>> {
        Box::pin(async move {
            let text = "SELECT data, place FROM sk_subscriptions WHERE id IN";
            let found = self.session().among(text, &texts(ids), "").await?;
            let records = found.iter().map(|row| {
                let record: SubscriptionRecord = rows::record(row)?;
                Ok((record.id.clone(), record))
            });
            Ok(records.collect::<SqlResult<_>>()?)
        })
    }

    fn key_holders<'a>(
        &'a mut self,
        digests: &'a [KeyDigest],
    ) -> Answer<'a, HashMap<KeyDigest, String>> {
        Box::pin(async move {
            let values: Vec<Value> = digests.iter().map(digest).collect();
            let text = "SELECT digest, subscription FROM sk_keys WHERE digest IN";
            let found = self.session().among(text, &values, "").await?;
            let holders = found
                .iter()
                .map(|row| Ok((read_digest(row, 0)?, row.text(1)?)));
            Ok(holders.collect::<SqlResult<_>>()?)
        })
    }

    fn scope_holders<'a>(&'a mut self, scope: &'a Scope) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let text = "SELECT subscription FROM sk_scopes WHERE scope = $1 ORDER BY subscription";
            let values = vec![scope.to_string().into()];
            let found = self.session().rows(text, values).await?;
            let ids = found.iter().map(|row| row.text(0));
            Ok(ids.collect::<SqlResult<_>>()?)
        })
    }

    fn count<'a>(&'a mut self, counted: Counted<'a>) -> Answer<'a, u64> {
        Box::pin(async move {
            let text = "SELECT COUNT(*) FROM (SELECT 1 FROM sk_scopes \
                        WHERE scope = $1 AND owner = $2 \
                        AND state IN ('active', 'submitted', 'suspended') \
                        AND (state <> 'active' OR expires_at IS NULL OR expires_at > $3) \
                        AND subscription <> $4 LIMIT $5) AS counted";
            let values = vec![
                Scope::Product(counted.product.to_owned())
                    .to_string()
                    .into(),
                counted.owner.unwrap_or_default().into(),
                to_micros(counted.now).into(),
                counted.except.into(),
                counted.most.into(),
            ];
            Ok(self.session().number(text, values).await?)
        })
    }

    fn deleted_versions<'a>(
        &'a mut self,
        kind: RecordKind,
        ids: &'a [String],
    ) -> Answer<'a, HashMap<String, u64>> {
        Box::pin(async move {
            let text =
                format!("SELECT id, version FROM sk_deleted WHERE kind = '{kind}' AND id IN");
            let found = self.session().among(&text, &texts(ids), "").await?;
            let versions = found.iter().map(|row| Ok((row.text(0)?, row.number(1)?)));
            Ok(versions.collect::<SqlResult<_>>()?)
        })
    }

    fn put_api<'a>(&'a mut self, record: &'a ApiRecord, is_new: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            self.totals[0] += i64::from(is_new);
            let values = vec![
                record.place.into(),
                record.id.as_str().into(),
                record.display_name().into(),
                json(record)?,
            ];
            let text = "INSERT INTO sk_apis (place, id, display_name, data) \
                        VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET \
                        display_name = excluded.display_name, data = excluded.data";
            self.session().execute(text, values).await?;
            Ok(())
        })
    }

    fn put_product<'a>(&'a mut self, record: &'a ProductRecord, is_new: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            self.totals[1] += i64::from(is_new);
            let values = vec![
                record.place.into(),
                record.id.as_str().into(),
                record.display_name().into(),
                i64::from(record.is_offered()).into(),
                json(record)?,
            ];
            let text = "INSERT INTO sk_products (place, id, display_name, offered, data) \
                        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET \
                        display_name = excluded.display_name, offered = excluded.offered, \
                        data = excluded.data";
            self.session().execute(text, values).await?;
            Ok(())
        })
    }

    fn put_subscriptions<'a>(
        &'a mut self,
        changes: &'a [SubscriptionPut],
        sealed: &'a SealedKeys,
    ) -> Answer<'a, ()> {
        Box::pin(async move { Ok(self.put_all(changes, sealed).await?) })
    }

    fn delete<'a>(&'a mut self, record: &'a RecordRef, version: u64) -> Answer<'a, ()> {
        Box::pin(async move { Ok(self.delete_record(record, version).await?) })
    }

    fn sealed_keys<'a>(&'a mut self, id: &'a str) -> Answer<'a, SealedKeys> {
        Box::pin(async move {
            let text = "SELECT digest, sealed FROM sk_keys \
                        WHERE subscription = $1 AND sealed IS NOT NULL";
            let found = self.session().rows(text, vec![id.into()]).await?;
            let keys = found
                .iter()
                .map(|row| Ok((read_digest(row, 0)?, row.bytes(1)?)));
            Ok(keys.collect::<SqlResult<_>>()?)
        })
    }

    fn note(&mut self, entries: Vec<AuditEntry>, counts: bool) -> Answer<'_, ()> {
        Box::pin(async move {
            let after = (!counts).then_some(self.number);
            Ok(audit::write(&mut self.session(), entries, after).await?)
        })
    }

    fn commit<'a>(self: Box<Self>, counts: bool) -> Answer<'a, ()>
    where
        Self: 'a,
    {
        Box::pin(async move { Ok(self.finish(counts).await?) })
    }
}
