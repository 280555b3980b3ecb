//! What a command reads: a catalog file, or a database without loading it.

use std::sync::Arc;

use serde_json::Value;
use tower_subscription_key::catalog::{Catalog, Subscription};
use tower_subscription_key::key::KeyDigest;
use tower_subscription_key::manage::{Caller, Manage, RecordKind, RecordRef};

use crate::args::Common;
use crate::failure::Result;
use crate::file::CatalogFile;
use crate::record::Record;
use crate::target::{Missing, Target};
use crate::{database, names, show};

pub(crate) enum Source {
    File(Arc<Catalog>),
    Database(Manage, Caller),
}

impl Source {
    pub(crate) async fn open(common: &Common) -> Result<Self> {
        Ok(match Target::of(common)? {
            Target::File(path) => Self::File(Arc::new(CatalogFile::new(path)?.load()?)),
            Target::Database(url) => {
                let manage = database::open(&url, Missing::Refuse).await?;
                Self::Database(manage, Caller::publisher("cli"))
            }
        })
    }

    /// The whole catalog.
    pub(crate) async fn catalog(self) -> Result<Arc<Catalog>> {
        match self {
            Self::File(catalog) => Ok(catalog),
            Self::Database(manage, caller) => {
                let catalog = manage.export(&caller).await?;
                Ok(Arc::new(catalog))
            }
        }
    }

    /// The APIs and products; of a file also the subscriptions.
    pub(crate) async fn definitions(&self) -> Result<Arc<Catalog>> {
        match self {
            Self::File(catalog) => Ok(Arc::clone(catalog)),
            Self::Database(manage, caller) => {
                let definitions = manage.export_definitions(caller).await;
                Ok(Arc::new(definitions?))
            }
        }
    }

    /// The subscription, or a refusal that offers others.
    pub(crate) async fn subscription(&self, id: &str) -> Result<Subscription> {
        let record = RecordRef::subscription(id);
        match self {
            Self::File(catalog) => {
                let found = catalog.subscription(id);
                found.ok_or_else(|| names::not_in(catalog, &record))
            }
            Self::Database(manage, caller) => {
                let found = manage.export_subscription(caller, id).await;
                match found? {
                    Some(subscription) => Ok(subscription),
                    None => Err(names::not_found(manage, caller, &record).await),
                }
            }
        }
    }

    /// The subscription that holds the key, if it is not in [`Self::definitions`].
    pub(crate) async fn holder(&self, key: &KeyDigest) -> Result<Option<Subscription>> {
        match self {
            Self::File(_) => Ok(None),
            Self::Database(manage, caller) => {
                let found = manage.export_subscription_of_key(caller, key).await;
                Ok(found?)
            }
        }
    }

    /// One record as it is shown.
    pub(crate) async fn show(&self, record: &RecordRef) -> Result<Value> {
        let id = &record.id;
        match self {
            Self::File(catalog) => {
                let found = match record.kind {
                    RecordKind::Api => catalog.api(id).map(show::api),
                    RecordKind::Product => catalog.product(id).map(show::product),
                    _ => catalog.subscription(id).as_ref().map(show::subscription),
                };
                found.ok_or_else(|| names::not_in(catalog, record))
            }
            Self::Database(manage, caller) => match Record::find(manage, caller, record).await? {
                Some(record) => Ok(record.show(false)),
                None => Err(names::not_found(manage, caller, record).await),
            },
        }
    }
}
