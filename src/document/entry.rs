//! Entries of a document, from and to the types of the catalog.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Deserialize;

use crate::catalog::validate::Draft;
use crate::catalog::{
    Api, CatalogBuilder, EntityKind, Field, IssueKind, KeySlot, Metadata, Product, Scope, State,
    Subscription, SubscriptionKey,
};
use crate::document::explain::Place;
use crate::document::free_form::FreeForm;
use crate::document::key::KeyReader;
use crate::document::problems::{Problems, SLOTS};
use crate::document::schema::{
    ApiEntry, KeyEntry, KeyNames, KeyTable, Moment, ProductEntry, RetiredKey, SubscriptionEntry,
    Text,
};
use crate::document::time;
use crate::key::{KeyHeader, KeyNameError, KeyQuery};

/// An API, product or subscription.
pub(super) trait Listed: Sized {
    const LIST: EntityKind;
    type Entry<'a>: Deserialize<'a> + Default;

    /// The entry as far as it can be read.
    fn read(entry: Self::Entry<'_>, keys: &KeyReader<'_>, problems: &mut Problems<'_>) -> Self;
    fn push(draft: Draft<Self>, builder: &mut CatalogBuilder);
}

const PATH_ADVICE: &str = "give it a URL prefix like `/orders`, or an empty one for everything";
const HEADER: &str = "this is not a header name";
const HEADER_ADVICE: &str = "use letters, digits and `-`, like `X-Api-Key`";
const RESERVED_HEADER: &str = "this header cannot carry a key, because HTTP needs it";
const RESERVED_HEADER_ADVICE: &str = "use one of your own, like `X-Api-Key`";

impl Listed for Api {
    const LIST: EntityKind = EntityKind::Api;
    type Entry<'a> = ApiEntry<'a>;

    fn read(entry: ApiEntry<'_>, _: &KeyReader<'_>, problems: &mut Problems<'_>) -> Self {
        let names = entry.key_names.unwrap_or_default();
        let header = names.header.and_then(|Text(name)| {
            // The error quotes the name.
            let (what, advice) = match KeyHeader::new(&name) {
                Ok(header) => return Some(header),
                Err(KeyNameError::Reserved { .. }) => (RESERVED_HEADER, RESERVED_HEADER_ADVICE),
                Err(_) => (HEADER, HEADER_ADVICE),
            };
            problems.add_with(Place::of("key_names").inside("header"), what, advice);
            None
        });
        let query = names.query.and_then(|Text(name)| {
            let place = Place::of("key_names").inside("query");
            let query = KeyQuery::new(&name);
            query.map_err(|error| problems.add(place, error)).ok()
        });
        let id = problems.id(entry.id);
        let path = problems.required(entry.path, "path", Field::Path, PATH_ADVICE);
        let mut api = Self::new(id, path)
            .with_subscription_required(entry.subscription_required.unwrap_or(true));
        if let Some(Text(name)) = entry.display_name {
            api = api.with_display_name(name);
        }
        if let Some(header) = header {
            api = api.with_key_header(header);
        }
        if let Some(query) = query {
            api = api.with_key_query(query);
        }
        if let Some(FreeForm(values)) = entry.metadata {
            api = api.with_metadata(values.into_owned());
        }
        api
    }

    fn push(draft: Draft<Self>, builder: &mut CatalogBuilder) {
        builder.push_api_draft(draft);
    }
}

impl Listed for Product {
    const LIST: EntityKind = EntityKind::Product;
    type Entry<'a> = ProductEntry<'a>;

    fn read(entry: ProductEntry<'_>, _: &KeyReader<'_>, problems: &mut Problems<'_>) -> Self {
        let apis = entry.apis.unwrap_or_default();
        let mut product = Self::new(problems.id(entry.id))
            .with_apis(apis.into_iter().map(|Text(api)| api))
            .with_subscription_required(entry.subscription_required.unwrap_or(true))
            .with_published(entry.published.unwrap_or(true));
        if let Some(Text(name)) = entry.display_name {
            product = product.with_display_name(name);
        }
        if let Some(FreeForm(values)) = entry.metadata {
            product = product.with_metadata(values.into_owned());
        }
        product
    }

    fn push(draft: Draft<Self>, builder: &mut CatalogBuilder) {
        builder.push_product_draft(draft);
    }
}

impl Listed for Subscription {
    const LIST: EntityKind = EntityKind::Subscription;
    type Entry<'a> = SubscriptionEntry<'a>;

