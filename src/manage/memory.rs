//! The repository in memory: persistent maps, so that a transaction is a copy
//! that costs nothing, and a rollback is to drop it.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync, RedBlackTreeSetSync};
use tokio::sync::OwnedMutexGuard;

use crate::catalog::{KeySlot, Scope, State};
use crate::key::KeyDigest;
use crate::manage::Replica;
use crate::manage::audit::{AuditEntry, AuditQuery, Outcome};
use crate::manage::filter::{Filtered, ListQuery, Order, Page};
use crate::manage::record::{ApiRecord, ProductRecord, SubscriptionRecord};
use crate::manage::reference::{RecordKind, RecordRef};
use crate::manage::repository::{
    Answer, Counted, REFUSED_KEPT, Repository, SealedKeys, SubscriptionPut, Transaction,
};

#[derive(Clone, Default)]
struct Tables {
    number: u64,
    apis: RedBlackTreeMapSync<String, ApiRecord>,
    products: RedBlackTreeMapSync<String, ProductRecord>,
    subscriptions: RedBlackTreeMapSync<String, SubscriptionRecord>,
    keys: HashTrieMapSync<KeyDigest, Key>,
    deleted: HashTrieMapSync<RecordRef, u64>,
    audit: RedBlackTreeMapSync<(u64, u64), AuditEntry>,
    refused: RedBlackTreeSetSync<(u64, u64)>,
}

#[derive(Clone)]
struct Key {
    subscription: String,
    slot: KeySlot,
    sealed: Option<Vec<u8>>,
}

pub(super) struct MemoryRepository {
    tables: Arc<ArcSwap<Tables>>,
    writer: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryRepository {
    /// A new database with its all-access subscription.
    pub(super) fn new(master: SubscriptionRecord, sealed: &SealedKeys) -> Self {
        let mut tables = Tables::default();
        let before = None;
        let after = master;
        tables.put(&SubscriptionPut { before, after }, sealed);
        Self {
            tables: Arc::new(ArcSwap::from_pointee(tables)),
            writer: Arc::default(),
        }
    }
}

impl Repository for MemoryRepository {
    fn begin(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(async {
            let guard = Arc::clone(&self.writer).lock_owned().await;
            let tables = Tables::clone(&self.tables.load());
            let shared = Arc::clone(&self.tables);
            let transaction = MemoryTransaction {
                tables,
                shared,
                _guard: guard,
            };
            Ok(Box::new(transaction) as Box<dyn Transaction>)
        })
    }

    fn api<'a>(&'a self, id: &'a str) -> Answer<'a, Option<ApiRecord>> {
        answer(self.tables.load().apis.get(id).cloned())
    }

    fn product<'a>(&'a self, id: &'a str) -> Answer<'a, Option<ProductRecord>> {
        answer(self.tables.load().products.get(id).cloned())
    }

    fn subscription<'a>(&'a self, id: &'a str) -> Answer<'a, Option<SubscriptionRecord>> {
        answer(self.tables.load().subscriptions.get(id).cloned())
    }

    fn subscription_of_key<'a>(
        &'a self,
        key: &'a KeyDigest,
    ) -> Answer<'a, Option<SubscriptionRecord>> {
        let tables = self.tables.load();
        let holder = tables.keys.get(key);
        let record = holder.and_then(|held| tables.subscriptions.get(&held.subscription));
        answer(record.cloned())
    }

    fn list_apis<'a>(&'a self, query: &'a ListQuery) -> Answer<'a, Page<ApiRecord>> {
        let tables = self.tables.load();
        answer(list(query, tables.apis.values().cloned(), |api| api.place))
    }

    fn list_products<'a>(
        &'a self,
        query: &'a ListQuery,
        offered: bool,
    ) -> Answer<'a, Page<ProductRecord>> {
        let tables = self.tables.load();
        let products = tables.products.values();
        let products = products.filter(|product| !offered || product.is_offered());
        answer(list(query, products.cloned(), |product| product.place))
    }

    fn list_subscriptions<'a>(
        &'a self,
        query: &'a ListQuery,
        now: SystemTime,
    ) -> Answer<'a, Page<SubscriptionRecord>> {
        let tables = self.tables.load();
        // The computed state is for the filter only: records are handed out as stored.
        let records = tables.subscriptions.values().filter(|record| {
            let state = record.state_at(now);
            query.takes(&SubscriptionRecord {
                state,
                ..(*record).clone()
            })
        });
        let all = ListQuery {
            filter: None,
            ..query.clone()
        };
        answer(list(&all, records.cloned(), |record| record.place))
    }

    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, Page<AuditEntry>> {
        let tables = self.tables.load();
        let mut entries: Vec<_> = tables.audit.values().filter(|e| query.takes(e)).collect();
        entries.reverse();
        let total = entries.len() as u64;
        if let Some(before) = query.before {
            entries.retain(|entry| (entry.number, entry.index) < before);
        }
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        let page = entries.into_iter().skip(skip).take(query.top as usize);
        answer(Page {
            records: page.cloned().collect(),
            total,
        })
    }

    fn number(&self) -> Answer<'_, u64> {
        answer(self.tables.load().number)
    }

    /// None: only stores of a SQL database report.
    fn replicas(&self) -> Answer<'_, Vec<Replica>> {
        answer(Vec::new())
    }
}

