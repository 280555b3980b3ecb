//! A whole catalog as one change.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use crate::catalog::{
    Api, Catalog, Field, IssueKind, KeySlot, Product, Scope, Subscription, validate,
};
use crate::key::KeyDigest;
use crate::manage::error::FieldIssue;
use crate::manage::operations::Work;
use crate::manage::operations::apis::new_api;
use crate::manage::operations::products::new_product;
use crate::manage::operations::rules::{check_definitions, refuse, unknown_scope};
use crate::manage::operations::subscriptions::new_subscription;
use crate::manage::record::{ApiRecord, KeyRecord, ProductRecord, SubscriptionRecord};
use crate::manage::{
    Caller, Changed, Manage, ManageError, Operation, RecordRef, SLOTS, Secret, stored,
};

/// What to import, in the order of the catalog.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// The APIs.
    pub apis: Vec<Api>,
    /// The products.
    pub products: Vec<Product>,
    /// Memberships that are added to products that exist: product, API.
    pub memberships: Vec<(String, String)>,
    /// The subscriptions. Those without keys get generated ones if the options
    /// say so.
    pub subscriptions: Vec<Subscription>,
}

impl From<&Catalog> for Import {
    fn from(catalog: &Catalog) -> Self {
        Self {
            apis: catalog.apis().cloned().collect(),
            products: catalog.products().cloned().collect(),
            memberships: Vec::new(),
            subscriptions: catalog.subscriptions().collect(),
        }
    }
}

/// How to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// Whether records that exist with other content are replaced. Default: the
    /// import is refused with the list of them.
    pub replace: bool,
    /// Whether everything is only checked, and nothing is written or audited.
    pub dry_run: bool,
    /// Whether subscriptions without keys get generated ones. Default: they are
    /// refused.
    pub generate_keys: bool,
}

/// What an import changed. Records that were there with the same content do not
/// count.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Imported {
    /// How many APIs.
    pub apis: u64,
    /// How many products, without those that only got members.
    pub products: u64,
    /// How many memberships.
    pub memberships: u64,
    /// How many subscriptions.
    pub subscriptions: u64,
    /// The generated keys, shown once. Empty for a dry run.
    pub keys: Vec<NewKeys>,
}

/// The generated keys of an imported subscription.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewKeys {
    /// The subscription.
    pub id: String,
    /// Its primary key.
    pub primary_key: Secret,
    /// Its secondary key.
    pub secondary_key: Secret,
}

impl Manage {
    /// Imports APIs, products and subscriptions as one change, all or nothing.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `Conflict` with the records that exist with other
    /// content, unless they are to be replaced.
    pub async fn import(
        &self,
        caller: &Caller,
        import: Import,
        options: ImportOptions,
    ) -> Result<Changed<Imported>, ManageError> {
        let mut work = self
            .work(caller, Operation::Import, RecordRef::catalog())
            .await?;
        let result = work.import(import, options).await;
        if options.dry_run {
            let value = result?;
            return Ok(Changed::nothing(value));
        }
        work.finish(result).await
    }
}

/// The definitions while an import changes them.
struct Definitions {
    apis: Vec<ApiRecord>,
    products: Vec<ProductRecord>,
}

