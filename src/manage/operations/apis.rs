use crate::catalog::Metadata;
use crate::key::{KeyHeader, KeyQuery};
use crate::manage::error::FieldIssue;
use crate::manage::operations::rules::{check_definitions, check_display_name, check_id, refuse};
use crate::manage::operations::work::check_expected;
use crate::manage::operations::{Changed, Put, Work};
use crate::manage::{
    ApiFields, ApiRecord, Caller, Expected, Manage, ManageError, Operation, RecordRef,
};

impl Manage {
    /// Creates the API with the given id, or changes the fields that `fields` names.
    ///
    /// For publishers.
    ///
    /// # Errors
    ///
    /// [`ManageError`]; `Invalid` with every broken rule, also for a path that
    /// another API has.
    pub async fn put_api(
        &self,
        caller: &Caller,
        id: &str,
        fields: ApiFields,
        expected: Expected,
    ) -> Result<Changed<Put<ApiRecord>>, ManageError> {
        let target = RecordRef::api(id);
        let mut work = self.work(caller, Operation::Update, target).await?;
        let result = work.put_api_fields(id, fields, expected).await;
        work.finish(result).await
    }
}

/// What the audit trail calls a put.
pub(super) fn put_operation(exists: bool) -> Operation {
    if exists {
        Operation::Update
    } else {
        Operation::Create
    }
}

impl Work<'_> {
    async fn put_api_fields(
        &mut self,
        id: &str,
        fields: ApiFields,
        expected: Expected,
    ) -> Result<Put<ApiRecord>, ManageError> {
        let target = RecordRef::api(id);
        let before = self.tx.api(id).await?;
        self.operation = put_operation(before.is_some());
        self.caller.only_publishers("change APIs")?;
        check_expected(&target, before.as_ref().map(|api| api.version), expected)?;
        let mut after = before.clone().unwrap_or_else(|| new_api(id, self.now));
        let mut issues = fields.issues.clone();
        if before.is_none() {
            check_id(id, &mut issues);
            if fields.path.is_none() {
                let message = "an API needs a path: name one, or an empty one for all requests";
                issues.push(FieldIssue::new("path", message));
            }
        }
        set_fields(&mut after, &fields);
        self.check_api(&after, &mut issues).await?;
        refuse(&target, issues)?;
        let created = before.is_none();
        let record = self.put_api(before.as_ref(), after).await?;
        Ok(Put { record, created })
    }

    /// Checks the rules for an API alone and among the definitions.
    async fn check_api(
        &mut self,
        after: &ApiRecord,
        issues: &mut Vec<FieldIssue>,
    ) -> Result<(), ManageError> {
        check_display_name(after.display_name.as_deref(), issues);
        if let Some(Err(error)) = after.key_header.as_deref().map(KeyHeader::new) {
            issues.push(FieldIssue::new("key_names.header", error.to_string()));
        }
        if let Some(Err(error)) = after.key_query.as_deref().map(KeyQuery::new) {
            issues.push(FieldIssue::new("key_names.query", error.to_string()));
        }
        let (mut apis, products) = self.tx.definitions().await?;
        match apis.iter_mut().find(|api| api.id == after.id) {
            Some(api) => *api = after.clone(),
            None => apis.push(after.clone()),
        }
        check_definitions(&apis, &products, issues);
        Ok(())
    }
}

pub(super) fn new_api(id: &str, now: std::time::SystemTime) -> ApiRecord {
    ApiRecord {
        id: id.to_owned(),
        display_name: None,
        path: String::new(),
        subscription_required: true,
        key_header: None,
        key_query: None,
        metadata: Metadata::default(),
        description: None,
        service_url: None,
        protocols: None,
        api_type: None,
        api_version: None,
        api_revision: None,
        created_at: now,
        updated_at: now,
        version: 0,
        place: 0,
    }
}

fn set_fields(api: &mut ApiRecord, fields: &ApiFields) {
    if let Some(path) = &fields.path {
        api.path.clone_from(path);
    }
    if let Some(required) = fields.subscription_required {
        api.subscription_required = required;
    }
    fields.display_name.apply(&mut api.display_name);
    fields.key_header.apply(&mut api.key_header);
    fields.key_query.apply(&mut api.key_query);
    fields.metadata.apply_or_default(&mut api.metadata);
    fields.description.apply(&mut api.description);
    fields.service_url.apply(&mut api.service_url);
    fields.protocols.apply(&mut api.protocols);
    fields.api_type.apply(&mut api.api_type);
    fields.api_version.apply(&mut api.api_version);
    fields.api_revision.apply(&mut api.api_revision);
}
