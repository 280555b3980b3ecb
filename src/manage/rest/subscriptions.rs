//! The operations on subscriptions and their keys.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use crate::catalog::KeySlot;
use crate::manage::rest::body::{Draft, text, time};
use crate::manage::rest::call::{Answer, Call, absent, created, empty, json, record};
use crate::manage::rest::fields::{self, json_name};
use crate::manage::rest::filter::Of;
use crate::manage::rest::refusal::Refusal;
use crate::manage::rest::{etag, shape};
use crate::manage::{
    Changed, Comparison, Expected, Filter, FilterField, ManageError, RecordRef, Regenerated,
    Rotation,
};

impl Call<'_> {
    pub(super) async fn list_subscriptions(&self, limit: Option<Filter>) -> Answer {
        let query = self.list_query(Of::Subscriptions, limit)?;
        let page = self
            .manage()
            .list_subscriptions(&self.caller, &query)
            .await
            .map_err(plain)?;
        self.list(page, shape::subscription)
    }

    pub(super) async fn list_product_subscriptions(&self, product: &str) -> Answer {
        self.manage()
            .product(&self.caller, product)
            .await
            .map_err(plain)?;
        let of_product = Filter::compare(FilterField::Product, Comparison::Eq, product);
        self.list_subscriptions(Some(of_product)).await
    }

    pub(super) async fn list_user_subscriptions(&self, user: &str) -> Answer {
        let of_user = Filter::compare(FilterField::Owner, Comparison::Eq, user);
        self.list_subscriptions(Some(of_user)).await
    }

    pub(super) async fn get_user_subscription(&self, user: &str, id: &str) -> Answer {
        let found = self
            .manage()
            .subscription(&self.caller, id)
            .await
            .map_err(plain)?;
        if found.owner.as_deref() != Some(user) {
            return Err(plain(ManageError::not_found(RecordRef::subscription(id))));
        }
        let version = found.version;
        Ok(record(
            StatusCode::OK,
            version,
            &shape::subscription(&self.place, found),
        ))
    }

    pub(super) async fn get_subscription(&self, id: &str) -> Answer {
        let found = self
            .manage()
            .subscription(&self.caller, id)
            .await
            .map_err(plain)?;
        let version = found.version;
        Ok(record(
            StatusCode::OK,
            version,
            &shape::subscription(&self.place, found),
        ))
    }

    pub(super) async fn put_subscription(&self, id: &str) -> Answer {
        let expected = etag::of_put(&self.head.headers);
        self.set_subscription(id, expected, |error| error).await
    }

    pub(super) async fn patch_subscription(&self, id: &str) -> Answer {
        let expected = etag::of_patch(&self.head.headers);
        self.set_subscription(id, expected, absent).await
    }

    async fn set_subscription(
        &self,
        id: &str,
        expected: Expected,
        error: impl Fn(ManageError) -> ManageError,
    ) -> Answer {
        let fields = fields::subscription(&self.body);
        let own = fields.issues.clone();
        let changed = self
            .manage()
            .put_subscription(&self.caller, id, fields, expected)
            .await;
        let changed = changed.map_err(|cause| fields::refusal(error(cause), &self.body, &own))?;
        let put = changed.value;
        let (status, version) = (created(put.created), put.record.version);
        let content = shape::subscription(&self.place, put.record);
        let content = content.with_keys(put.primary_key, put.secondary_key);
        self.changed(changed.number, record(status, version, &content))
            .await
    }

    pub(super) async fn delete_subscription(&self, id: &str) -> Answer {
        let expected = etag::of_delete(&self.head.headers);
        let deleted = self
            .manage()
            .delete_subscription(&self.caller, id, expected)
            .await;
        self.answer_deletion(deleted, StatusCode::OK).await
    }

    /// Deleting what is absent is 204, whatever tag the request names.
    pub(super) async fn answer_deletion(
        &self,
        deleted: Result<Changed<bool>, ManageError>,
        status: StatusCode,
    ) -> Answer {
        match deleted {
            Ok(Changed {
                value: true,
                number,
            }) => self.changed(number, empty(status)).await,
            Ok(_) | Err(ManageError::PreconditionFailed { current: None, .. }) => {
                Ok(empty(StatusCode::NO_CONTENT))
            }
            Err(error) => Err(plain(error)),
        }
    }

    pub(super) async fn list_secrets(&self, id: &str) -> Answer {
        let secrets = self
            .manage()
            .read_secrets(&self.caller, id)
            .await
            .map_err(plain)?;
        Ok(json(StatusCode::OK, &shape::secrets(secrets)))
    }

    pub(super) async fn regenerate(&self, id: &str, slot: KeySlot) -> Answer {
        let regenerated = self
            .manage()
            .regenerate_recoverable(&self.caller, id, slot)
            .await;
        let number = regenerated.map_err(plain)?.number;
        self.changed(number, empty(StatusCode::NO_CONTENT)).await
    }

    pub(super) async fn rotate(&self, id: &str) -> Answer {
        let mut draft = Draft::of(&self.body);
        let slot = draft.option("slot", slot);
        let grace = draft.option("graceSeconds", seconds).unwrap_or_default();
        let rotation = Rotation {
            expected: etag::of_patch(&self.head.headers),
            grace: Duration::from_secs(grace),
            expires_at: draft.set("expiresAt", time),
            prefix: draft.option("keyPrefix", text),
        };
        let Some(slot) = slot.filter(|_| draft.issues.is_empty()) else {
            // An absent record is reported before wrong values.
            self.manage()
                .subscription(&self.caller, id)
                .await
                .map_err(plain)?;
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
            Refusal::of(error, |field| match field {
                "expires_at" => "expiresAt".to_owned(),
                field => json_name(field),
            })
        })?;
        let response = rotated(&changed.value);
        self.changed(changed.number, response).await
    }
}

fn rotated(regenerated: &Regenerated) -> Response {
    let content = shape::regenerated(regenerated);
    record(StatusCode::OK, regenerated.record.version, &content)
}

/// The refusal of a request with a body without fields.
pub(super) fn plain(error: ManageError) -> Refusal {
    Refusal::of(error, json_name)
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