impl Work<'_> {
    async fn import(
        &mut self,
        import: Import,
        options: ImportOptions,
    ) -> Result<Imported, ManageError> {
        self.caller.only_publishers("import a catalog")?;
        let mut imported = Imported::default();
        let mut conflicts = Vec::new();
        let mut issues = Vec::new();
        let (apis, products) = self.tx.definitions().await?;
        let before = Definitions { apis, products };
        let after = before.with(&import, self.now, &mut conflicts);
        check_definitions(&after.apis, &after.products, &mut issues);
        refuse(&RecordRef::catalog(), issues)?;
        if !options.replace && !conflicts.is_empty() {
            self.add_conflicts(&import, &mut conflicts).await?;
            return Err(ManageError::Conflict { records: conflicts });
        }
        self.write_definitions(before, &after, &import, &mut imported)
            .await?;
        self.import_subscriptions(import.subscriptions, options, &after, &mut imported)
            .await?;
        if options.dry_run {
            imported.keys.clear();
        }
        Ok(imported)
    }

    /// Also lists the subscriptions that exist with other content.
    async fn add_conflicts(
        &mut self,
        import: &Import,
        conflicts: &mut Vec<RecordRef>,
    ) -> Result<(), ManageError> {
        for given in &import.subscriptions {
            if let Some(record) = self.tx.subscription(given.id()).await?
                && !is_same(&record, given, self.now)
            {
                conflicts.push(RecordRef::subscription(given.id()));
            }
        }
        Ok(())
    }

    async fn write_definitions(
        &mut self,
        before: Definitions,
        after: &Definitions,
        import: &Import,
        imported: &mut Imported,
    ) -> Result<(), ManageError> {
        for api in &after.apis {
            let before = before.apis.iter().find(|before| before.id == api.id);
            imported.apis += u64::from(before != Some(api));
            self.put_api(before, api.clone()).await?;
        }
        for product in &after.products {
            let before = before
                .products
                .iter()
                .find(|before| before.id == product.id);
            let had = before.map_or(&[][..], |before| &before.apis);
            let new_members = product.apis.iter().filter(|api| !had.contains(api));
            imported.memberships += new_members.count() as u64;
            let given = import.products.iter().any(|given| given.id() == product.id);
            imported.products += u64::from(given && before != Some(product));
            self.put_product(before, product.clone()).await?;
        }
        Ok(())
    }

    async fn import_subscriptions(
        &mut self,
        given: Vec<Subscription>,
        options: ImportOptions,
        definitions: &Definitions,
        imported: &mut Imported,
    ) -> Result<(), ManageError> {
        const CHUNK: usize = 1000;
        let scopes = definitions.scopes();
        let limited = definitions.limited();
        let ids: HashSet<String> = given.iter().map(|given| given.id().to_owned()).collect();
        let mut issues = Vec::new();
        if ids.len() < given.len() {
            issues.push(FieldIssue::new("id", IssueKind::DuplicateId.to_string()));
        }
        let mut conflicts = Vec::new();
        let mut held: HashMap<KeyDigest, String> = HashMap::new();
        for chunk in given.chunks(CHUNK) {
            self.flush().await?;
            let chunk_ids: Vec<String> = chunk.iter().map(|given| given.id().to_owned()).collect();
            let mut existing = self.tx.subscriptions(&chunk_ids).await?;
            self.know_deleted(&chunk_ids).await?;
            let digests: Vec<KeyDigest> = chunk
                .iter()
                .flat_map(|given| given.held_keys().map(|(_, key)| *key.digest()))
                .collect();
            let holders = self.tx.key_holders(&digests).await?;
            for given in chunk {
                let before = existing.remove(given.id());
                if let Some(before) = &before {
                    if is_same(before, given, self.now) {
                        continue;
                    }
                    if !options.replace {
                        conflicts.push(RecordRef::subscription(given.id()));
                        continue;
                    }
                }
                for (place, key) in given.held_keys() {
                    let slot = place.slot;
                    let in_import = held.insert(*key.digest(), given.id().to_owned());
                    let outside = holders.get(key.digest());
                    let outside = outside.filter(|holder| !ids.contains(*holder));
                    if let Some(other) = in_import.or(outside.cloned()) {
                        let kind = IssueKind::DuplicateKey { other, slot };
                        let field = Field::from(place).to_string();
                        issues.push(issue(given.id(), &field, kind.to_string()));
                    }
                }
                for scope in given.scopes() {
                    if !scopes.contains(scope) {
                        issues.push(issue(given.id(), "scope", unknown_scope(scope)));
                    }
                }
                self.import_subscription(before, given, options, &limited, &mut issues, imported)
                    .await?;
            }
        }
        if !conflicts.is_empty() {
            return Err(ManageError::Conflict { records: conflicts });
        }
        refuse(&RecordRef::catalog(), issues)
    }

    async fn import_subscription(
        &mut self,
        before: Option<SubscriptionRecord>,
        given: &Subscription,
        options: ImportOptions,
        limited: &HashSet<Scope>,
        issues: &mut Vec<FieldIssue>,
        imported: &mut Imported,
    ) -> Result<(), ManageError> {
        let id = given.id();
        let mut after = match &before {
            Some(before) => before.clone(),
            None => new_subscription(id, self.now),
        };
        set_subscription(&mut after, given, self.now);
        if before
            .as_ref()
            .is_none_or(|before| before.state != after.state)
        {
            self.enter(&mut after, given.state());
        }
        if options.generate_keys && given.keys().next().is_none() && before.is_none() {
            imported.keys.push(NewKeys {
                id: id.to_owned(),
                primary_key: self.generated(&mut after, KeySlot::Primary)?,
                secondary_key: self.generated(&mut after, KeySlot::Secondary)?,
            });
        }
        for (field, kind) in validate::subscription(&after.to_catalog(), &[]) {
            issues.push(issue(id, &field.to_string(), kind.to_string()));
        }
        if !issues.is_empty() {
            return Ok(());
        }
        if after.scopes.iter().any(|scope| limited.contains(scope)) {
            self.check_limits(before.as_ref(), &after).await?;
        }
        self.put_subscription(before, after).await?;
        imported.subscriptions += 1;
        Ok(())
    }

    fn generated(
        &mut self,
        record: &mut SubscriptionRecord,
        slot: KeySlot,
    ) -> Result<Secret, ManageError> {
        let key = Secret::random();
        let new = KeyRecord::new(key.digest(), self.now);
        self.set_key(record, slot, new, Some(&key))?;
        Ok(key)
    }
}

