//! The operations on products and APIs.

use http::StatusCode;

use crate::manage::rest::call::{Answer, Call, created, empty, json, record};
use crate::manage::rest::filter::Of;
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::{etag, fields, shape};
use crate::manage::{Deletion, ManageError, RecordRef};

impl Call<'_> {
    pub(super) async fn list_products(&self) -> Answer {
        let query = self.list_query(Of::Definitions, None)?;
        let page = self.manage().list_products(&self.caller, &query).await?;
        self.list(page, shape::product)
    }

    pub(super) async fn get_product(&self, id: &str) -> Answer {
        let found = self.manage().product(&self.caller, id).await?;
        let content = shape::product(&self.place, found);
        Ok(record(StatusCode::OK, &content))
    }

    pub(super) async fn set_product(&self, id: &str) -> Answer {
        let fields = fields::product(&self.body);
        let (own, expected) = (fields.issues.clone(), etag::expected(&self.head));
        let changed = self
            .manage()
            .put_product(&self.caller, id, fields, expected)
            .await;
        let changed = changed.map_err(|error| self.refusal(error, &own))?;
        let content = shape::product(&self.place, changed.value.record);
        let response = record(created(changed.value.created), &content);
        self.changed(changed.number, response).await
    }

    pub(super) async fn delete_product(&self, id: &str) -> Answer {
        let deletion = self.deletion()?;
        let deleted = self
            .manage()
            .delete_product(&self.caller, id, deletion)
            .await;
        self.deleted(deleted, StatusCode::OK).await
    }

    pub(super) async fn list_product_apis(&self, product: &str) -> Answer {
        let query = self.list_query(Of::Definitions, None)?;
        let page = self
            .manage()
            .list_product_apis(&self.caller, product, &query)
            .await?;
        self.list(page, shape::api)
    }

    pub(super) async fn has_member(&self, product: &str, api: &str) -> Answer {
        let product = self.manage().product(&self.caller, product).await?;
        if product.apis.iter().any(|member| member == api) {
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        Err(ManageError::not_found(RecordRef::api(api)).into())
    }

    pub(super) async fn add_member(&self, product: &str, api: &str) -> Answer {
        let added = self.manage().add_api(&self.caller, product, api).await?;
        let content = shape::api(&self.place, added.value.record);
        let response = json(created(added.value.created), &content);
        self.changed(added.number, response).await
    }

    pub(super) async fn remove_member(&self, product: &str, api: &str) -> Answer {
        let removed = self.manage().remove_api(&self.caller, product, api).await;
        self.deleted(removed, StatusCode::OK).await
    }

    pub(super) async fn list_apis(&self) -> Answer {
        let query = self.list_query(Of::Definitions, None)?;
        let page = self.manage().list_apis(&self.caller, &query).await?;
        self.list(page, shape::api)
    }

    pub(super) async fn get_api(&self, id: &str) -> Answer {
        let found = self.manage().api(&self.caller, id).await?;
        let content = shape::api(&self.place, found);
        Ok(record(StatusCode::OK, &content))
    }

    pub(super) async fn set_api(&self, id: &str) -> Answer {
        let fields = fields::api(&self.body);
        let (own, expected) = (fields.issues.clone(), etag::expected(&self.head));
        let changed = self
            .manage()
            .put_api(&self.caller, id, fields, expected)
            .await;
        let changed = changed.map_err(|error| self.refusal(error, &own))?;
        let mut content = shape::api(&self.place, changed.value.record);
        if changed.value.created {
            content = content.provisioned();
        }
        let response = record(created(changed.value.created), &content);
        self.changed(changed.number, response).await
    }

    pub(super) async fn delete_api(&self, id: &str) -> Answer {
        let deletion = self.deletion()?;
        let deleted = self.manage().delete_api(&self.caller, id, deletion).await;
        self.deleted(deleted, StatusCode::NO_CONTENT).await
    }

    fn deletion(&self) -> Result<Deletion, Refusal> {
        Ok(Deletion {
            expected: etag::expected(&self.head),
            with_subscriptions: self.query.flag("deleteSubscriptions")?,
        })
    }
}
