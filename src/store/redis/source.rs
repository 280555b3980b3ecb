use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value, cmd, from_redis_value};
use tokio::time::Instant;

use super::error::RedisStoreError;
use super::layout::{
    DEFINITIONS_DIGEST_FIELD, DEFINITIONS_FIELD, FORMAT, FORMAT_FIELD, Names, subscription_field,
};
use super::link::Link;
use crate::catalog::{Catalog, KeySlot, Scope, Subscription};
use crate::document;
use crate::key::KeyDigest;

/// The catalog in Redis, to be read.
pub(super) struct Source {
    pub(super) link: Link,
    pub(super) names: Names,
}

/// APIs and products as they were read, with the digest of their document.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) digest: String,
    pub(super) catalog: Catalog,
}

/// The same, not looked into yet.
pub(super) struct Unread {
    digest: String,
    document: Vec<u8>,
}

/// What Redis says about a key.
pub(super) struct Answer {
    pub(super) owner: Option<(Subscription, KeySlot)>,
    /// The digest of the definitions that it belongs to.
    pub(super) definitions: String,
}

impl Source {
    /// One command on one key: the answer about a key and the sign that there is
    /// a catalog at all cannot come from two different moments.
    pub(super) async fn find(&self, key: &KeyDigest) -> Result<Answer, RedisStoreError> {
        let hex = key.to_hex();
        let fields = [&*hex, FORMAT_FIELD, DEFINITIONS_DIGEST_FIELD];
        let [entry, format, definitions] = self.fields(fields, Some(&hex)).await?;
        let definitions = whole(format, definitions)?;
        let owner = match entry {
            Some(entry) => Some(owner(&entry, key)?),
            None => None,
        };
        Ok(Answer { owner, definitions })
    }

    pub(super) async fn definitions(&self) -> Result<Unread, RedisStoreError> {
        let fields = [DEFINITIONS_FIELD, FORMAT_FIELD, DEFINITIONS_DIGEST_FIELD];
        let [document, format, digest] = self.fields(fields, None).await?;
        let digest = whole(format, digest)?;
        let document = document.ok_or(RedisStoreError::Definitions { source: None })?;
        Ok(Unread { digest, document })
    }

    /// The subscription with that id.
    pub(super) async fn subscription(
        &self,
        id: &str,
    ) -> Result<Option<Subscription>, RedisStoreError> {
        let own = subscription_field(id);
        let fields = [&*own, FORMAT_FIELD, DEFINITIONS_DIGEST_FIELD];
        let [digests, format, definitions] = self.fields(fields, None).await?;
        whole(format, definitions)?;
        let Some(digests) = digests else {
            return Ok(None);
        };
        let digests = String::from_utf8(digests).unwrap_or_default();
        let first = digests.split(',').next().and_then(|hex| hex.parse().ok());
        let key: KeyDigest = first.ok_or(RedisStoreError::Owner { source: None })?;
        let found = self.find(&key).await?.owner;
        match found.filter(|(subscription, _)| subscription.id() == id) {
            Some((subscription, _)) => Ok(Some(subscription)),
            None => Err(RedisStoreError::Changed),
        }
    }

    async fn fields(
        &self,
        fields: [&str; 3],
        digest: Option<&str>,
    ) -> Result<[Option<Vec<u8>>; 3], RedisStoreError> {
        let mut command = cmd("HMGET");
        command.arg(&self.names.live).arg(&fields);
        let value = self.link.repeatable(&command, digest).await?;
        let values: Vec<Option<Vec<u8>>> = parsed(value)?;
        // Fewer or more values than were asked for: it is no Redis.
        values.try_into().map_err(|_| RedisStoreError::NoCatalog)
    }

    /// Runs a script on the live catalog, and on other keys of the same tag.
    ///
    /// What ran twice could say that nothing was left to do. So a connection that
    /// ended while it lay idle is found out about by something else.
    pub(super) async fn script(&self, command: &Cmd) -> Result<Vec<String>, RedisStoreError> {
        let mut exists = cmd("EXISTS");
        exists.arg(&self.names.live);
        self.link.repeatable(&exists, None).await?;
        parsed(self.link.once(command).await?)
    }
}

