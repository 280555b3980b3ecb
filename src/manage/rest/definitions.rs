//! The operations on products and APIs.

use http::StatusCode;

use crate::manage::rest::call::{Answer, Call, absent, created, empty, json, record};
use crate::manage::rest::fields;
use crate::manage::rest::filter::Of;
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::subscriptions::plain;
use crate::manage::rest::{etag, shape};
use crate::manage::{Deletion, Expected, ManageError, RecordRef};

impl Call<'_> {
    pub(super) async fn list_products(&self) -> Answer {
        let query = self.list_query(Of::Definitions, None)?;
        let page = self
            .manage()
            .list_products(&self.caller, &query)
            .await
            .map_err(plain)?;
        self.list(page, shape::product)
    }

    pub(super) async fn get_product(&self, id: &str) -> Answer {
        let found = self
            .manage()
            .product(&self.caller, id)
            .await
            .map_err(plain)?;
        let version = found.version;
        Ok(record(
            StatusCode::OK,
            version,
            &shape::product(&self.place, found),
        ))
    }

    pub(super) async fn put_product(&self, id: &str) -> Answer {
        let expected = etag::of_put(&self.head.headers);
        self.set_product(id, expected, |error| error).await
    }

    pub(super) async fn patch_product(&self, id: &str) -> Answer {
        let expected = etag::of_patch(&self.head.headers);
        self.set_product(id, expected, absent).await
    }

    async fn set_product(
        &self,
        id: &str,
        expected: Expected,
        error: impl Fn(ManageError) -> ManageError,
    ) -> Answer {
        let fields = fields::product(&self.body);
        let own = fields.issues.clone();
        let changed = self
            .manage()
            .put_product(&self.caller, id, fields, expected)
            .await;
        let changed = changed.map_err(|cause| fields::refusal(error(cause), &self.body, &own))?;
        let put = changed.value;
        let (status, version) = (created(put.created), put.record.version);
        let content = shape::product(&self.place, put.record);
        self.changed(changed.number, record(status, version, &content))
            .await
    }

    pub(super) async fn delete_product(&self, id: &str) -> Answer {
        let deletion = self.deletion()?;
        let deleted = self
            .manage()
            .delete_product(&self.caller, id, deletion)
            .await;
        self.answer_deletion(deleted, StatusCode::OK).await
    }

    pub(super) async fn list_product_apis(&self, product: &str) -> Answer {
        let query = self.list_query(Of::Definitions, None)?;
        let page = self
            .manage()
            .list_product_apis(&self.caller, product, &query)
            .await;
        self.list(page.map_err(plain)?, shape::api)
    }

    pub(super) async fn has_member(&self, product: &str, api: &str) -> Answer {
        let product = self
            .manage()
            .product(&self.caller, product)
            .await
            .map_err(plain)?;
        if product.apis.iter().any(|member| member == api) {
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        Err(plain(ManageError::not_found(RecordRef::api(api))))
    }

    pub(super) async fn add_member(&self, product: &str, api: &str) -> Answer {
        let added = self
            .manage()
            .add_api(&self.caller, product, api)
            .await
            .map_err(plain)?;
        let status = created(added.value.created);
        let content = shape::api(&self.place, added.value.record);
        self.changed(added.number, json(status, &content)).await
    }

    pub(super) async fn remove_member(&self, product: &str, api: &str) -> Answer {
        let removed = self.manage().remove_api(&self.caller, product, api).await;
        self.answer_deletion(removed, StatusCode::OK).await
    }

    pub(super) async fn list_apis(&self) -> Answer {
        let query = self.list_query(Of::Definitions, None)?;
        let page = self
            .manage()
            .list_apis(&self.caller, &query)
            .await
            .map_err(plain)?;
        self.list(page, shape::api)
    }

    pub(super) async fn get_api(&self, id: &str) -> Answer {
        let found = self.manage().api(&self.caller, id).await.map_err(plain)?;
        let version = found.version;
        Ok(record(
            StatusCode::OK,
            version,
            &shape::api(&self.place, found),
        ))
    }

    pub(super) async fn put_api(&self, id: &str) -> Answer {
        let expected = etag::of_put(&self.head.headers);
        self.set_api(id, expected, |error| error).await
    }

    pub(super) async fn patch_api(&self, id: &str) -> Answer {
        let expected = etag::of_patch(&self.head.headers);
        self.set_api(id, expected, absent).await
    }

    async fn set_api(
        &self,
        id: &str,
        expected: Expected,
        error: impl Fn(ManageError) -> ManageError,
    ) -> Answer {
        let fields = fields::api(&self.body);
        let own = fields.issues.clone();
        let changed = self
            .manage()
            .put_api(&self.caller, id, fields, expected)
            .await;
        let changed = changed.map_err(|cause| fields::refusal(error(cause), &self.body, &own))?;
        let put = changed.value;
        let (status, version) = (created(put.created), put.record.version);
        let mut content = shape::api(&self.place, put.record);
        if put.created {
            content = content.provisioned();
        }
        self.changed(changed.number, record(status, version, &content))
            .await
    }

    pub(super) async fn delete_api(&self, id: &str) -> Answer {
        let deletion = self.deletion()?;
        let deleted = self.manage().delete_api(&self.caller, id, deletion).await;
        self.answer_deletion(deleted, StatusCode::NO_CONTENT).await
    }

    fn deletion(&self) -> Result<Deletion, Refusal> {
        Ok(Deletion {
            expected: etag::of_delete(&self.head.headers),
            with_subscriptions: self.query.flag("deleteSubscriptions")?,
        })
    }
}