struct MemoryTransaction {
    tables: Tables,
    shared: Arc<ArcSwap<Tables>>,
    _guard: OwnedMutexGuard<()>,
}

impl Transaction for MemoryTransaction {
    fn next_number(&self) -> u64 {
        self.tables.number + 1
    }

    fn api<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<ApiRecord>> {
        answer(self.tables.apis.get(id).cloned())
    }

    fn product<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<ProductRecord>> {
        answer(self.tables.products.get(id).cloned())
    }

    fn subscription<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<SubscriptionRecord>> {
        answer(self.tables.subscriptions.get(id).cloned())
    }

    fn definitions(&mut self) -> Answer<'_, (Vec<ApiRecord>, Vec<ProductRecord>)> {
        let mut apis: Vec<ApiRecord> = self.tables.apis.values().cloned().collect();
        let mut products: Vec<ProductRecord> = self.tables.products.values().cloned().collect();
        apis.sort_unstable_by_key(|api| api.place);
        products.sort_unstable_by_key(|product| product.place);
        answer((apis, products))
    }

    fn subscriptions<'a>(
        &'a mut self,
        ids: &'a [String],
    ) -> Answer<'a, HashMap<String, SubscriptionRecord>> {
        let known = &self.tables.subscriptions;
        let found = ids
            .iter()
            .filter_map(|id| Some((id.clone(), known.get(id)?.clone())));
        answer(found.collect())
    }

    fn key_holders<'a>(
        &'a mut self,
        digests: &'a [KeyDigest],
    ) -> Answer<'a, HashMap<KeyDigest, String>> {
        let keys = &self.tables.keys;
        let found = digests
            .iter()
            .filter_map(|digest| Some((*digest, keys.get(digest)?.subscription.clone())));
        answer(found.collect())
    }

    fn scope_holders<'a>(&'a mut self, scope: &'a Scope) -> Answer<'a, Vec<String>> {
        let all = self.tables.subscriptions.values();
        let holders = all.filter(|record| record.scopes.contains(scope));
        answer(holders.map(|record| record.id.clone()).collect())
    }

    fn count<'a>(&'a mut self, counted: Counted<'a>) -> Answer<'a, u64> {
        let scope = Scope::Product(counted.product.to_owned());
        let all = self.tables.subscriptions.values();
        let found = all.filter(|record| {
            let state = record.state_at(counted.now);
            matches!(state, State::Active | State::Submitted | State::Suspended)
                && record.id != counted.except
                && record.owner.as_deref() == counted.owner
                && record.scopes.contains(&scope)
        });
        answer(found.count() as u64)
    }

    fn deleted_versions<'a>(
        &'a mut self,
        kind: RecordKind,
        ids: &'a [String],
    ) -> Answer<'a, HashMap<String, u64>> {
        let version = |id: &String| {
            let id = id.clone();
            let record = RecordRef { kind, id };
            let version = *self.tables.deleted.get(&record)?;
            Some((record.id, version))
        };
        answer(ids.iter().filter_map(version).collect())
    }

    fn put_api<'a>(&'a mut self, record: &'a ApiRecord, _: bool) -> Answer<'a, ()> {
        self.tables
            .apis
            .insert_mut(record.id.clone(), record.clone());
        answer(())
    }

    fn put_product<'a>(&'a mut self, record: &'a ProductRecord, _: bool) -> Answer<'a, ()> {
        self.tables
            .products
            .insert_mut(record.id.clone(), record.clone());
        answer(())
    }

    fn put_subscriptions<'a>(
        &'a mut self,
        changes: &'a [SubscriptionPut],
        sealed: &'a SealedKeys,
    ) -> Answer<'a, ()> {
        for change in changes {
            self.tables.put(change, sealed);
        }
        answer(())
    }

    fn delete<'a>(&'a mut self, record: &'a RecordRef, version: u64) -> Answer<'a, ()> {
        match record.kind {
            RecordKind::Api => drop(self.tables.apis.remove_mut(&record.id)),
            RecordKind::Product => drop(self.tables.products.remove_mut(&record.id)),
            RecordKind::Subscription => {
                if let Some(before) = self.tables.subscriptions.get(&record.id).cloned() {
                    self.tables.drop_keys(&before, None);
                }
                self.tables.subscriptions.remove_mut(&record.id);
            }
            RecordKind::Catalog => {}
        }
        self.tables.deleted.insert_mut(record.clone(), version);
        answer(())
    }

    fn sealed_keys<'a>(&'a mut self, id: &'a str) -> Answer<'a, SealedKeys> {
        let record = self.tables.subscriptions.get(id);
        let keys = record.into_iter().flat_map(SubscriptionRecord::all_keys);
        let sealed = keys.filter_map(|(_, _, key)| {
            let known = self.tables.keys.get(&key.digest)?;
            Some((key.digest, known.sealed.clone()?))
        });
        answer(sealed.collect())
    }

    fn note(&mut self, entries: Vec<AuditEntry>, counts: bool) -> Answer<'_, ()> {
        self.tables.note(entries, counts);
        answer(())
    }

    fn commit<'a>(mut self: Box<Self>, counts: bool) -> Answer<'a, ()>
    where
        Self: 'a,
    {
        self.tables.number += u64::from(counts);
        self.shared.store(Arc::new(self.tables));
        answer(())
    }
}

