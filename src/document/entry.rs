//! Entries of a document, from and to the types of the catalog.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::SystemTime;

use crate::catalog::validate;
use crate::catalog::{
    Api, Field, IssueKind, KeySlot, MAX_ID_CHARS, Product, Scope, State, Subscription,
    SubscriptionKey,
};
use crate::document::explain::{Node, Note, Subject, find};
use crate::document::free_form::FreeForm;
use crate::document::key::KeyReader;
use crate::document::schema::{
    ApiEntry, KeyEntry, KeyNames, KeyTable, Moment, OwnerAnswer, ProductEntry, RetiredKey,
    SubscriptionEntry, Text,
};
use crate::document::time::{self, Rfc3339};
use crate::key::{KeyHeader, KeyNameError, KeyQuery};

/// Something that is wrong with a field of an entry.
pub(super) struct Problem {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) advice: Option<String>,
    /// The text in the place of a scope, which may be the id of something.
    pub(super) scope: Option<String>,
    /// Missing fields next to the place. If one exists after all, it does not match the
    /// schema, and that is the problem.
    pub(super) missing: &'static [&'static str],
}

impl Problem {
    /// The problem as a note about the entry, unless it only follows from another.
    pub(super) fn note(self, subject: Subject, entry: &Node) -> Option<Note> {
        let node = find(entry, self.place);
        let is_refused = |field: &&str| node.get(field).is_some_and(Node::is_refused);
        if self.missing.iter().any(is_refused) {
            return None;
        }
        Some(Note {
            subject,
            field: self.place.to_string(),
            advice: self.advice,
            scope: self.scope,
            ..Note::new(node.at, self.message)
        })
    }
}

/// A field of an entry: `owner`, `scopes` at 2, or `primary_key` with `sha256` in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) field: &'static str,
    pub(super) index: Option<usize>,
    pub(super) inner: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field)?;
        match self.inner {
            "" => Ok(()),
            inner => write!(f, ", {inner}"),
        }
    }
}

impl Place {
    pub(super) fn of(field: &'static str) -> Self {
        Self {
            field,
            ..Self::default()
        }
    }

    pub(super) fn at(self, index: usize) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }

    pub(super) fn inside(self, inner: &'static str) -> Self {
        Self { inner, ..self }
    }
}

/// The problems of one entry.
#[derive(Default)]
pub(super) struct Problems {
    pub(super) list: Vec<Problem>,
    /// The fields that have no value because of them.
    pub(super) unread: Vec<Field>,
}

impl Problems {
    pub(super) fn add(&mut self, place: Place, message: impl Display) {
        self.add_with(place, message, None);
    }

    pub(super) fn add_with(&mut self, place: Place, message: impl Display, advice: Option<String>) {
        let message = message.to_string();
        self.list.push(Problem {
            place,
            message,
            advice,
            scope: None,
            missing: &[],
        });
    }

    /// Adds that one of the fields is missing in the table at the place.
    pub(super) fn add_missing(
        &mut self,
        place: Place,
        missing: &'static [&'static str],
        message: impl Display,
        advice: Option<&str>,
    ) {
        self.add_with(place, message, advice.map(Into::into));
        if let Some(problem) = self.list.last_mut() {
            problem.missing = missing;
        }
    }

    /// Adds a scope to the others, or another in its place that is not looked at.
    fn scope(&mut self, scopes: &mut Vec<Scope>, place: Place, text: &str) {
        let scope = self.parsed(place, text);
        if let (None, Some(problem)) = (&scope, self.list.last_mut()) {
            problem.scope = (text.len() <= MAX_ID_CHARS).then(|| text.to_owned());
            self.unread.push(Field::Scope(scopes.len()));
        }
        scopes.push(scope.unwrap_or(Scope::Service));
    }

    fn id(&mut self, id: Option<Text<'_>>) -> String {
        owned(id).unwrap_or_else(|| {
            self.unread.push(Field::Id);
            let _: Option<()> = self.missing(Place::default(), &["id"], ID_ADVICE);
            String::new()
        })
    }

    /// Parses the text into a value.
    fn parsed<T: FromStr<Err: Display>>(&mut self, place: Place, text: &str) -> Option<T> {
        text.parse().map_err(|error| self.add(place, error)).ok()
    }

    pub(super) fn moment(&mut self, place: Place, moment: &Moment<'_>) -> Option<SystemTime> {
        let time = time::parse(&moment.0);
        time.map_err(|error| self.add(place, error)).ok()
    }
}

