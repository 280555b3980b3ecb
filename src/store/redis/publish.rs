use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use redis::{Cmd, cmd};

use super::error::{RedisConfigError, RedisPublishError, RedisStoreError};
use super::layout::{
    DEFINITIONS_DIGEST_FIELD, DEFINITIONS_FIELD, DefinitionsDocument, FORMAT, FORMAT_FIELD,
    STAGED_FOR, entries, subscription_field,
};
use super::link::Link;
use super::options::RedisOptions;
use super::source::Source;
use crate::catalog::{Catalog, Change, Subscription};
use crate::document;

const FLIP: &str = include_str!("scripts/flip.lua");
const PUT: &str = include_str!("scripts/put.lua");
const REMOVE: &str = include_str!("scripts/remove.lua");
const DEFINITIONS: &str = include_str!("scripts/definitions.lua");

/// How much of a catalog is written at once: others wait for Redis meanwhile.
const BATCH_BYTES: usize = 128 * 1024;

/// How often a change is tried whose ground others keep changing.
const ATTEMPTS: usize = 5;

type Result<T> = std::result::Result<T, RedisPublishError>;

/// Writes catalogs and single changes into Redis, and tells every
/// [`RedisStore`](super::RedisStore).
///
/// ```no_run
/// use tower_subscription_key::catalog::{Catalog, State};
/// use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher};
///
/// # async fn publish(catalog: Catalog) -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = RedisPublisher::new(RedisOptions::new("redis://127.0.0.1"))?;
/// publisher.publish(&catalog).await?;
/// if let Some(contoso) = publisher.subscription("contoso").await? {
///     publisher.put_subscription(&contoso.with_state(State::Suspended)).await?;
/// }
/// # Ok(()) }
/// ```
///
/// Each method's change is made as a whole or not at all, and whoever reads sees
/// it as a whole; its message goes out in the same moment. All return the
/// catalog's new revision, which counts changes for people to compare.
///
/// A change that times out may have been made. Doing it again is safe. A wait for
/// the connection does not count: that has a time-out of its own
/// ([`RedisOptions::with_connect_timeout`]).
///
/// It connects when it is first used. Clones share the connection.
#[derive(Clone)]
pub struct RedisPublisher {
    source: Arc<Source>,
}

impl RedisPublisher {
    /// A publisher for the Redis and the prefix of these options.
    ///
    /// # Errors
    ///
    /// [`RedisConfigError`] where they cannot work.
    pub fn new(options: RedisOptions) -> std::result::Result<Self, RedisConfigError> {
        let checked = options.check()?;
        let link = Link::new(checked.target, options.times()).patient();
        let names = checked.names;
        let source = Arc::new(Source { link, names });
        Ok(Self { source })
    }

