use crate::catalog::Scope;
use crate::manage::operations::work::{Recorded, check_expected};
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
        let result = work.delete_target(&target, deletion).await;
        work.finish(result).await
    }
}

impl Work<'_> {
    async fn delete_target(
        &mut self,
        target: &RecordRef,
        deletion: Deletion,
    ) -> Result<bool, ManageError> {
        let id = &*target.id;
        let (action, scope) = match target.kind {
            RecordKind::Api => ("delete APIs", Some(Scope::Api(id.to_owned()))),
            RecordKind::Product => ("delete products", Some(Scope::Product(id.to_owned()))),
            _ => ("delete subscriptions", None),
        };
        self.caller.only_publishers(action)?;
        let record: Option<Box<dyn Recorded>> = match target.kind {
            RecordKind::Api => self.tx.api(id).await?.map(|record| Box::new(record) as _),
            RecordKind::Product => self
                .tx
                .product(id)
                .await?
                .map(|record| Box::new(record) as _),
            _ => self
                .tx
                .subscription(id)
                .await?
                .map(|record| Box::new(record) as _),
        };
        let version = record.as_ref().map(|record| record.version());
        check_expected(target, version, deletion.expected)?;
        let Some(record) = record else {
            return Ok(false);
        };
        if let Some(scope) = &scope {
            self.let_go(target, scope, deletion.with_subscriptions)
                .await?;
        }
        if target.kind == RecordKind::Api {
            self.remove_from_products(id).await?;
        }
        self.delete(&*record).await?;
        Ok(true)
    }

    async fn remove_from_products(&mut self, api: &str) -> Result<(), ManageError> {
        let (_, products) = self.tx.definitions().await?;
        for before in products {
            let mut after = before.clone();
            after.apis.retain(|member| member != api);
            self.put_product(Some(&before), after).await?;
        }
        Ok(())
    }

    /// Takes a scope from every subscription that has it; those with no other
    /// scope are deleted.
    async fn let_go(
        &mut self,
        target: &RecordRef,
        scope: &Scope,
        with_subscriptions: bool,
    ) -> Result<(), ManageError> {
        let holders = self.tx.scope_holders(scope).await?;
        if holders.is_empty() {
            return Ok(());
        }
        if !with_subscriptions {
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
                self.delete(&before).await?;
            } else {
                self.put_subscription(Some(before), after).await?;
            }
        }
        self.flush().await
    }
}
