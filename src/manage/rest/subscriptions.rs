//! The operations on subscriptions and their keys.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::catalog::KeySlot;
use crate::manage::rest::body::{Draft, text, time};
use crate::manage::rest::call::{Answer, Call, created, empty, json, record};
use crate::manage::rest::fields::{self, json_name};
use crate::manage::rest::filter::Of;
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::{etag, shape};
use crate::manage::{Comparison, Filter, FilterField, ManageError, RecordRef, Rotation};

impl Call<'_> {
    pub(super) async fn list_subscriptions(&self, limit: Option<Filter>) -> Answer {
        let query = self.list_query(Of::Subscriptions, limit)?;
        let page = self
            .manage()
            .list_subscriptions(&self.caller, &query)
            .await?;
        self.list(page, shape::subscription)
    }

    pub(super) async fn list_product_subscriptions(&self, product: &str) -> Answer {
        self.manage().product(&self.caller, product).await?;
        let of_product = Filter::compare(FilterField::Product, Comparison::Eq, product);
        self.list_subscriptions(Some(of_product)).await
    }

    pub(super) async fn list_user_subscriptions(&self, user: &str) -> Answer {
        let of_user = Filter::compare(FilterField::Owner, Comparison::Eq, user);
        self.list_subscriptions(Some(of_user)).await
    }

    /// `user` is the owner in the path.
    pub(super) async fn get_subscription(&self, id: &str, user: Option<&str>) -> Answer {
        let found = self.manage().subscription(&self.caller, id).await?;
        if user.is_some() && found.owner.as_deref() != user {
            return Err(ManageError::not_found(RecordRef::subscription(id)).into());
        }
        let content = shape::subscription(&self.place, found);
        Ok(record(StatusCode::OK, &content))
    }

    pub(super) async fn set_subscription(&self, id: &str) -> Answer {
        let fields = fields::subscription(&self.body);
        let (own, expected) = (fields.issues.clone(), etag::expected(&self.head));
        let changed = self
            .manage()
            .put_subscription(&self.caller, id, fields, expected)
            .await;
        let changed = changed.map_err(|error| self.refusal(error, &own))?;
        let put = changed.value;
        let content = shape::subscription(&self.place, put.record)
            .with_keys(put.primary_key, put.secondary_key);
        let response = record(created(put.created), &content);
        self.changed(changed.number, response).await
    }

    pub(super) async fn delete_subscription(&self, id: &str) -> Answer {
        let expected = etag::expected(&self.head);
        let deleted = self
            .manage()
            .delete_subscription(&self.caller, id, expected)
            .await;
        self.deleted(deleted, StatusCode::OK).await
    }

    pub(super) async fn list_secrets(&self, id: &str) -> Answer {
        let secrets = self.manage().read_secrets(&self.caller, id).await?;
        Ok(json(StatusCode::OK, &shape::secrets(secrets)))
    }

    pub(super) async fn regenerate(&self, id: &str, slot: KeySlot) -> Answer {
        let regenerated = self
            .manage()
            .regenerate_recoverable(&self.caller, id, slot)
            .await?;
        self.changed(regenerated.number, empty(StatusCode::NO_CONTENT))
            .await
    }

    pub(super) async fn rotate(&self, id: &str) -> Answer {
        let mut draft = Draft::of(&self.body);
        let slot = draft.option("slot", slot);
        let grace = draft.option("graceSeconds", seconds).unwrap_or_default();
        let rotation = Rotation {
            expected: etag::expected(&self.head),
            grace: Duration::from_secs(grace),
            expires_at: draft.set("expiresAt", time),
            prefix: draft.option("keyPrefix", text),
        };
        let Some(slot) = slot.filter(|_| draft.issues.is_empty()) else {
            // An absent record is reported before wrong values.
            self.manage().subscription(&self.caller, id).await?;
            if !draft.issues.iter().any(|issue| issue.field == "slot") && slot.is_none() {
                draft.refuse("slot", "name the slot: `primary` or `secondary`");
            }
            return Err(Refusal::validation(draft.issues));
        };
        let changed = self
            .manage()
            .regenerate(&self.caller, id, slot, rotation)
            .await;
        let changed = changed.map_err(|error| {
            Refusal::of(error, &[], |field| match field {
                "expires_at" => Some("expiresAt".to_owned()),
                field => Some(json_name(field)),
            })
        })?;
        let mut response = json(StatusCode::OK, &shape::regenerated(&changed.value));
        etag::insert(&mut response, changed.value.record.version);
        self.changed(changed.number, response).await
    }
}

pub(super) fn slot(value: &Value) -> Result<KeySlot, String> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "primary" => Ok(KeySlot::Primary),
        "secondary" => Ok(KeySlot::Secondary),
        _ => Err("a slot is `primary` or `secondary`".to_owned()),
    }
}

fn seconds(value: &Value) -> Result<u64, String> {
    value
        .as_u64()
        .ok_or_else(|| "expected a whole number of seconds from 0 to 31536000".to_owned())
}