impl Tables {
    fn put(&mut self, change: &SubscriptionPut, sealed: &SealedKeys) {
        let after = &change.after;
        if let Some(before) = &change.before {
            self.drop_keys(before, Some(after));
        }
        for (slot, retired, key) in after.all_keys() {
            let known = self
                .keys
                .get(&key.digest)
                .filter(|known| !retired && known.subscription == after.id && known.slot == slot);
            let known = known.and_then(|known| known.sealed.as_ref());
            let row = Key {
                subscription: after.id.clone(),
                slot,
                sealed: sealed.get(&key.digest).or(known).cloned(),
            };
            self.keys.insert_mut(key.digest, row);
        }
        self.subscriptions
            .insert_mut(after.id.clone(), after.clone());
    }

    /// Removes the keys that the subscription had and no longer has.
    fn drop_keys(&mut self, before: &SubscriptionRecord, after: Option<&SubscriptionRecord>) {
        for (_, _, key) in before.all_keys() {
            let is_kept = after.is_some_and(|after| after.holds(&key.digest));
            let holder = self.keys.get(&key.digest);
            if !is_kept && holder.is_some_and(|holder| holder.subscription == before.id) {
                self.keys.remove_mut(&key.digest);
            }
        }
    }

    fn note(&mut self, entries: Vec<AuditEntry>, counts: bool) {
        for mut entry in entries {
            if !counts {
                entry.number = self.number;
                let last = self.audit.last().map(|(name, _)| *name);
                entry.index = match last {
                    Some((number, index)) if number == self.number => index + 1,
                    _ => 0,
                };
            }
            let name = (entry.number, entry.index);
            if entry.outcome == Outcome::Refused {
                self.refused.insert_mut(name);
            }
            self.audit.insert_mut(name, entry);
        }
        while self.refused.size() > REFUSED_KEPT {
            let Some(oldest) = self.refused.first().copied() else {
                break;
            };
            self.refused.remove_mut(&oldest);
            self.audit.remove_mut(&oldest);
        }
    }
}

fn answer<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(ready(Ok(value)))
}

fn list<T: Filtered>(
    query: &ListQuery,
    records: impl Iterator<Item = T>,
    place: impl Fn(&T) -> i64,
) -> Page<T> {
    let mut found: Vec<T> = records.filter(|record| query.takes(record)).collect();
    if query.order == Order::Catalog {
        found.sort_by_key(place);
    }
    query.page(found)
}
