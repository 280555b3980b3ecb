//! A record of any kind, and the flags that set its fields.

use tower_subscription_key::catalog::{Metadata, State};
use tower_subscription_key::document::format_time;
use tower_subscription_key::manage::{
    ApiRecord, Caller, Manage, ManageError, ProductRecord, RecordKind, RecordRef,
    SubscriptionRecord,
};

use crate::failure::Result;
use crate::show;

/// One record, as a database keeps it.
pub(crate) enum Record {
    Api(ApiRecord),
    Product(ProductRecord),
    Subscription(Box<SubscriptionRecord>),
}

impl Record {
    /// The record in the repository, if it exists.
    pub(crate) async fn find(
        manage: &Manage,
        caller: &Caller,
        record: &RecordRef,
    ) -> Result<Option<Self>> {
        let id = &record.id;
        let found = match record.kind {
            RecordKind::Api => manage.api(caller, id).await.map(Self::Api),
            RecordKind::Product => manage.product(caller, id).await.map(Self::Product),
            _ => {
                let found = manage.subscription(caller, id).await;
                found.map(|record| Self::Subscription(Box::new(record)))
            }
        };
        match found {
            Ok(record) => Ok(Some(record)),
            Err(ManageError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn show(&self, is_file: bool) -> serde_json::Value {
        match (self, is_file) {
            (Self::Api(record), true) => show::api(&record.to_catalog()),
            (Self::Api(record), false) => show::api_record(record),
            (Self::Product(record), true) => show::product(&record.to_catalog()),
            (Self::Product(record), false) => show::product_record(record),
            (Self::Subscription(record), true) => show::subscription(&record.to_catalog()),
            (Self::Subscription(record), false) => show::subscription_record(record),
        }
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        match self {
            Self::Api(record) => &record.metadata,
            Self::Product(record) => &record.metadata,
            Self::Subscription(record) => &record.metadata,
        }
    }

    pub(crate) fn state(&self) -> Option<State> {
        match self {
            Self::Subscription(record) => Some(record.state),
            _ => None,
        }
    }

    /// The flags that create the record with `add`.
    pub(crate) fn flag_words(&self) -> Vec<String> {
        let flags = self.flags().into_iter().filter(|flag| !flag.is_default);
        flags.flat_map(|flag| flag.words()).collect()
    }

    /// The flags that give the record its fields.
    fn flags(&self) -> Vec<Flag> {
        let mut flags = match self {
            Self::Api(api) => vec![
                Flag::text("path", "path", Some(&api.path)),
                Flag::text("name", "display_name", api.display_name.as_deref()),
                Flag::truth("subscription-required", api.subscription_required, true),
                Flag::text("header", "header", api.key_header.as_deref()),
                Flag::text("query", "query", api.key_query.as_deref()),
            ],
            Self::Product(product) => vec![
                Flag::text("name", "display_name", product.display_name.as_deref()),
                Flag::new("api", "apis", product.apis.clone()),
                Flag::truth("subscription-required", product.subscription_required, true),
                Flag::truth("published", product.published, true),
                Flag::text("description", "description", product.description.as_deref()),
                Flag::text("terms", "terms", product.terms.as_deref()),
                Flag::truth("approval-required", product.approval_required, false),
                Flag::new(
                    "subscriptions-limit",
                    "subscriptions_limit",
                    product.subscriptions_limit,
                ),
            ],
            Self::Subscription(subscription) => vec![
                Flag::text("name", "display_name", subscription.display_name.as_deref()),
                Flag::text("owner", "owner", subscription.owner.as_deref()),
                Flag::new("scope", "scopes", subscription.scopes.clone()),
                Flag::new(
                    "not-before",
                    "not_before",
                    subscription.not_before.map(format_time),
                ),
                Flag::new(
                    "expires",
                    "expires_at",
                    subscription.expires_at.map(format_time),
                ),
                Flag::text(
                    "description",
                    "description",
                    subscription.description.as_deref(),
                ),
            ],
        };
        let metadata = self.metadata().iter();
        flags.extend(metadata.map(|(name, value)| {
            let field = format!("metadata.{name}");
            Flag::new("metadata", field, [format!("{name}={value}")])
        }));
        flags
    }
}

/// A flag of `add` and `set`, with the values that one record has for it.
struct Flag {
    name: &'static str,
    /// What `--unset` calls the field.
    field: String,
    values: Vec<String>,
    is_default: bool,
}

impl Flag {
    fn new<T: ToString>(
        name: &'static str,
        field: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        Self {
            name,
            field: field.into(),
            is_default: values.is_empty(),
            values,
        }
    }

    fn text(name: &'static str, field: &str, value: Option<&str>) -> Self {
        Self::new(name, field, value)
    }

    fn truth(name: &'static str, value: bool, default: bool) -> Self {
        Self {
            is_default: value == default,
            ..Self::new(name, name, [value])
        }
    }

    /// With `=`, so that a value that looks like a flag is read as a value.
    fn words(&self) -> Vec<String> {
        if self.values.is_empty() {
            return vec![format!("--unset={}", self.field)];
        }
        let values = self.values.iter();
        values
            .map(|value| format!("--{}={value}", self.name))
            .collect()
    }
}

/// The flags of `set` that restore the first record.
pub(crate) fn difference(before: &Record, after: &Record) -> Vec<String> {
    let (before, after) = (before.flags(), after.flags());
    let find = |flags: &[Flag], field: &str| flags.iter().position(|flag| flag.field == field);
    let changed = before.iter().filter(|flag| {
        let now = find(&after, &flag.field).map(|at| &after[at].values);
        now != Some(&flag.values)
    });
    let mut words: Vec<String> = changed.flat_map(Flag::words).collect();
    let new = after
        .iter()
        .filter(|flag| find(&before, &flag.field).is_none());
    words.extend(new.map(|flag| format!("--unset={}", flag.field)));
    words
}
