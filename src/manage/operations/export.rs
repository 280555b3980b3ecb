use crate::catalog::{Catalog, CatalogBuilder, Subscription};
use crate::key::KeyDigest;
use crate::manage::{Caller, ListQuery, Manage, ManageError, Order, RecordRef};

impl Manage {
    /// The whole catalog, in its order, with digests of the keys. For publishers.
    pub async fn export(&self, caller: &Caller) -> Result<Catalog, ManageError> {
        const PAGE: u32 = 1000;
        let mut builder = self.definitions(caller).await?;
        let mut subscriptions = Vec::new();
        let mut query = ListQuery {
            top: PAGE,
            ..ListQuery::default()
        };
        loop {
            let repository = &self.shared.repository;
            let page = repository.list_subscriptions(&query, self.now()).await?;
            query.after = page.records.last().map(|record| record.id.clone());
            let is_last = page.records.len() < PAGE as usize;
            let records = page.records.iter();
            subscriptions.extend(records.map(|record| (record.place, record.to_catalog())));
            if is_last {
                break;
            }
        }
        subscriptions.sort_unstable_by_key(|(place, _)| *place);
        for (_, subscription) in subscriptions {
            builder.push_subscription(subscription);
        }
        built(builder)
    }

    /// The catalog without its subscriptions. For publishers.
    pub async fn export_definitions(&self, caller: &Caller) -> Result<Catalog, ManageError> {
        built(self.definitions(caller).await?)
    }

    /// The subscription with the given id as the catalog has it. For publishers.
    pub async fn export_subscription(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<Subscription>, ManageError> {
        caller.only_publishers("export subscriptions")?;
        let record = self.shared.repository.subscription(id).await?;
        Ok(record.map(|record| record.to_catalog()))
    }

    /// The subscription that holds the key in any slot, also as a replaced one. For
    /// publishers.
    pub async fn export_subscription_of_key(
        &self,
        caller: &Caller,
        key: &KeyDigest,
    ) -> Result<Option<Subscription>, ManageError> {
        caller.only_publishers("export subscriptions")?;
        let record = self.shared.repository.subscription_of_key(key).await?;
        Ok(record.map(|record| record.to_catalog()))
    }

    async fn definitions(&self, caller: &Caller) -> Result<CatalogBuilder, ManageError> {
        let mut builder = Catalog::builder().allow_no_apis();
        let query = ListQuery {
            top: u32::MAX,
            order: Order::Catalog,
            ..ListQuery::default()
        };
        for api in self.list_apis(caller, &query).await?.records {
            builder.push_api(api.to_catalog());
        }
        for product in self.list_products(caller, &query).await?.records {
            builder.push_product(product.to_catalog());
        }
        Ok(builder)
    }
}

fn built(builder: CatalogBuilder) -> Result<Catalog, ManageError> {
    builder
        .build()
        .map_err(|error| ManageError::invalid(RecordRef::catalog(), "catalog", error.to_string()))
}
