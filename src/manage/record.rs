use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::catalog::{
    Api, KeySlot, Metadata, Product, Scope, State, Subscription, SubscriptionKey,
};
use crate::key::{KeyDigest, KeyHeader, KeyQuery};
use crate::manage::filter::{FilterField, Filtered};
use crate::manage::{SLOTS, stored};

/// An API, with data that only management needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApiRecord {
    /// The id.
    pub id: String,
    /// The name for people. `None`: the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The URL prefix.
    pub path: String,
    /// Whether a caller needs a subscription.
    pub subscription_required: bool,
    /// The name of the header that carries keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_header: Option<String>,
    /// The name of the query parameter that carries keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_query: Option<String>,
    /// Free-form values for later layers.
    #[serde(default, skip_serializing_if = "Metadata::is_empty", with = "stored")]
    pub metadata: Metadata,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Kept for clients, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_url: Option<String>,
    /// Kept for clients, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Vec<String>>,
    /// Kept for clients, without effect.
    #[serde(rename = "type")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_type: Option<String>,
    /// Kept for clients, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kept for clients, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_revision: Option<String>,
    /// The time of creation.
    #[serde(with = "stored")]
    pub created_at: SystemTime,
    /// The time of the last change.
    #[serde(with = "stored")]
    pub updated_at: SystemTime,
    /// Counts the changes of the record.
    pub version: u64,
    /// The place in the catalog: lower ones come first.
    #[serde(skip)]
    pub(crate) place: i64,
}

/// A product, with data that only management needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProductRecord {
    /// The id.
    pub id: String,
    /// The name for people. `None`: the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The ids of its APIs.
    pub apis: Vec<String>,
    /// Whether callers need a subscription. `false` makes it an open product.
    pub subscription_required: bool,
    /// Whether owners see it.
    pub published: bool,
    /// Free-form values for later layers.
    #[serde(default, skip_serializing_if = "Metadata::is_empty", with = "stored")]
    pub metadata: Metadata,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The terms of use that an owner has to accept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// Whether a publisher has to approve the subscriptions that owners make.
    pub approval_required: bool,
    /// How many subscriptions each owner may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions_limit: Option<u32>,
    /// The time of creation.
    #[serde(with = "stored")]
    pub created_at: SystemTime,
    /// The time of the last change.
    #[serde(with = "stored")]
    pub updated_at: SystemTime,
    /// Counts the changes of the record.
    pub version: u64,
    /// The place in the catalog: lower ones come first.
    #[serde(skip)]
    pub(crate) place: i64,
}

/// A subscription, with data that only management needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubscriptionRecord {
    /// The id.
    pub id: String,
    /// The name for people. `None`: the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What it opens, never empty.
    #[serde(with = "stored")]
    pub scopes: Vec<Scope>,
    /// The owner. `None`: standalone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The state. An active subscription that has ended reads as expired.
    #[serde(with = "stored")]
    pub state: State,
    /// A comment on the state, such as the reason of a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_comment: Option<String>,
    /// The key in the primary slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<KeyRecord>,
    /// The key in the secondary slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_key: Option<KeyRecord>,
    /// The replaced key of the primary slot, during its grace period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_primary_key: Option<KeyRecord>,
    /// The replaced key of the secondary slot, during its grace period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_secondary_key: Option<KeyRecord>,
    /// The time from which it opens anything.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored")]
    pub not_before: Option<SystemTime>,
    /// The end of its validity.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored")]
    pub expires_at: Option<SystemTime>,
    /// Free-form values for later layers.
    #[serde(default, skip_serializing_if = "Metadata::is_empty", with = "stored")]
    pub metadata: Metadata,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The first time that it was active.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored")]
    pub started_at: Option<SystemTime>,
    /// The time at which it was cancelled or expired.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored")]
    pub ended_at: Option<SystemTime>,
    /// The time at which its owner accepted the product's terms.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored")]
    pub terms_accepted_at: Option<SystemTime>,
    /// Kept for clients, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_tracing: Option<bool>,
    /// The time of creation.
    #[serde(with = "stored")]
    pub created_at: SystemTime,
    /// The time of the last change.
    #[serde(with = "stored")]
    pub updated_at: SystemTime,
    /// Counts the changes of the record.
    pub version: u64,
    /// The place in the catalog: lower ones come first.
    #[serde(skip)]
    pub(crate) place: i64,
}

