use redis::{Cmd, FromRedisValue, Value, cmd, from_redis_value};

use super::error::RedisStoreError;
use super::layout::{FORMAT, Names};
use super::link::Link;
use crate::catalog::{Catalog, KeyOwner, Subscription};
use crate::document;
use crate::key::KeyDigest;

const READ: &str = include_str!("scripts/read.lua");
const RECORDS: &str = include_str!("scripts/records.lua");

/// The catalog in Redis, for reading and for running scripts on it.
pub(super) struct Source {
    pub(super) link: Link,
    pub(super) names: Names,
}

/// What Redis held at one moment.
pub(super) struct Reading {
    pub(super) version: Version,
    /// The document of the definitions, unless the reader has it.
    pub(super) document: Option<Vec<u8>>,
    pub(super) owner: Option<KeyOwner>,
}

/// A version of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// Grows with every change, also after a failover that lost some.
    pub(super) revision: u64,
    /// The digest of the document of the definitions.
    pub(super) definitions: String,
}

pub(super) type Record = Result<Option<Subscription>, RedisStoreError>;

/// The definitions and some subscriptions at one moment.
pub(super) struct Records {
    /// As text, to compare it.
    pub(super) revision: String,
    pub(super) definitions: Catalog,
    /// One for each id that was asked for. An error: its entry cannot be read.
    pub(super) subscriptions: Vec<Record>,
}

impl Source {
    /// Reads the owner of the key, if a key is given, and the definitions that it belongs
    /// to, unless they are among the `known` ones.
    pub(super) async fn read(
        &self,
        key: Option<&KeyDigest>,
        known: &[String],
    ) -> Result<Reading, RedisStoreError> {
        let asked = key.map_or_else(nonce, KeyDigest::to_hex);
        let mut command = cmd("EVAL");
        command
            .arg(READ)
            .arg(1)
            .arg(&self.names.live)
            .arg(&asked)
            .arg(known);
        let digest = key.map(|_| asked.as_str());
        let values = self.repeatable(&command, &asked, digest).await?;
        let [_, format, revision, definitions, entry, document] = fixed(values)?;
        let version = version(format, revision, definitions)?;
        let owner = match (key, entry) {
            (Some(key), Some(entry)) => Some(parse_entry(&entry, |subscription| {
                KeyOwner::of_key(subscription, key)
            })?),
            _ => None,
        };
        Ok(Reading {
            version,
            document,
            owner,
        })
    }

    /// Reads the definitions and the subscriptions with the given ids.
    pub(super) async fn records(&self, ids: &[&str]) -> Result<Records, RedisStoreError> {
        let nonce = nonce();
        let mut command = cmd("EVAL");
        command
            .arg(RECORDS)
            .arg(1)
            .arg(&self.names.live)
            .arg(&nonce)
            .arg(ids);
        let mut values = self.repeatable(&command, &nonce, None).await?;
        if values.len() != 5 + ids.len() {
            return Err(RedisStoreError::unexpected());
        }
        let entries = values.split_off(5);
        let [_, format, revision, digest, document] = fixed(values)?;
        let version = version(format, revision, digest)?;
        let document = document.ok_or(RedisStoreError::Definitions { source: None })?;
        let record = |(entry, id): (Option<Vec<u8>>, &&str)| {
            let has_id = |found: Subscription| (found.id() == *id).then_some(found);
            let entry = entry.map(|entry| parse_entry(&entry, has_id));
            entry.transpose()
        };
        Ok(Records {
            revision: version.revision.to_string(),
            definitions: parse_definitions(&version.definitions, &document)?,
            subscriptions: entries.into_iter().zip(ids).map(record).collect(),
        })
    }

    /// Runs a script that may run twice. Its answer begins with what was asked: if it
    /// begins with something else, the connection is out of step and is replaced.
    async fn repeatable(
        &self,
        command: &Cmd,
        asked: &str,
        digest: Option<&str>,
    ) -> Result<Vec<Option<Vec<u8>>>, RedisStoreError> {
        let mut is_first = true;
        loop {
            let value = self.link.repeatable(command, digest).await?;
            let values: Option<Vec<Option<Vec<u8>>>> = parsed(value);
            match values {
                Some(values) if is_answer(&values, asked) => return Ok(values),
                _ => self.link.replace_connection(),
            }
            if !std::mem::take(&mut is_first) {
                return Err(RedisStoreError::Desynchronized);
            }
        }
    }

    /// Runs a script that changes something. Returns its answer after the nonce.
    ///
    /// If it ran twice, it could report that there was nothing left to do. So a
    /// connection that ended while it was idle is found by another command.
    pub(super) async fn change(
        &self,
        command: &Cmd,
        nonce: &str,
    ) -> Result<Vec<String>, RedisStoreError> {
        self.link.repeatable(&cmd("PING"), None).await?;
        let value = self.link.once(command).await?;
        let mut values: Vec<String> = parsed(value).ok_or_else(RedisStoreError::unexpected)?;
        if values.first().is_none_or(|first| first != nonce) {
            self.link.replace_connection();
            return Err(RedisStoreError::Desynchronized);
        }
        values.remove(0);
        Ok(values)
    }
}

fn is_answer(values: &[Option<Vec<u8>>], asked: &str) -> bool {
    matches!(values.first(), Some(Some(first)) if first == asked.as_bytes())
}

/// A text that no other question has.
pub(super) fn nonce() -> String {
    format!("?{:016x}", fastrand::u64(..))
}

/// The value itself is in no error: it may hold a digest.
fn parsed<T: FromRedisValue>(value: Value) -> Option<T> {
    from_redis_value(value).ok()
}

fn fixed<const N: usize>(
    values: Vec<Option<Vec<u8>>>,
) -> Result<[Option<Vec<u8>>; N], RedisStoreError> {
    values.try_into().map_err(|_| RedisStoreError::unexpected())
}

/// Without a format there is no catalog, and nothing is known about any key.
fn version(
    format: Option<Vec<u8>>,
    revision: Option<Vec<u8>>,
    definitions: Option<Vec<u8>>,
) -> Result<Version, RedisStoreError> {
    let text = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let format = format.ok_or(RedisStoreError::NoCatalog)?;
    if format != FORMAT.as_bytes() {
        return Err(RedisStoreError::Layout);
    }
    let revision = text(revision).and_then(|revision| revision.parse().ok());
    let definitions = text(definitions);
    match (revision, definitions) {
        (Some(revision), Some(definitions)) => Ok(Version {
            revision,
            definitions,
        }),
        _ => Err(RedisStoreError::Definitions { source: None }),
    }
}

/// Reads an entry. It is corrupt if `read` does not accept its subscription.
fn parse_entry<T>(
    entry: &[u8],
    read: impl FnOnce(Subscription) -> Option<T>,
) -> Result<T, RedisStoreError> {
    let source = match document::parse_owner(entry) {
        Ok(owner) => match owner.and_then(|(subscription, _)| read(subscription)) {
            Some(read) => return Ok(read),
            None => None,
        },
        Err(error) => Some(error),
    };
    Err(RedisStoreError::Owner { source })
}

/// Reads the document of the definitions, if it has the digest.
pub(super) fn parse_definitions(digest: &str, document: &[u8]) -> Result<Catalog, RedisStoreError> {
    if KeyDigest::of(document).to_hex() != digest {
        return Err(RedisStoreError::Definitions { source: None });
    }
    document::parse_machine(document).map_err(|error| RedisStoreError::Definitions {
        source: Some(error),
    })
}
