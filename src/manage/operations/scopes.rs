use crate::catalog::Scope;
use crate::manage::operations::rules::unknown_scope;
use crate::manage::operations::{Changed, Work};
use crate::manage::{
    Caller, Expected, Manage, ManageError, Operation, RecordRef, SubscriptionRecord,
};

impl Manage {
    /// Grants a scope to a subscription. Granting one that it has changes nothing.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `Invalid` if the scope names nothing.
    pub async fn grant(
        &self,
        caller: &Caller,
        id: &str,
        scope: &Scope,
    ) -> Result<Changed<SubscriptionRecord>, ManageError> {
        let target = RecordRef::subscription(id);
        let mut work = self.work(caller, Operation::Grant, target).await?;
        let result = work.grant(id, scope).await;
        work.finish(result).await
    }

    /// Revokes a scope of a subscription. Revoking one that it has not changes
    /// nothing.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `Invalid` for the last scope.
    pub async fn revoke(
        &self,
        caller: &Caller,
        id: &str,
        scope: &Scope,
    ) -> Result<Changed<SubscriptionRecord>, ManageError> {
        let target = RecordRef::subscription(id);
        let mut work = self.work(caller, Operation::Revoke, target).await?;
        let result = work.revoke(id, scope).await;
        work.finish(result).await
    }
}

impl Work<'_> {
    async fn grant(&mut self, id: &str, scope: &Scope) -> Result<SubscriptionRecord, ManageError> {
        self.caller.only_publishers("grant scopes")?;
        let before = self.expect_subscription(id, Expected::Anything).await?;
        let mut after = before.clone();
        if !before.scopes.contains(scope) {
            if !self.scope_exists(scope).await? {
                let target = RecordRef::subscription(id);
                return Err(ManageError::invalid(target, "scope", unknown_scope(scope)));
            }
            after.scopes.push(scope.clone());
            self.check_limits(Some(&before), &after).await?;
        }
        self.put_subscription(Some(before), after).await
    }

    async fn revoke(&mut self, id: &str, scope: &Scope) -> Result<SubscriptionRecord, ManageError> {
        self.caller.only_publishers("revoke scopes")?;
        let before = self.expect_subscription(id, Expected::Anything).await?;
        let mut after = before.clone();
        after.scopes.retain(|held| held != scope);
        if after.scopes.is_empty() {
            let message = "the last scope cannot be revoked: grant another one first, or delete \
                           the subscription";
            let target = RecordRef::subscription(id);
            return Err(ManageError::invalid(target, "scope", message));
        }
        self.put_subscription(Some(before), after).await
    }
}