impl Definitions {
    /// The definitions with those of the import, and what they replace.
    fn with(&self, import: &Import, now: SystemTime, conflicts: &mut Vec<RecordRef>) -> Self {
        let (mut apis, mut products) = (self.apis.clone(), self.products.clone());
        for given in &import.apis {
            let (record, is_new) = find(
                &mut apis,
                |api| api.id == given.id(),
                || new_api(given.id(), now),
            );
            if is_new || record.to_catalog() != *given {
                conflicts.extend((!is_new).then(|| RecordRef::api(given.id())));
                set_api(record, given);
            }
        }
        for given in &import.products {
            let (record, is_new) = find(
                &mut products,
                |product| product.id == given.id(),
                || new_product(given.id(), now),
            );
            if is_new || record.to_catalog() != *given {
                conflicts.extend((!is_new).then(|| RecordRef::product(given.id())));
                set_product(record, given);
            }
        }
        for (product, api) in &import.memberships {
            if let Some(record) = products.iter_mut().find(|record| record.id == *product)
                && !record.apis.contains(api)
            {
                record.apis.push(api.clone());
            }
        }
        Self { apis, products }
    }

    /// The scopes of the products with a limit.
    fn limited(&self) -> HashSet<Scope> {
        let products = self.products.iter();
        let limited = products.filter(|product| product.subscriptions_limit.is_some());
        limited
            .map(|product| Scope::Product(product.id.clone()))
            .collect()
    }

    /// Every scope that names something.
    fn scopes(&self) -> HashSet<Scope> {
        let apis = self.apis.iter().map(|api| Scope::Api(api.id.clone()));
        let products = self.products.iter();
        let products = products.map(|product| Scope::Product(product.id.clone()));
        apis.chain(products)
            .chain([Scope::AllApis, Scope::Service])
            .collect()
    }
}

/// The existing record or a new one, and whether it is new.
fn find<T>(
    records: &mut Vec<T>,
    is_it: impl Fn(&T) -> bool,
    new: impl FnOnce() -> T,
) -> (&mut T, bool) {
    let found = records.iter().position(is_it);
    let at = found.unwrap_or(records.len());
    if found.is_none() {
        records.push(new());
    }
    (&mut records[at], found.is_none())
}

/// Whether a record has the content of a catalog's subscription. A subscription without
/// keys matches any keys of the record. Replaced keys that have ended are ignored.
fn is_same(record: &SubscriptionRecord, given: &Subscription, now: SystemTime) -> bool {
    let (mut found, mut given) = (record.to_catalog(), given.clone());
    if given.keys().next().is_none() {
        found.primary_key = None;
        found.secondary_key = None;
    }
    for key in found.retired_keys.iter_mut().chain(&mut given.retired_keys) {
        key.take_if(|key| key.expires_at().is_some_and(|end| end <= now));
    }
    found == given
}

fn set_api(record: &mut ApiRecord, given: &Api) {
    record.display_name = given.display_name.clone();
    record.path = given.path.clone();
    record.subscription_required = given.subscription_required();
    let (header, query) = (given.key_header(), given.key_query());
    record.key_header = header.map(|header| header.spelling().to_owned());
    record.key_query = query.map(|query| query.name().to_owned());
    record.metadata = given.metadata().clone();
}

fn set_product(record: &mut ProductRecord, given: &Product) {
    record.display_name = given.display_name.clone();
    record.apis = given.apis().to_vec();
    record.subscription_required = !given.is_open();
    record.published = given.is_published();
    record.metadata = given.metadata().clone();
}

fn set_subscription(record: &mut SubscriptionRecord, given: &Subscription, now: SystemTime) {
    record.display_name = given.display_name.clone();
    record.scopes = given.scopes().to_vec();
    record.owner = given.owner().map(str::to_owned);
    record.state = given.state();
    record.not_before = given.not_before().map(stored::rounded);
    record.expires_at = given.expires_at().map(stored::rounded);
    record.metadata = given.metadata().clone();
    for slot in SLOTS {
        if given.keys().next().is_some() {
            let current = record.key(slot).cloned();
            *record.key_mut(slot) = given.key(slot).map(|key| kept(current, key, now));
        }
        let current = record.retired_key(slot).cloned();
        *record.retired_key_mut(slot) = given.retired_key(slot).map(|key| kept(current, key, now));
    }
}

/// The record of a key, with its date if the slot has the key already.
fn kept(
    current: Option<KeyRecord>,
    given: &crate::catalog::SubscriptionKey,
    now: SystemTime,
) -> KeyRecord {
    let mut record = current
        .filter(|current| current.digest == *given.digest())
        .unwrap_or_else(|| KeyRecord::new(*given.digest(), now));
    record.expires_at = given.expires_at().map(stored::rounded);
    record
}

fn issue(id: &str, field: &str, message: String) -> FieldIssue {
    FieldIssue::new(format!("subscription {id:?}, {field}"), message)
}
