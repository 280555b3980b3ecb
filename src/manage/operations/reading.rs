use std::time::{Duration, Instant};

use crate::manage::filter::{Filter, FilterField, Filtered, ListQuery, Page};
use crate::manage::{
    ApiRecord, AuditEntry, AuditQuery, Caller, Comparison, Manage, ManageError, Order,
    ProductRecord, RecordRef, Replica, SubscriptionRecord,
};

impl Manage {
    /// The API with the given id. For publishers.
    pub async fn api(&self, caller: &Caller, id: &str) -> Result<ApiRecord, ManageError> {
        caller.only_publishers("read APIs other than the members of a product")?;
        let record = self.shared.repository.api(id).await?;
        record.ok_or_else(|| ManageError::not_found(RecordRef::api(id)))
    }

    /// The product with the given id. Owners read the products that are offered.
    pub async fn product(&self, caller: &Caller, id: &str) -> Result<ProductRecord, ManageError> {
        let record = self.shared.repository.product(id).await?;
        record
            .filter(|product| caller.sees_product(product))
            .ok_or_else(|| ManageError::not_found(RecordRef::product(id)))
    }

    /// The subscription with the given id. Owners read their own.
    pub async fn subscription(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<SubscriptionRecord, ManageError> {
        let record = self.shared.repository.subscription(id).await?;
        record
            .filter(|record| caller.sees(record))
            .map(|record| record.seen_at(self.now()))
            .ok_or_else(|| ManageError::not_found(RecordRef::subscription(id)))
    }

    /// Lists APIs. For publishers.
    pub async fn list_apis(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Page<ApiRecord>, ManageError> {
        caller.only_publishers("list APIs other than the members of a product")?;
        Ok(self.shared.repository.list_apis(query).await?)
    }

    /// Lists products. Owners get those that are offered.
    pub async fn list_products(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Page<ProductRecord>, ManageError> {
        let offered = caller.as_owner().is_some();
        Ok(self.shared.repository.list_products(query, offered).await?)
    }

    /// Lists the APIs of a product. Owners may list those of offered products.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `NotFound` if the product does not exist.
    pub async fn list_product_apis(
        &self,
        caller: &Caller,
        product: &str,
        query: &ListQuery,
    ) -> Result<Page<ApiRecord>, ManageError> {
        let product = self.product(caller, product).await?;
        let mut records = Vec::with_capacity(product.apis.len());
        for id in &product.apis {
            let record = self.shared.repository.api(id).await?;
            records.extend(record.filter(|record| query.takes(record)));
        }
        if query.order == Order::Id {
            records.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        }
        Ok(query.page(records))
    }

    /// Lists subscriptions. Owners get their own.
    pub async fn list_subscriptions(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Page<SubscriptionRecord>, ManageError> {
        let mut query = query.clone();
        if let Some(owner) = caller.as_owner() {
            let own = Filter::compare(FilterField::Owner, Comparison::Eq, owner);
            query.filter = Some(match query.filter {
                Some(filter) => own.and(filter),
                None => own,
            });
        }
        let now = self.now();
        let repository = &self.shared.repository;
        let page = repository.list_subscriptions(&query, now).await?;
        let records = page.records.into_iter();
        Ok(Page {
            records: records.map(|record| record.seen_at(now)).collect(),
            total: page.total,
        })
    }

    /// Lists the audit trail, newest first. For publishers.
    pub async fn audit(
        &self,
        caller: &Caller,
        query: &AuditQuery,
    ) -> Result<Page<AuditEntry>, ManageError> {
        caller.only_publishers("read the audit trail")?;
        Ok(self.shared.repository.audit(query).await?)
    }

    /// The replicas that have reported within their lease. For publishers.
    pub async fn replicas(&self, caller: &Caller) -> Result<Vec<Replica>, ManageError> {
        caller.only_publishers("list the replicas")?;
        Ok(self.shared.repository.replicas().await?)
    }

    /// The number of the last accepted change.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the repository is unavailable.
    pub async fn number(&self) -> Result<u64, ManageError> {
        Ok(self.shared.repository.number().await?)
    }

    /// Waits until all replicas that have reported within their lease have
    /// applied the change with the given number. Returns `false` if they have not
    /// within the timeout.
    ///
    /// # Errors
    ///
    /// [`ManageError`] if the repository is unavailable.
    pub async fn wait_applied(&self, number: u64, timeout: Duration) -> Result<bool, ManageError> {
        const PAUSE: Duration = Duration::from_millis(20);
        let end = Instant::now().checked_add(timeout);
        loop {
            let replicas = self.shared.repository.replicas().await?;
            if replicas.iter().all(|replica| replica.applied >= number) {
                return Ok(true);
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl ListQuery {
    /// Cuts the page out of all records that the filter left, in order.
    pub(crate) fn page<T: Filtered>(&self, mut records: Vec<T>) -> Page<T> {
        let total = records.len() as u64;
        if let Some(after) = &self.after {
            let after = Filter::compare(FilterField::Id, Comparison::Gt, after);
            records.retain(|record| after.holds(record));
        }
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let records = records.into_iter().skip(skip).take(self.top as usize);
        let records = records.collect();
        Page { records, total }
    }

    /// Whether the filter holds for the record.
    pub(crate) fn takes(&self, record: &impl Filtered) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.holds(record))
    }
}