    /// Puts that catalog in the place of all that was published before.
    ///
    /// It is written beside the live one, in parts, and then exchanged for it in
    /// one step. Single changes that others make meanwhile are lost with the old
    /// one. A publisher that dies on the way leaves nothing that is read, and what
    /// it leaves is gone in an hour.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn publish(&self, catalog: &Catalog) -> Result<u64> {
        let definitions = DefinitionsDocument::of(catalog)?;
        let token = format!("{:016x}", RandomState::new().hash_one(0));
        let staged = self.source.names.staged(&token);
        let published = async {
            let fields = self.stage(&staged, catalog, &definitions).await?;
            self.flip(&staged, &token, fields).await
        };
        let published = published.await;
        if published.is_err() {
            // It would go away by itself, only later.
            let mut unlink = cmd("UNLINK");
            let unlink = unlink.arg(&staged);
            let _ = self.source.link.repeatable(unlink, None).await;
        }
        published
    }

    /// Writes a catalog where nobody reads it. Returns how many fields it has.
    async fn stage(
        &self,
        staged: &str,
        catalog: &Catalog,
        definitions: &DefinitionsDocument,
    ) -> Result<usize> {
        let mut batch = Batch::new(staged);
        batch.push(FORMAT_FIELD, FORMAT);
        batch.push(DEFINITIONS_FIELD, &definitions.text);
        batch.push(DEFINITIONS_DIGEST_FIELD, &definitions.digest);
        for subscription in catalog.subscriptions() {
            let entries = entries(&subscription);
            let digests: Vec<&str> = entries.iter().map(|(digest, _)| &**digest).collect();
            batch.push(&subscription_field(subscription.id()), &digests.join(","));
            for (digest, entry) in &entries {
                batch.push(digest, entry);
            }
            if batch.bytes >= BATCH_BYTES {
                self.write(&mut batch).await?;
            }
        }
        self.write(&mut batch).await?;
        Ok(batch.fields)
    }

    async fn write(&self, batch: &mut Batch<'_>) -> Result<()> {
        let write = batch.take();
        self.source.link.repeatable(&write, None).await?;
        let mut expire = cmd("EXPIRE");
        expire.arg(batch.staged).arg(STAGED_FOR);
        self.source.link.repeatable(&expire, None).await?;
        Ok(())
    }

    async fn flip(&self, staged: &str, token: &str, fields: usize) -> Result<u64> {
        let names = &self.source.names;
        let mut flip = cmd("EVAL");
        flip.arg(FLIP)
            .arg(3)
            .arg(&names.live)
            .arg(staged)
            .arg(names.replaced(token))
            .arg(&names.channel)
            .arg(fields);
        let reply = self.source.script(&flip).await?;
        match said(&reply) {
            ("done", revision) => Ok(number(revision)),
            _ => Err(RedisPublishError::Lost),
        }
    }

    /// Puts a subscription in the place of the one with its id, or beside the
    /// others.
    ///
    /// It is checked against the published APIs and products, and its keys against
    /// those of all others.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn put_subscription(&self, subscription: &Subscription) -> Result<u64> {
        let entries = entries(subscription);
        for _ in 0..ATTEMPTS {
            let published = self.source.definitions().await?.read()?;
            published
                .catalog
                .apply([Change::PutSubscription(subscription.clone())])?;
            let mut put = self.change(PUT);
            put.arg(&published.digest).arg(subscription.id());
            for (digest, entry) in &entries {
                put.arg(digest).arg(entry);
            }
            let reply = self.source.script(&put).await?;
            match said(&reply) {
                ("done", revision) => return Ok(number(revision)),
                ("changed", _) => {}
                ("taken", entry) => return Err(taken(entry)),
                _ => return Err(RedisStoreError::NoCatalog.into()),
            }
        }
        Err(RedisPublishError::Contended)
    }

    /// Removes the subscription with that id. `None`: there was none.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn remove_subscription(&self, id: &str) -> Result<Option<u64>> {
        let mut remove = self.change(REMOVE);
        let reply = self.source.script(remove.arg(id)).await?;
        match said(&reply) {
            ("done", revision) => Ok(Some(number(revision))),
            ("absent", _) => Ok(None),
            _ => Err(RedisStoreError::NoCatalog.into()),
        }
    }

    /// Puts the APIs and products of that catalog in the place of the published
    /// ones. Subscriptions stay; those of the given catalog are not looked at.
    ///
    /// The published subscriptions are not checked again: a scope that names
    /// nothing any more opens nothing. [`publish`](Self::publish) checks all.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn put_definitions(&self, catalog: &Catalog) -> Result<u64> {
        let definitions = DefinitionsDocument::of(catalog)?;
        let mut put = self.change(DEFINITIONS);
        put.arg(&definitions.text).arg(&definitions.digest);
        let reply = self.source.script(&put).await?;
        match said(&reply) {
            ("done", revision) => Ok(number(revision)),
            _ => Err(RedisStoreError::NoCatalog.into()),
        }
    }

    /// The published subscription with that id.
    ///
    /// # Errors
    ///
    /// [`RedisStoreError`]; [`Changed`](RedisStoreError::Changed) where it was
    /// changed between two steps of reading it.
    pub async fn subscription(
        &self,
        id: &str,
    ) -> std::result::Result<Option<Subscription>, RedisStoreError> {
        self.source.subscription(id).await
    }

    fn change(&self, script: &str) -> Cmd {
        let names = &self.source.names;
        let mut change = cmd("EVAL");
        change
            .arg(script)
            .arg(1)
            .arg(&names.live)
            .arg(&names.channel)
            .arg(FORMAT);
        change
    }
}

impl fmt::Debug for RedisPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisPublisher")
            .field("catalog", &self.source.names.live)
            .finish_non_exhaustive()
    }
}

/// Fields on their way.
struct Batch<'a> {
    staged: &'a str,
    command: Cmd,
    bytes: usize,
    /// How many there were in all batches.
    fields: usize,
}

impl<'a> Batch<'a> {
    fn new(staged: &'a str) -> Self {
        Self {
            staged,
            command: begun(staged),
            bytes: 0,
            fields: 0,
        }
    }

    fn push(&mut self, field: &str, value: &str) {
        self.command.arg(field).arg(value);
        self.bytes += field.len() + value.len();
        self.fields += 1;
    }

    fn take(&mut self) -> Cmd {
        self.bytes = 0;
        std::mem::replace(&mut self.command, begun(self.staged))
    }
}

fn begun(staged: &str) -> Cmd {
    let mut command = cmd("HSET");
    command.arg(staged);
    command
}

/// What a script says: one word, and what belongs to it.
fn said(reply: &[String]) -> (&str, &str) {
    let part = |at: usize| reply.get(at).map(String::as_str).unwrap_or_default();
    (part(0), part(1))
}

fn number(revision: &str) -> u64 {
    revision.parse().unwrap_or_default()
}

fn taken(entry: &str) -> RedisPublishError {
    match document::parse_owner(entry) {
        Ok(Some((other, slot))) => RedisPublishError::KeyTaken {
            other: other.id().to_owned(),
            slot,
        },
        Ok(None) => RedisStoreError::Owner { source: None }.into(),
        Err(error) => RedisStoreError::Owner {
            source: Some(error),
        }
        .into(),
    }
}
