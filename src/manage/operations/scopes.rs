use crate::catalog::{IssueKind, Scope};
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
        self.only_publishers("grant scopes")?;
        let before = self.expect_subscription(id, Expected::Anything).await?;
        if before.scopes.contains(scope) {
            return Ok(before.seen_at(self.now));
        }
        if !self.scope_exists(scope).await? {
            let scope = scope.clone();
            let message = IssueKind::UnknownScope {
                scope,
                nearest: None,
            }
            .to_string();
            return Err(ManageError::invalid(
                RecordRef::subscription(id),
                "scope",
                message,
            ));
        }
        let mut after = before.clone();
        after.scopes.push(scope.clone());
        self.check_limits(Some(&before), &after).await?;
        let record = self
            .put_subscription(Some(before), after, Vec::new())
            .await?;
        Ok(record.seen_at(self.now))
    }

    async fn revoke(&mut self, id: &str, scope: &Scope) -> Result<SubscriptionRecord, ManageError> {
        self.only_publishers("revoke scopes")?;
        let before = self.expect_subscription(id, Expected::Anything).await?;
        let mut after = before.clone();
        after.scopes.retain(|held| held != scope);
        if after.scopes.is_empty() {
            let message = "the last scope cannot be revoked: grant another one first, or delete \
                           the subscription";
            return Err(ManageError::invalid(
                RecordRef::subscription(id),
                "scope",
                message,
            ));
        }
        let record = self
            .put_subscription(Some(before), after, Vec::new())
            .await?;
        Ok(record.seen_at(self.now))
    }
}
