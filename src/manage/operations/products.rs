use crate::catalog::Metadata;
use crate::manage::error::FieldIssue;
use crate::manage::operations::apis::put_operation;
use crate::manage::operations::rules::{
    check_definitions, check_display_name, check_id, refuse, without_repetitions,
};
use crate::manage::operations::work::check_expected;
use crate::manage::operations::{Changed, Put, Work};
use crate::manage::{
    ApiRecord, Caller, Expected, Manage, ManageError, Operation, ProductFields, ProductRecord,
    RecordRef,
};

impl Manage {
    /// Creates the product with the given id, or changes the fields that
    /// `fields` names.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `Invalid` with every broken rule, also for an API that
    /// does not exist or would be in a second open product.
    pub async fn put_product(
        &self,
        caller: &Caller,
        id: &str,
        fields: ProductFields,
        expected: Expected,
    ) -> Result<Changed<Put<ProductRecord>>, ManageError> {
        let target = RecordRef::product(id);
        let mut work = self.work(caller, Operation::Update, target).await?;
        let result = work.put_product_fields(id, fields, expected).await;
        work.finish(result).await
    }

    /// Adds an API to a product. Adding one that is a member changes nothing.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `NotFound` if either does not exist.
    pub async fn add_api(
        &self,
        caller: &Caller,
        product: &str,
        api: &str,
    ) -> Result<Changed<Put<ApiRecord>>, ManageError> {
        let target = RecordRef::product(product);
        let mut work = self.work(caller, Operation::AddApi, target).await?;
        let result = work.add_member(product, api).await;
        work.finish(result).await
    }

    /// Removes an API from a product. The value says whether it was a member.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `NotFound` if the product does not exist.
    pub async fn remove_api(
        &self,
        caller: &Caller,
        product: &str,
        api: &str,
    ) -> Result<Changed<bool>, ManageError> {
        let target = RecordRef::product(product);
        let mut work = self.work(caller, Operation::RemoveApi, target).await?;
        let result = work.remove_member(product, api).await;
        work.finish(result).await
    }
}

impl Work<'_> {
    async fn put_product_fields(
        &mut self,
        id: &str,
        fields: ProductFields,
        expected: Expected,
    ) -> Result<Put<ProductRecord>, ManageError> {
        let target = RecordRef::product(id);
        let before = self.tx.product(id).await?;
        self.operation = put_operation(before.is_some());
        self.caller.only_publishers("change products")?;
        let version = before.as_ref().map(|product| product.version);
        check_expected(&target, version, expected)?;
        let mut after = before.clone().unwrap_or_else(|| new_product(id, self.now));
        let mut issues = fields.issues.clone();
        if before.is_none() {
            check_id(id, &mut issues);
            after.published = fields.initially_published.unwrap_or(after.published);
        }
        set_fields(&mut after, &fields);
        self.check_product(&after, &mut issues).await?;
        refuse(&target, issues)?;
        let created = before.is_none();
        let record = self.put_product(before.as_ref(), after).await?;
        Ok(Put { record, created })
    }

    async fn add_member(&mut self, id: &str, api: &str) -> Result<Put<ApiRecord>, ManageError> {
        self.caller.only_publishers("change products")?;
        let target = RecordRef::product(id);
        let Some(before) = self.tx.product(id).await? else {
            return Err(ManageError::not_found(target));
        };
        let Some(record) = self.tx.api(api).await? else {
            return Err(ManageError::not_found(RecordRef::api(api)));
        };
        let created = !before.apis.iter().any(|member| member == api);
        if created {
            let mut after = before.clone();
            after.apis.push(api.to_owned());
            let mut issues = Vec::new();
            self.check_product(&after, &mut issues).await?;
            refuse(&target, issues)?;
            self.put_product(Some(&before), after).await?;
        }
        Ok(Put { record, created })
    }

    async fn remove_member(&mut self, id: &str, api: &str) -> Result<bool, ManageError> {
        self.caller.only_publishers("change products")?;
        let Some(before) = self.tx.product(id).await? else {
            return Err(ManageError::not_found(RecordRef::product(id)));
        };
        let mut after = before.clone();
        after.apis.retain(|member| member != api);
        let removed = after != before;
        self.put_product(Some(&before), after).await?;
        Ok(removed)
    }

    /// Checks the rules for a product alone and among the definitions.
    async fn check_product(
        &mut self,
        after: &ProductRecord,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<(), ManageError> {
        check_display_name(after.display_name.as_deref(), issues);
        if after.subscriptions_limit == Some(0) {
            let message = "a limit is above 0: leave it out for no limit";
            issues.push(FieldIssue::new("subscriptions_limit", message));
        }
        let (apis, mut products) = self.tx.definitions().await?;
        match products.iter_mut().find(|product| product.id == after.id) {
            Some(product) => *product = after.clone(),
            None => products.push(after.clone()),
        }
        check_definitions(&apis, &products, issues);
        Ok(())
    }
}

pub(super) fn new_product(id: &str, now: std::time::SystemTime) -> ProductRecord {
    ProductRecord {
        id: id.to_owned(),
        display_name: None,
        apis: Vec::new(),
        subscription_required: true,
        published: true,
        metadata: Metadata::default(),
        description: None,
        terms: None,
        approval_required: false,
        subscriptions_limit: None,
        created_at: now,
        updated_at: now,
        version: 0,
        place: 0,
    }
}

fn set_fields(product: &mut ProductRecord, fields: &ProductFields) {
    if let Some(apis) = &fields.apis {
        product.apis = without_repetitions(apis);
    }
    if let Some(required) = fields.subscription_required {
        product.subscription_required = required;
    }
    if let Some(published) = fields.published {
        product.published = published;
    }
    if let Some(required) = fields.approval_required {
        product.approval_required = required;
    }
    fields.display_name.apply(&mut product.display_name);
    fields.metadata.apply_or_default(&mut product.metadata);
    fields.description.apply(&mut product.description);
    fields.terms.apply(&mut product.terms);
    product.terms.take_if(|terms| terms.is_empty());
    fields
        .subscriptions_limit
        .apply(&mut product.subscriptions_limit);
}
