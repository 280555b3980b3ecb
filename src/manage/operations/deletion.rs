use crate::catalog::Scope;
use crate::manage::operations::work::check_expected;
use crate::manage::operations::{Changed, Deletion, Work};
use crate::manage::{Caller, Expected, Manage, ManageError, Operation, RecordKind, RecordRef};

impl Manage {
    /// Deletes an API, and its memberships in products. The value says whether
    /// it existed.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `InUse` if subscriptions have it as a scope and do not go
    /// along.
    pub async fn delete_api(
        &self,
        caller: &Caller,
        id: &str,
        deletion: Deletion,
    ) -> Result<Changed<bool>, ManageError> {
        self.delete(caller, RecordRef::api(id), deletion).await
    }

    /// Deletes a product. The value says whether it existed.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `InUse` if it has subscriptions that do not go along.
    pub async fn delete_product(
        &self,
        caller: &Caller,
        id: &str,
        deletion: Deletion,
    ) -> Result<Changed<bool>, ManageError> {
        self.delete(caller, RecordRef::product(id), deletion).await
    }

    /// Deletes a subscription. The value says whether it existed.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]
    pub async fn delete_subscription(
        &self,
        caller: &Caller,
        id: &str,
        expected: Expected,
    ) -> Result<Changed<bool>, ManageError> {
        let deletion = Deletion {
            expected,
            with_subscriptions: false,
        };
        self.delete(caller, RecordRef::subscription(id), deletion)
            .await
    }

    async fn delete(
        &self,
        caller: &Caller,
        target: RecordRef,
        deletion: Deletion,
    ) -> Result<Changed<bool>, ManageError> {
        let mut work = self.work(caller, Operation::Delete, target.clone()).await?;
        let result = match target.kind {
            RecordKind::Api => work.delete_api(&target, deletion).await,
            RecordKind::Product => work.delete_product(&target, deletion).await,
            RecordKind::Subscription => work.delete_subscription(&target, deletion).await,
            RecordKind::Catalog => Ok(false),
        };
        work.finish(result).await
    }
}

impl Work<'_> {
    async fn delete_api(
        &mut self,
        target: &RecordRef,
        deletion: Deletion,
    ) -> Result<bool, ManageError> {
        self.only_publishers("delete APIs")?;
        let record = self.tx.api(&target.id).await?;
        check_expected(
            target,
            record.as_ref().map(|api| api.version),
            deletion.expected,
        )?;
        let Some(record) = record else {
            return Ok(false);
        };
        let scope = Scope::Api(target.id.clone());
        self.let_go(target, &scope, deletion).await?;
        let (_, products) = self.tx.definitions().await?;
        for before in products {
            if before.apis.contains(&target.id) {
                let mut after = before.clone();
                after.apis.retain(|api| *api != target.id);
                self.put_product(Some(&before), after).await?;
            }
        }
        Work::delete(self, &record).await?;
        Ok(true)
    }

    async fn delete_product(
        &mut self,
        target: &RecordRef,
        deletion: Deletion,
    ) -> Result<bool, ManageError> {
        self.only_publishers("delete products")?;
        let record = self.tx.product(&target.id).await?;
        let version = record.as_ref().map(|product| product.version);
        check_expected(target, version, deletion.expected)?;
        let Some(record) = record else {
            return Ok(false);
        };
        let scope = Scope::Product(target.id.clone());
        self.let_go(target, &scope, deletion).await?;
        Work::delete(self, &record).await?;
        Ok(true)
    }

    async fn delete_subscription(
        &mut self,
        target: &RecordRef,
        deletion: Deletion,
    ) -> Result<bool, ManageError> {
        self.only_publishers("delete subscriptions")?;
        let record = self.tx.subscription(&target.id).await?;
        let version = record.as_ref().map(|subscription| subscription.version);
        check_expected(target, version, deletion.expected)?;
        let Some(record) = record else {
            return Ok(false);
        };
        Work::delete(self, &record).await?;
        Ok(true)
    }

    /// Takes a scope from every subscription that has it; those with no other
    /// scope are deleted.
    async fn let_go(
        &mut self,
        target: &RecordRef,
        scope: &Scope,
        deletion: Deletion,
    ) -> Result<(), ManageError> {
        let holders = self.tx.scope_holders(scope).await?;
        if holders.is_empty() {
            return Ok(());
        }
        if !deletion.with_subscriptions {
            return Err(ManageError::InUse {
                record: target.clone(),
                by: holders.into_iter().map(RecordRef::subscription).collect(),
            });
        }
        let mut records = self.tx.subscriptions(&holders).await?;
        for id in holders {
            let Some(before) = records.remove(&id) else {
                continue;
            };
            let mut after = before.clone();
            after.scopes.retain(|held| held != scope);
            if after.scopes.is_empty() {
                Work::delete(self, &before).await?;
            } else {
                self.put_subscription(Some(before), after, Vec::new())
                    .await?;
            }
        }
        self.flush().await
    }
}
