//! What the rules need from a database. Everything that decides lives in the
//! rules; a repository stores, finds and counts.

use std::collections::HashMap;
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::catalog::Scope;
use crate::key::KeyDigest;
use crate::manage::audit::{AuditEntry, AuditQuery};
use crate::manage::filter::{ListQuery, Page};
use crate::manage::record::{ApiRecord, ProductRecord, SubscriptionRecord};
use crate::manage::reference::{RecordKind, RecordRef};
use crate::manage::{Replica, RepositoryError};

/// How many entries of refused operations the audit trail keeps.
pub(crate) const REFUSED_KEPT: usize = 10_000;

pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, RepositoryError>>;

/// A database of records.
pub(crate) trait Repository: Send + Sync {
    /// Begins a transaction that may write. There is one at a time in the whole
    /// database; the next one waits for it, and sees what it committed.
    fn begin(&self) -> Answer<'_, Box<dyn Transaction>>;

    fn api<'a>(&'a self, id: &'a str) -> Answer<'a, Option<ApiRecord>>;
    fn product<'a>(&'a self, id: &'a str) -> Answer<'a, Option<ProductRecord>>;
    fn subscription<'a>(&'a self, id: &'a str) -> Answer<'a, Option<SubscriptionRecord>>;
    /// The subscription that holds the key in any slot.
    fn subscription_of_key<'a>(
        &'a self,
        key: &'a KeyDigest,
    ) -> Answer<'a, Option<SubscriptionRecord>>;
    fn list_apis<'a>(&'a self, query: &'a ListQuery) -> Answer<'a, Page<ApiRecord>>;
    /// `offered`: only products that owners see.
    fn list_products<'a>(
        &'a self,
        query: &'a ListQuery,
        offered: bool,
    ) -> Answer<'a, Page<ProductRecord>>;
    fn list_subscriptions<'a>(
        &'a self,
        query: &'a ListQuery,
        now: SystemTime,
    ) -> Answer<'a, Page<SubscriptionRecord>>;
    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, Page<AuditEntry>>;

    /// The number of the last accepted change.
    fn number(&self) -> Answer<'_, u64>;
    /// The replicas with a lease that has not ended.
    fn replicas(&self) -> Answer<'_, Vec<Replica>>;
}

/// A transaction that may write. Dropped without commit, it changes nothing.
pub(crate) trait Transaction: Send {
    /// The number that this transaction gets if it changes anything.
    fn next_number(&self) -> u64;

    fn api<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<ApiRecord>>;
    fn product<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<ProductRecord>>;
    fn subscription<'a>(&'a mut self, id: &'a str) -> Answer<'a, Option<SubscriptionRecord>>;
    /// All APIs and products, in the order of the catalog.
    fn definitions(&mut self) -> Answer<'_, (Vec<ApiRecord>, Vec<ProductRecord>)>;
    /// The records of those of the ids that exist.
    fn subscriptions<'a>(
        &'a mut self,
        ids: &'a [String],
    ) -> Answer<'a, HashMap<String, SubscriptionRecord>>;
    /// The subscriptions that hold one of the digests in any slot.
    fn key_holders<'a>(
        &'a mut self,
        digests: &'a [KeyDigest],
    ) -> Answer<'a, HashMap<KeyDigest, String>>;
    /// The subscriptions with the scope, in the order of their ids.
    fn scope_holders<'a>(&'a mut self, scope: &'a Scope) -> Answer<'a, Vec<String>>;
    /// How many subscriptions of the owner to the product are active, submitted
    /// or suspended at the given time, leaving one out. Counts up to `most`.
    fn count<'a>(&'a mut self, counted: Counted<'a>) -> Answer<'a, u64>;
    /// The versions in which those of the records were last deleted that ever were.
    fn deleted_versions<'a>(
        &'a mut self,
        kind: RecordKind,
        ids: &'a [String],
    ) -> Answer<'a, HashMap<String, u64>>;

    fn put_api<'a>(&'a mut self, record: &'a ApiRecord, is_new: bool) -> Answer<'a, ()>;
    fn put_product<'a>(&'a mut self, record: &'a ProductRecord, is_new: bool) -> Answer<'a, ()>;
    /// Writes subscriptions, and the encrypted texts of those of their keys that are new.
    fn put_subscriptions<'a>(
        &'a mut self,
        changes: &'a [SubscriptionPut],
        sealed: &'a SealedKeys,
    ) -> Answer<'a, ()>;
    /// Deletes the record, which has the given version.
    fn delete<'a>(&'a mut self, record: &'a RecordRef, version: u64) -> Answer<'a, ()>;

    /// The encrypted keys of a subscription.
    fn sealed_keys<'a>(&'a mut self, id: &'a str) -> Answer<'a, SealedKeys>;

    /// Writes entries. `counts`: whether the transaction takes its number. Entries of one
    /// that does not are numbered after those of the last one that did.
    fn note(&mut self, entries: Vec<AuditEntry>, counts: bool) -> Answer<'_, ()>;
    fn commit<'a>(self: Box<Self>, counts: bool) -> Answer<'a, ()>
    where
        Self: 'a;
}

/// What a limit counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) product: &'a str,
    pub(crate) owner: Option<&'a str>,
    pub(crate) except: &'a str,
    pub(crate) now: SystemTime,
    pub(crate) most: u64,
}

/// A subscription to write, and what it replaces.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionPut {
    pub(crate) before: Option<SubscriptionRecord>,
    pub(crate) after: SubscriptionRecord,
}

/// The encrypted texts of keys, by the digests of the keys.
pub(crate) type SealedKeys = HashMap<KeyDigest, Vec<u8>>;