fn owned(text: Option<Text<'_>>) -> Option<String> {
    text.map(|text| text.0.into_owned())
}

fn borrowed(text: Option<&str>) -> Option<Text<'_>> {
    text.map(Text::from)
}

fn free_form(metadata: &crate::catalog::Metadata) -> Option<FreeForm<'_>> {
    (!metadata.is_empty()).then(|| FreeForm(Cow::Borrowed(metadata.values())))
}

/// The end or beginning of something, for writing.
fn written(time: Option<SystemTime>) -> Option<Moment<'static>> {
    time.map(|time| Moment(Rfc3339(time).to_string().into()))
}

const ID_ADVICE: &str = "give it one, like `orders`";
const PATH_ADVICE: &str = "give it a URL prefix like `/orders`, or an empty one for everything";
const BOTH_SCOPES: &str = "there are both `scope` and `scopes`";
const HEADER: &str = "this is not a header name";
const HEADER_ADVICE: &str = "use letters, digits and `-`, like `X-Api-Key`";
const RESERVED_HEADER: &str = "this header cannot carry a key, because HTTP needs it";
const RESERVED_HEADER_ADVICE: &str = "use one of your own, like `X-Api-Key`";

impl<'a> ApiEntry<'a> {
    pub(super) fn into_api(self, problems: &mut Problems) -> Api {
        let header = self.key_names.as_ref().and_then(|names| {
            let place = Place::of("key_names").inside("header");
            let header = KeyHeader::new(&names.header.as_ref()?.0);
            // Its error quotes the name.
            let what = |error| match error {
                KeyNameError::Reserved { .. } => (RESERVED_HEADER, RESERVED_HEADER_ADVICE),
                _ => (HEADER, HEADER_ADVICE),
            };
            header
                .map_err(what)
                .map_err(|(what, advice)| problems.add_with(place, what, Some(advice.into())))
                .ok()
        });
        let query = self.key_names.as_ref().and_then(|names| {
            let place = Place::of("key_names").inside("query");
            let query = KeyQuery::new(&names.query.as_ref()?.0);
            query.map_err(|error| problems.add(place, error)).ok()
        });
        let id = problems.id(self.id);
        let path = owned(self.path).unwrap_or_else(|| {
            problems.unread.push(Field::Path);
            let _: Option<()> = problems.missing(Place::default(), &["path"], PATH_ADVICE);
            String::new()
        });
        let mut api = Api::new(id, path)
            .with_subscription_required(self.subscription_required.unwrap_or(true));
        if let Some(name) = owned(self.display_name) {
            api = api.with_display_name(name);
        }
        if let Some(header) = header {
            api = api.with_key_header(header);
        }
        if let Some(query) = query {
            api = api.with_key_query(query);
        }
        if let Some(FreeForm(values)) = self.metadata {
            api = api.with_metadata(values.into_owned());
        }
        api
    }
}

impl<'a> From<&'a Api> for ApiEntry<'a> {
    fn from(api: &'a Api) -> Self {
        let names = KeyNames {
            header: borrowed(api.key_header().map(KeyHeader::spelling)),
            query: borrowed(api.key_query().map(KeyQuery::name)),
        };
        let has_names = names.header.is_some() || names.query.is_some();
        Self {
            id: Some(api.id().into()),
            display_name: borrowed(api.given_display_name()),
            path: Some(api.given_path().into()),
            subscription_required: (!api.subscription_required()).then_some(false),
            key_names: has_names.then_some(names),
            metadata: free_form(api.metadata()),
        }
    }
}