/// One key of a subscription. The key itself is not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyRecord {
    #[serde(with = "stored")]
    pub(crate) digest: KeyDigest,
    /// The time from which the key no longer works.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored")]
    pub expires_at: Option<SystemTime>,
    /// The time at which the slot got this key.
    #[serde(with = "stored")]
    pub created_at: SystemTime,
    /// The time at which the slot was last used, to the minute. Set for the keys
    /// that are in their slots, not for replaced ones.
    #[serde(skip)]
    pub last_used_at: Option<SystemTime>,
}

impl KeyRecord {
    pub(crate) fn new(digest: KeyDigest, created_at: SystemTime) -> Self {
        Self {
            digest,
            expires_at: None,
            created_at,
            last_used_at: None,
        }
    }

    pub(crate) fn has_ended(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    fn to_catalog(&self) -> SubscriptionKey {
        let key = SubscriptionKey::from_digest(self.digest);
        match self.expires_at {
            Some(end) => key.with_expiry(end),
            None => key,
        }
    }
}

impl ApiRecord {
    /// The name for people, or the id.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.id)
    }

    /// The API as the catalog has it. The names of its key sources were checked
    /// when they were set.
    #[must_use]
    pub fn to_catalog(&self) -> Api {
        let mut api = Api::new(&*self.id, &*self.path)
            .with_subscription_required(self.subscription_required)
            .with_metadata(self.metadata.clone());
        if let Some(name) = &self.display_name {
            api = api.with_display_name(name);
        }
        if let Some(Ok(header)) = self.key_header.as_deref().map(KeyHeader::new) {
            api = api.with_key_header(header);
        }
        if let Some(Ok(query)) = self.key_query.as_deref().map(KeyQuery::new) {
            api = api.with_key_query(query);
        }
        api
    }
}

impl ProductRecord {
    /// The name for people, or the id.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.id)
    }

    /// Whether owners see the product and may subscribe to it.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.published && self.subscription_required
    }

    /// The product as the catalog has it.
    #[must_use]
    pub fn to_catalog(&self) -> Product {
        let product = Product::new(&*self.id)
            .with_apis(self.apis.iter().cloned())
            .with_subscription_required(self.subscription_required)
            .with_published(self.published)
            .with_metadata(self.metadata.clone());
        match &self.display_name {
            Some(name) => product.with_display_name(name),
            None => product,
        }
    }
}

