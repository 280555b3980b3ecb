use std::borrow::Cow;
use std::time::SystemTime;

use serde::de::MapAccess;

use crate::catalog::{Api, CatalogBuilder, Product, Scope, State, Subscription, SubscriptionKey};
use crate::document::Environment;
use crate::document::stream::key::Key;
use crate::document::stream::values::{Metadata, Text, all_parsed, moment, parsed, taken, text};
use crate::document::stream::{Entry, Fields, Table};
use crate::key::{KeyHeader, KeyQuery};

type Str<'de> = Option<Cow<'de, str>>;

#[derive(Default)]
pub(super) struct ApiFields<'de> {
    id: Str<'de>,
    path: Str<'de>,
    display_name: Str<'de>,
    subscription_required: Option<bool>,
    key_names: KeyNames,
    metadata: Option<Metadata>,
}

impl<'de> Fields<'de> for ApiFields<'de> {
    const NAMES: &'static [&'static str] = &[
        "id",
        "path",
        "display_name",
        "subscription_required",
        "key_names",
        "metadata",
    ];

    fn read<A: MapAccess<'de>>(
        &mut self,
        field: usize,
        map: &mut A,
        environment: Environment<'_>,
    ) -> Result<(), A::Error> {
        match Self::NAMES[field] {
            "id" => self.id = text(map)?,
            "path" => self.path = text(map)?,
            "display_name" => self.display_name = text(map)?,
            "subscription_required" => self.subscription_required = Some(map.next_value()?),
            "key_names" => map.next_value_seed(Table {
                environment,
                fields: &mut self.key_names,
            })?,
            _ => self.metadata = Some(map.next_value()?),
        }
        Ok(())
    }
}

impl<'de> Entry<'de> for ApiFields<'de> {
    fn enter(self, builder: &mut CatalogBuilder) -> Option<()> {
        let mut api = Api::new(self.id?, self.path?);
        if let Some(name) = self.display_name {
            api = api.with_display_name(name);
        }
        if let Some(required) = self.subscription_required {
            api = api.with_subscription_required(required);
        }
        if let Some(header) = self.key_names.header {
            api = api.with_key_header(header);
        }
        if let Some(query) = self.key_names.query {
            api = api.with_key_query(query);
        }
        if let Some(metadata) = self.metadata {
            api = api.with_metadata(metadata.0);
        }
        builder.push_api(api);
        Some(())
    }
}

#[derive(Default)]
struct KeyNames {
    header: Option<KeyHeader>,
    query: Option<KeyQuery>,
}

impl<'de> Fields<'de> for KeyNames {
    const NAMES: &'static [&'static str] = &["header", "query"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        field: usize,
        map: &mut A,
        _: Environment<'_>,
    ) -> Result<(), A::Error> {
        let Text(name) = map.next_value()?;
        match Self::NAMES[field] {
            "header" => self.header = Some(taken(KeyHeader::new(&name))?),
            _ => self.query = Some(taken(KeyQuery::new(&name))?),
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct ProductFields<'de> {
    id: Str<'de>,
    apis: Vec<Text<'de>>,
    display_name: Str<'de>,
    subscription_required: Option<bool>,
    published: Option<bool>,
    metadata: Option<Metadata>,
}

impl<'de> Fields<'de> for ProductFields<'de> {
    const NAMES: &'static [&'static str] = &[
        "id",
        "apis",
        "display_name",
        "subscription_required",
        "published",
        "metadata",
    ];

    fn read<A: MapAccess<'de>>(
        &mut self,
        field: usize,
        map: &mut A,
        _: Environment<'_>,
    ) -> Result<(), A::Error> {
        match Self::NAMES[field] {
            "id" => self.id = text(map)?,
            "apis" => self.apis = map.next_value()?,
            "display_name" => self.display_name = text(map)?,
            "subscription_required" => self.subscription_required = Some(map.next_value()?),
            "published" => self.published = Some(map.next_value()?),
            _ => self.metadata = Some(map.next_value()?),
        }
        Ok(())
    }
}

impl<'de> Entry<'de> for ProductFields<'de> {
    fn enter(self, builder: &mut CatalogBuilder) -> Option<()> {
        let apis = self.apis.into_iter().map(|Text(api)| api);
        let mut product = Product::new(self.id?).with_apis(apis);
        if let Some(name) = self.display_name {
            product = product.with_display_name(name);
        }
        if let Some(required) = self.subscription_required {
            product = product.with_subscription_required(required);
        }
        if let Some(published) = self.published {
            product = product.with_published(published);
        }
        if let Some(metadata) = self.metadata {
            product = product.with_metadata(metadata.0);
        }
        builder.push_product(product);
        Some(())
    }
}

#[derive(Default)]
pub(super) struct SubscriptionFields<'de> {
    id: Str<'de>,
    scope: Option<Scope>,
    scopes: Option<Vec<Scope>>,
    primary_key: Option<SubscriptionKey>,
    secondary_key: Option<SubscriptionKey>,
    display_name: Str<'de>,
    owner: Str<'de>,
    state: State,
    not_before: Option<SystemTime>,
    expires_at: Option<SystemTime>,
    metadata: Option<Metadata>,
}

impl<'de> Fields<'de> for SubscriptionFields<'de> {
    const NAMES: &'static [&'static str] = &[
        "id",
        "scope",
        "primary_key",
        "secondary_key",
        "scopes",
        "display_name",
        "owner",
        "state",
        "not_before",
        "expires_at",
        "metadata",
    ];

    fn read<A: MapAccess<'de>>(
        &mut self,
        field: usize,
        map: &mut A,
        environment: Environment<'_>,
    ) -> Result<(), A::Error> {
        match Self::NAMES[field] {
            "id" => self.id = text(map)?,
            "scope" => self.scope = Some(parsed(map)?),
            "scopes" => self.scopes = Some(all_parsed(map)?),
            "primary_key" => self.primary_key = Some(map.next_value_seed(Key(environment))?),
            "secondary_key" => self.secondary_key = Some(map.next_value_seed(Key(environment))?),
            "display_name" => self.display_name = text(map)?,
            "owner" => self.owner = text(map)?,
            "state" => self.state = parsed(map)?,
            "not_before" => self.not_before = Some(moment(map)?),
            "expires_at" => self.expires_at = Some(moment(map)?),
            _ => self.metadata = Some(map.next_value()?),
        }
        Ok(())
    }
}

impl<'de> Entry<'de> for SubscriptionFields<'de> {
    fn enter(self, builder: &mut CatalogBuilder) -> Option<()> {
        // A million times over, moving it from step to step would be felt.
        let mut subscription = Subscription::new(self.id?);
        subscription.scopes = match (self.scope, self.scopes) {
            (Some(scope), None) => vec![scope],
            (None, Some(scopes)) => scopes,
            _ => return None,
        };
        subscription.primary_key = self.primary_key;
        subscription.secondary_key = self.secondary_key;
        subscription.display_name = self.display_name.map(Cow::into_owned);
        subscription.owner = self.owner.map(Cow::into_owned);
        subscription.state = self.state;
        subscription.not_before = self.not_before;
        subscription.expires_at = self.expires_at;
        subscription.metadata = self
            .metadata
            .map(|values| values.0.into())
            .unwrap_or_default();
        builder.push_subscription(subscription);
        Some(())
    }
}