impl<'a> ProductEntry<'a> {
    pub(super) fn into_product(self, problems: &mut Problems) -> Product {
        let apis = self.apis.unwrap_or_default();
        let mut product = Product::new(problems.id(self.id))
            .with_apis(apis.into_iter().map(|Text(api)| api))
            .with_subscription_required(self.subscription_required.unwrap_or(true))
            .with_published(self.published.unwrap_or(true));
        if let Some(name) = owned(self.display_name) {
            product = product.with_display_name(name);
        }
        if let Some(FreeForm(values)) = self.metadata {
            product = product.with_metadata(values.into_owned());
        }
        product
    }
}

impl<'a> From<&'a Product> for ProductEntry<'a> {
    fn from(product: &'a Product) -> Self {
        let apis = product.apis().iter();
        Self {
            id: Some(product.id().into()),
            display_name: borrowed(product.given_display_name()),
            apis: Some(apis.map(|api| api.as_str().into()).collect()),
            subscription_required: product.is_open().then_some(false),
            published: (!product.is_published()).then_some(false),
            metadata: free_form(product.metadata()),
        }
    }
}

impl<'a> SubscriptionEntry<'a> {
    pub(super) fn into_subscription(
        self,
        keys: &KeyReader<'_>,
        problems: &mut Problems,
    ) -> Subscription {
        let mut subscription = Subscription::new(problems.id(self.id));
        if self.scope.is_some() && self.scopes.is_some() {
            let advice = Some("keep one of them".into());
            problems.add_with(Place::of("scopes"), BOTH_SCOPES, advice);
        }
        if let Some(Text(scope)) = self.scope {
            problems.scope(&mut subscription.scopes, Place::of("scope"), &scope);
        }
        for (at, Text(scope)) in self.scopes.into_iter().flatten().enumerate() {
            let place = Place::of("scopes").at(at);
            problems.scope(&mut subscription.scopes, place, &scope);
        }
        let mut key = |slot, entry: Option<KeyEntry<'_>>| {
            let key = keys.read(entry?, Place::of(key_field(slot)), problems);
            if key.is_none() {
                problems.unread.push(Field::Key(slot));
            }
            key
        };
        subscription.primary_key = key(KeySlot::Primary, self.primary_key);
        subscription.secondary_key = key(KeySlot::Secondary, self.secondary_key);
        for (at, retired) in self.retired_keys.into_iter().flatten().enumerate() {
            let place = Place::of("retired_keys").at(at);
            if let Some((slot, key)) = retired.read(keys, place, problems) {
                if subscription.retired_key(slot).is_some() {
                    problems.add(place, IssueKind::SecondRetiredKey);
                }
                subscription = subscription.with_retired_key(slot, key);
            }
        }
        if let Some(Text(state)) = self.state {
            let state = problems.parsed(Place::of("state"), &state);
            subscription.state = state.unwrap_or_default();
        }
        let mut moment = |field, moment: Option<Moment<'_>>| {
            moment.and_then(|moment| problems.moment(Place::of(field), &moment))
        };
        subscription.not_before = moment("not_before", self.not_before);
        subscription.expires_at = moment("expires_at", self.expires_at);
        subscription.display_name = owned(self.display_name);
        subscription.owner = owned(self.owner);
        if let Some(FreeForm(values)) = self.metadata {
            subscription.metadata = values.into_owned().into();
        }
        subscription
    }
}

impl<'a> From<&'a Subscription> for SubscriptionEntry<'a> {
    fn from(subscription: &'a Subscription) -> Self {
        let scopes = |scopes: &[Scope]| {
            let text = |scope: &Scope| Text(scope.to_string().into());
            scopes.iter().map(text).collect()
        };
        let key = |slot| {
            subscription
                .key(slot)
                .map(|key| KeyEntry::Table(key.into()))
        };
        let retired = subscription.retired_keys().map(|(slot, key)| RetiredKey {
            slot: Some(slot.as_str().into()),
            sha256: Some(Text(key.digest().to_hex().into())),
            expires_at: written(key.expires_at()),
            ..RetiredKey::default()
        });
        let retired: Vec<_> = retired.collect();
        let (scope, scopes) = match subscription.scopes() {
            [scope] => (Some(Text(scope.to_string().into())), None),
            several => (None, Some(scopes(several))),
        };
        let state = subscription.state();
        Self {
            id: Some(subscription.id().into()),
            display_name: borrowed(subscription.given_display_name()),
            scope,
            scopes,
            owner: borrowed(subscription.owner()),
            state: (state != State::default()).then(|| state.as_str().into()),
            primary_key: key(KeySlot::Primary),
            secondary_key: key(KeySlot::Secondary),
            retired_keys: (!retired.is_empty()).then_some(retired),
            not_before: written(subscription.not_before()),
            expires_at: written(subscription.expires_at()),
            metadata: free_form(subscription.metadata()),
        }
    }
}