impl SubscriptionRecord {
    /// The name for people, or the id.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.id)
    }

    /// The key in the given slot.
    #[must_use]
    pub fn key(&self, slot: KeySlot) -> Option<&KeyRecord> {
        match slot {
            KeySlot::Primary => self.primary_key.as_ref(),
            KeySlot::Secondary => self.secondary_key.as_ref(),
        }
    }

    /// The replaced key of the given slot, during its grace period.
    #[must_use]
    pub fn retired_key(&self, slot: KeySlot) -> Option<&KeyRecord> {
        match slot {
            KeySlot::Primary => self.retired_primary_key.as_ref(),
            KeySlot::Secondary => self.retired_secondary_key.as_ref(),
        }
    }

    pub(crate) fn key_mut(&mut self, slot: KeySlot) -> &mut Option<KeyRecord> {
        match slot {
            KeySlot::Primary => &mut self.primary_key,
            KeySlot::Secondary => &mut self.secondary_key,
        }
    }

    pub(crate) fn retired_key_mut(&mut self, slot: KeySlot) -> &mut Option<KeyRecord> {
        match slot {
            KeySlot::Primary => &mut self.retired_primary_key,
            KeySlot::Secondary => &mut self.retired_secondary_key,
        }
    }

    /// Whether it is stored as active but has ended.
    pub(crate) fn has_ended(&self, now: SystemTime) -> bool {
        self.state == State::Active && self.expires_at.is_some_and(|end| end <= now)
    }

    /// The state at the given time.
    pub(crate) fn state_at(&self, now: SystemTime) -> State {
        if self.has_ended(now) {
            State::Expired
        } else {
            self.state
        }
    }

    /// The record as callers see it at the given time.
    pub(crate) fn seen_at(mut self, now: SystemTime) -> Self {
        if self.has_ended(now) {
            self.state = State::Expired;
            self.ended_at = self.expires_at;
        }
        self.drop_ended_keys(now);
        self
    }

    /// Removes replaced keys after the end of their grace period.
    pub(crate) fn drop_ended_keys(&mut self, now: SystemTime) {
        for slot in SLOTS {
            self.retired_key_mut(slot).take_if(|key| key.has_ended(now));
        }
    }

    /// Every key with its slot, and whether it is a replaced one.
    pub(crate) fn all_keys(&self) -> impl Iterator<Item = (KeySlot, bool, &KeyRecord)> {
        SLOTS.into_iter().flat_map(|slot| {
            let current = self.key(slot).map(|key| (slot, false, key));
            let retired = self.retired_key(slot).map(|key| (slot, true, key));
            current.into_iter().chain(retired)
        })
    }

    /// Whether one of its keys has the digest.
    pub(crate) fn holds(&self, digest: &KeyDigest) -> bool {
        self.all_keys().any(|(_, _, key)| key.digest == *digest)
    }

    /// The subscription as the catalog has it.
    #[must_use]
    pub fn to_catalog(&self) -> Subscription {
        let key = |key: &Option<KeyRecord>| key.as_ref().map(KeyRecord::to_catalog);
        let retired = [&self.retired_primary_key, &self.retired_secondary_key];
        Subscription {
            id: self.id.clone(),
            display_name: self.display_name.clone(),
            scopes: self.scopes.clone(),
            owner: self.owner.clone(),
            state: self.state,
            primary_key: key(&self.primary_key),
            secondary_key: key(&self.secondary_key),
            retired_keys: retired.map(|retired| key(retired).map(Box::new)),
            not_before: self.not_before,
            expires_at: self.expires_at,
            metadata: self.metadata.clone(),
        }
    }
}

impl Filtered for ApiRecord {
    fn values(&self, field: FilterField) -> Vec<Cow<'_, str>> {
        common(field, &self.id, self.display_name())
    }
}

impl Filtered for ProductRecord {
    fn values(&self, field: FilterField) -> Vec<Cow<'_, str>> {
        common(field, &self.id, self.display_name())
    }
}

impl Filtered for SubscriptionRecord {
    fn values(&self, field: FilterField) -> Vec<Cow<'_, str>> {
        let optional = |value: &'_ Option<String>| Cow::Owned(value.clone().unwrap_or_default());
        let scopes = self.scopes.iter();
        match field {
            FilterField::StateComment => vec![optional(&self.state_comment)],
            FilterField::Owner => vec![optional(&self.owner)],
            FilterField::State => vec![self.state.as_str().into()],
            FilterField::Scope => scopes.map(|scope| scope.to_string().into()).collect(),
            FilterField::Product => scopes.filter_map(product_of).collect(),
            _ => common(field, &self.id, self.display_name()),
        }
    }
}

fn product_of(scope: &Scope) -> Option<Cow<'_, str>> {
    match scope {
        Scope::Product(id) => Some(id.into()),
        _ => None,
    }
}

fn common<'r>(field: FilterField, id: &'r str, display_name: &'r str) -> Vec<Cow<'r, str>> {
    match field {
        FilterField::Id => vec![id.into()],
        FilterField::DisplayName => vec![display_name.into()],
        _ => Vec::new(),
    }
}