    fn read(
        entry: SubscriptionEntry<'_>,
        keys: &KeyReader<'_>,
        problems: &mut Problems<'_>,
    ) -> Self {
        let mut subscription = Self::new(problems.id(entry.id));
        if entry.scope.is_some() && entry.scopes.is_some() {
            let what = "there are both `scope` and `scopes`";
            problems.add_with(Place::of("scopes"), what, "keep one of them");
        }
        if let Some(Text(scope)) = entry.scope {
            problems.scope(&mut subscription.scopes, Place::of("scope"), &scope);
        }
        for (at, Text(scope)) in entry.scopes.into_iter().flatten().enumerate() {
            let place = Place::of("scopes").at(at);
            problems.scope(&mut subscription.scopes, place, &scope);
        }
        let mut key = |slot, field, entry: Option<KeyEntry<'_>>| {
            let key = keys.read(entry?, Place::of(field), problems);
            if key.is_none() {
                problems.unread.push(Field::Key(slot));
            }
            key
        };
        subscription.primary_key = key(KeySlot::Primary, "primary_key", entry.primary_key);
        subscription.secondary_key = key(KeySlot::Secondary, "secondary_key", entry.secondary_key);
        for (at, retired) in entry.retired_keys.into_iter().flatten().enumerate() {
            let place = Place::of("retired_keys").at(at);
            if let Some((slot, key)) = retired.read(keys, place, problems) {
                if subscription.retired_key(slot).is_some() {
                    problems.add(place, IssueKind::SecondRetiredKey);
                }
                subscription = subscription.with_retired_key(slot, key);
            }
        }
        if let Some(Text(state)) = entry.state {
            let state = problems.parsed(Place::of("state"), &state);
            subscription.state = state.unwrap_or_default();
        }
        let mut moment = |field, moment: Option<Moment<'_>>| {
            moment.and_then(|moment| problems.moment(Place::of(field), &moment))
        };
        subscription.not_before = moment("not_before", entry.not_before);
        subscription.expires_at = moment("expires_at", entry.expires_at);
        subscription.display_name = entry.display_name.map(|Text(name)| name.into_owned());
        subscription.owner = entry.owner.map(|Text(owner)| owner.into_owned());
        if let Some(FreeForm(values)) = entry.metadata {
            subscription.metadata = values.into_owned().into();
        }
        subscription
    }

    fn push(draft: Draft<Self>, builder: &mut CatalogBuilder) {
        builder.push_subscription_draft(draft);
    }
}

impl RetiredKey<'_> {
    fn read(
        self,
        keys: &KeyReader<'_>,
        place: Place,
        problems: &mut Problems<'_>,
    ) -> Option<(KeySlot, SubscriptionKey)> {
        let slot = match &self.slot {
            Some(Text(slot)) => problems.slot(place.inside("slot"), slot),
            None => problems.missing(place, "slot", SLOTS),
        };
        let has_end = self.expires_at.is_some();
        let table = KeyTable {
            value: self.value,
            sha256: self.sha256,
            env: self.env,
            file: self.file,
            expires_at: self.expires_at,
        };
        let key = keys.read_table(&table, place, problems)?;
        // The catalog refuses one without an end, and one with a wrong end was
        // reported just now.
        (!has_end || key.expires_at().is_some()).then_some((slot?, key))
    }
}

impl<'a> From<&'a Api> for ApiEntry<'a> {
    fn from(api: &'a Api) -> Self {
        let names = KeyNames {
            header: api.key_header().map(|header| header.spelling().into()),
            query: api.key_query().map(|query| query.name().into()),
        };
        let has_names = names.header.is_some() || names.query.is_some();
        Self {
            id: Some(api.id().into()),
            display_name: api.display_name.as_deref().map(Text::from),
            path: Some(api.path.as_str().into()),
            subscription_required: (!api.subscription_required()).then_some(false),
            key_names: has_names.then_some(names),
            metadata: free_form(api.metadata()),
        }
    }
}

impl<'a> From<&'a Product> for ProductEntry<'a> {
    fn from(product: &'a Product) -> Self {
        let apis = product.apis().iter();
        Self {
            id: Some(product.id().into()),
            display_name: product.display_name.as_deref().map(Text::from),
            apis: Some(apis.map(|api| api.as_str().into()).collect()),
            subscription_required: product.is_open().then_some(false),
            published: (!product.is_published()).then_some(false),
            metadata: free_form(product.metadata()),
        }
    }
}

impl<'a> From<&'a Subscription> for SubscriptionEntry<'a> {
    fn from(subscription: &'a Subscription) -> Self {
        let text = |scope: &Scope| Text(scope.to_string().into());
        let (scope, scopes) = match subscription.scopes() {
            [scope] => (Some(text(scope)), None),
            several => (None, Some(several.iter().map(text).collect())),
        };
        let key = |key: &SubscriptionKey| {
            KeyEntry::Table(KeyTable {
                sha256: Some(Text(key.digest().to_hex().into())),
                expires_at: moment(key.expires_at()),
                ..KeyTable::default()
            })
        };
        let retired = subscription.retired_keys().map(|(slot, key)| RetiredKey {
            slot: Some(slot.as_str().into()),
            sha256: Some(Text(key.digest().to_hex().into())),
            expires_at: moment(key.expires_at()),
            ..RetiredKey::default()
        });
        let retired: Vec<_> = retired.collect();
        let state = subscription.state();
        Self {
            id: Some(subscription.id().into()),
            display_name: subscription.display_name.as_deref().map(Text::from),
            scope,
            scopes,
            owner: subscription.owner().map(Text::from),
            state: (state != State::default()).then(|| state.as_str().into()),
            primary_key: subscription.key(KeySlot::Primary).map(key),
            secondary_key: subscription.key(KeySlot::Secondary).map(key),
            retired_keys: (!retired.is_empty()).then_some(retired),
            not_before: moment(subscription.not_before()),
            expires_at: moment(subscription.expires_at()),
            metadata: free_form(subscription.metadata()),
        }
    }
}

fn free_form(metadata: &Metadata) -> Option<FreeForm<'_>> {
    (!metadata.is_empty()).then(|| FreeForm(Cow::Borrowed(metadata.values())))
}

fn moment(time: Option<SystemTime>) -> Option<Moment<'static>> {
    time.map(|time| Moment(time::format(time).into()))
}