fn parsed<T: redis::FromRedisValue>(value: Value) -> Result<T, RedisStoreError> {
    // What came is left out of the error: it may hold a digest.
    from_redis_value(value).map_err(|_| RedisStoreError::Redis {
        source: "the answer is of another kind than the command has".into(),
    })
}

/// Without a format there is no catalog, and nothing is known about any key.
fn whole(format: Option<Vec<u8>>, definitions: Option<Vec<u8>>) -> Result<String, RedisStoreError> {
    let format = format.ok_or(RedisStoreError::NoCatalog)?;
    if format != FORMAT.as_bytes() {
        return Err(RedisStoreError::Layout);
    }
    let digest = definitions.and_then(|digest| String::from_utf8(digest).ok());
    digest.ok_or(RedisStoreError::Definitions { source: None })
}

fn owner(entry: &[u8], key: &KeyDigest) -> Result<(Subscription, KeySlot), RedisStoreError> {
    let owner = document::parse_owner(entry).map_err(|error| {
        let source = Some(error);
        RedisStoreError::Owner { source }
    })?;
    owner
        .filter(|(subscription, slot)| {
            subscription
                .key(*slot)
                .is_some_and(|own| own.digest() == key)
        })
        .ok_or(RedisStoreError::Owner { source: None })
}

impl Unread {
    pub(super) fn read(self) -> Result<Definitions, RedisStoreError> {
        let Self { digest, document } = self;
        if KeyDigest::of(&document).to_hex() != digest {
            return Err(RedisStoreError::Definitions { source: None });
        }
        match document::parse_foreign(&document) {
            Ok(catalog) => Ok(Definitions { digest, catalog }),
            Err(error) => {
                let source = Some(error);
                Err(RedisStoreError::Definitions { source })
            }
        }
    }
}

impl Definitions {
    /// Whether that subscription opens the same by both.
    pub(super) fn agree(&self, other: &Self, subscription: &Subscription) -> bool {
        let apis = |definitions: &Self, product: &str| {
            let product = definitions.catalog.product(product)?;
            Some(product.apis().to_vec())
        };
        subscription.scopes().iter().all(|scope| match scope {
            Scope::Service | Scope::AllApis => true,
            Scope::Api(id) => self.catalog.api(id).is_some() == other.catalog.api(id).is_some(),
            Scope::Product(id) => apis(self, id) == apis(other, id),
        })
    }
}

/// The definitions that were read last, and those that were replaced shortly
/// before: a request may have begun on them that only now looks into a cache.
pub(super) struct Version {
    pub(super) definitions: Arc<Definitions>,
    replaced: Vec<(Instant, Arc<Definitions>)>,
}

/// How long after it began a request may come to look into a cache. Mostly that
/// takes a microsecond.
const SHORTLY: Duration = Duration::from_millis(100);

impl Version {
    pub(super) fn first(definitions: Definitions) -> Self {
        Self {
            definitions: Arc::new(definitions),
            replaced: Vec::new(),
        }
    }

    pub(super) fn next(&self, definitions: Definitions) -> Self {
        let mut replaced: Vec<_> = self.recent().cloned().collect();
        replaced.push((Instant::now(), Arc::clone(&self.definitions)));
        let definitions = Arc::new(definitions);
        Self {
            definitions,
            replaced,
        }
    }

    fn recent(&self) -> impl Iterator<Item = &(Instant, Arc<Definitions>)> {
        let replaced = self.replaced.iter();
        replaced.filter(|(at, _)| at.elapsed() < SHORTLY)
    }

    /// When nobody looks at that subscription any more by definitions by which it
    /// opens something else. `None`: nobody does.
    pub(super) fn settled_for(&self, subscription: &Subscription) -> Option<Instant> {
        self.recent()
            .filter(|(_, definitions)| !definitions.agree(&self.definitions, subscription))
            .map(|(at, _)| *at + SHORTLY)
            .max()
    }
}