impl From<&SubscriptionKey> for KeyTable<'_> {
    fn from(key: &SubscriptionKey) -> Self {
        Self {
            sha256: Some(Text(key.digest().to_hex().into())),
            expires_at: written(key.expires_at()),
            ..Self::default()
        }
    }
}

impl RetiredKey<'_> {
    fn read(
        self,
        keys: &KeyReader<'_>,
        place: Place,
        problems: &mut Problems,
    ) -> Option<(KeySlot, SubscriptionKey)> {
        let slot = match &self.slot {
            Some(Text(slot)) => problems.slot(place.inside("slot"), slot),
            None => problems.missing(place, &["slot"], SLOTS),
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

const SLOTS: &str = "a slot is `primary` or `secondary`";

impl Problems {
    fn missing<T>(
        &mut self,
        place: Place,
        field: &'static [&'static str; 1],
        advice: &str,
    ) -> Option<T> {
        let what = format!("`{}` is missing", field[0]);
        self.add_missing(place, field, what, Some(advice));
        None
    }

    fn slot(&mut self, place: Place, slot: &str) -> Option<KeySlot> {
        let known = [KeySlot::Primary, KeySlot::Secondary].into_iter();
        let mut known = known.filter(|known| known.as_str() == slot);
        let known = known.next();
        if known.is_none() {
            self.add(place, SLOTS);
        }
        known
    }
}

/// The field with the key of a slot.
pub(super) fn key_field(slot: KeySlot) -> &'static str {
    match slot {
        KeySlot::Primary => "primary_key",
        KeySlot::Secondary => "secondary_key",
    }
}

impl<'a> From<Option<(&'a Subscription, KeySlot)>> for OwnerAnswer<'a> {
    fn from(owner: Option<(&'a Subscription, KeySlot)>) -> Self {
        Self {
            format: Some(crate::document::schema::FORMAT),
            subscription: Some(owner.map(|(subscription, _)| subscription.into())),
            slot: owner.map(|(_, slot)| slot.as_str().into()),
        }
    }
}

impl OwnerAnswer<'_> {
    /// The owner, if the answer names one.
    pub(super) fn into_owner(self, problems: &mut Problems) -> Option<(Subscription, KeySlot)> {
        let Some(subscription) = self.subscription else {
            let advice = "give the subscription that owns the key, or null if none does";
            return problems.missing(Place::default(), &["subscription"], advice);
        };
        let slot = self
            .slot
            .map(|Text(slot)| problems.slot(Place::of("slot"), &slot));
        let Some(subscription) = subscription else {
            if slot.is_some() {
                problems.add(
                    Place::of("slot"),
                    "there is no subscription that it could be of",
                );
            }
            return None;
        };
        let mut inner = Problems::default();
        let subscription = subscription.into_subscription(&KeyReader::of_machine(), &mut inner);
        for (field, kind) in validate::subscription(&subscription, &inner.unread) {
            inner.add(Place::default(), format!("{field}: {kind}"));
        }
        let place = Place::of("subscription");
        let inner = inner.list.into_iter();
        problems
            .list
            .extend(inner.map(|problem| Problem { place, ..problem }));
        let slot = match slot {
            Some(slot) => slot?,
            None => problems.missing(Place::default(), &["slot"], SLOTS)?,
        };
        if subscription.key(slot).is_none() && subscription.retired_key(slot).is_none() {
            let what = format!("the subscription has no {slot} key");
            problems.add(Place::of("slot"), what);
        }
        Some((subscription, slot))
    }
}
