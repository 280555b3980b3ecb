mod staging;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use redis::{Cmd, cmd};

use super::error::{RedisConfigError, RedisPublishError, RedisStoreError};
use super::layout::{DefinitionsDocument, FORMAT, entries};
use super::link::Link;
use super::options::RedisOptions;
use super::source::{Record, Records, Source, nonce};
use crate::catalog::{Catalog, Change, Subscription};
use crate::document;

const CHANGE: &str = include_str!("../scripts/change.lua");

/// How often a change is tried if other publishers change the catalog meanwhile.
const ATTEMPTS: usize = 20;

type Result<T> = std::result::Result<T, RedisPublishError>;

/// Writes catalogs and single changes into Redis, and pushes them to every
/// [`RedisStore`](super::RedisStore).
///
/// ```no_run
/// use tower_subscription_key::catalog::{Catalog, State};
/// use tower_subscription_key::store::redis::RedisPublisher;
///
/// # async fn publish(catalog: Catalog) -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = RedisPublisher::new("redis://127.0.0.1")?;
/// publisher.publish(&catalog).await?;
/// publisher
///     .update_subscription("contoso", |contoso| {
///         Some(contoso?.with_state(State::Suspended))
///     })
///     .await?;
/// # Ok(()) }
/// ```
///
/// 1. A change is made completely or not at all, and readers see it completely. All
///    methods return the new revision of the catalog, which grows with every change.
/// 2. A change is made only to the revision that it was checked against. If another
///    publisher was faster, it is checked again. So a change that was held up on the
///    way is never made on top of a newer one.
/// 3. A change that times out may have been made. Doing it again is safe.
///
/// It connects when it is first used. The wait for a connection has its own timeout.
/// Clones share the connection.
#[derive(Clone)]
pub struct RedisPublisher {
    source: Arc<Source>,
}

/// The answer of a script.
enum Reply {
    Done(u64),
    /// Another publisher was faster. Holds the revision that there is.
    Changed(String),
}

impl RedisPublisher {
    /// A publisher for the given Redis.
    ///
    /// # Errors
    ///
    /// [`RedisConfigError`] if an option cannot work.
    pub fn new(options: impl Into<RedisOptions>) -> std::result::Result<Self, RedisConfigError> {
        let options = options.into();
        let checked = options.check()?;
        let link = Link::new(checked.target, options.times()).patient();
        let names = checked.names;
        let source = Arc::new(Source { link, names });
        Ok(Self { source })
    }

    /// Makes all changes as one new revision.
    ///
    /// The result is checked as by [`Catalog::apply`], but published subscriptions that
    /// are not among the changes are not checked against changed APIs and products: a
    /// scope that names nothing opens nothing.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<u64> {
        let changes: Vec<Change> = changes.into_iter().collect();
        let ids = subscription_ids(&changes);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let made = self.attempt(&ids, |before| {
            self.command(before, changes.clone()).map(Some)
        });
        Ok(made.await?.unwrap_or_default())
    }

    /// Changes one subscription from its current version. `update` gets the published
    /// subscription, or `None` if it does not exist, and returns its replacement, or `None`
    /// to remove it. It is called again if another publisher was faster.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn update_subscription(
        &self,
        id: &str,
        mut update: impl FnMut(Option<Subscription>) -> Option<Subscription>,
    ) -> Result<u64> {
        let ids = [id];
        let made = self.attempt(&ids, |before| {
            let change = match update(only(&before.subscriptions)?) {
                Some(subscription) => Change::PutSubscription(subscription),
                None => Change::RemoveSubscription(id.to_owned()),
            };
            self.command(before, vec![change]).map(Some)
        });
        Ok(made.await?.unwrap_or_default())
    }

    /// Adds a subscription, or replaces the one with its id.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn put_subscription(&self, subscription: &Subscription) -> Result<u64> {
        self.apply([Change::PutSubscription(subscription.clone())])
            .await
    }

    /// Removes the subscription with the given id. Returns `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn remove_subscription(&self, id: &str) -> Result<Option<u64>> {
        self.attempt(&[id], |before| match &before.subscriptions[..] {
            [Ok(None)] | [] => Ok(None),
            // Also one that cannot be read is there.
            _ => {
                let change = Change::RemoveSubscription(id.to_owned());
                self.command(before, vec![change]).map(Some)
            }
        })
        .await
    }

    /// Replaces the APIs and products by those of the given catalog. Its subscriptions
    /// are ignored, and the published ones are not checked again.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn put_definitions(&self, catalog: &Catalog) -> Result<u64> {
        let definitions = DefinitionsDocument::of(catalog)?;
        let made = self.attempt(&[], |before| {
            let (mut command, nonce) = self.change(&before.revision);
            command.arg(&definitions.text).arg(&definitions.digest);
            Ok(Some((command, nonce)))
        });
        Ok(made.await?.unwrap_or_default())
    }

    /// The published subscription with the given id.
    ///
    /// # Errors
    ///
    /// [`RedisStoreError`]
    pub async fn subscription(
        &self,
        id: &str,
    ) -> std::result::Result<Option<Subscription>, RedisStoreError> {
        only(&self.source.records(&[id]).await?.subscriptions)
    }

    /// Reads the records, builds the command that changes them, and runs it. Starts again
    /// if another publisher was faster. Returns `None` if there is no command to run.
    async fn attempt(
        &self,
        ids: &[&str],
        mut command: impl FnMut(&Records) -> Result<Option<(Cmd, String)>>,
    ) -> Result<Option<u64>> {
        for _ in 0..ATTEMPTS {
            let before = self.source.records(ids).await?;
            let Some((command, nonce)) = command(&before)? else {
                return Ok(None);
            };
            if let Reply::Done(revision) = self.run(&command, &nonce).await? {
                return Ok(Some(revision));
            }
        }
        Err(RedisPublishError::Contended)
    }

    fn command(&self, before: &Records, changes: Vec<Change>) -> Result<(Cmd, String)> {
        let ids = subscription_ids(&changes);
        let present = before.subscriptions.iter().flatten().flatten().cloned();
        let catalog = before
            .definitions
            .apply(present.map(Change::PutSubscription));
        // What is published need not fit; only the result of the changes must.
        let catalog = catalog.unwrap_or_else(|_| before.definitions.clone());
        let after = catalog.apply(changes)?;
        let (mut command, nonce) = self.change(&before.revision);
        if after.has_definitions_of(&before.definitions) {
            command.arg("").arg("");
        } else {
            let definitions = DefinitionsDocument::of(&after)?;
            command.arg(definitions.text).arg(definitions.digest);
        }
        for id in ids {
            let subscription = after.subscription(&id);
            let entries = subscription.as_ref().map(entries).unwrap_or_default();
            command.arg(&id).arg(entries.len());
            for (digest, entry) in entries {
                command.arg(digest).arg(entry);
            }
        }
        Ok((command, nonce))
    }

    /// A command that changes the given revision, up to the definitions.
    fn change(&self, revision: &str) -> (Cmd, String) {
        let names = &self.source.names;
        let nonce = nonce();
        let mut change = cmd("EVAL");
        change
            .arg(CHANGE)
            .arg(1)
            .arg(&names.live)
            .arg(&nonce)
            .arg(&names.channel)
            .arg(FORMAT)
            .arg(revision);
        (change, nonce)
    }

    async fn run(&self, command: &Cmd, nonce: &str) -> Result<Reply> {
        let reply = self.source.change(command, nonce).await?;
        let part = |at: usize| reply.get(at).map(String::as_str).unwrap_or_default();
        let revision = || part(1).parse().unwrap_or_default();
        match part(0) {
            "done" => Ok(Reply::Done(revision())),
            "changed" => Ok(Reply::Changed(part(1).to_owned())),
            "unpushed" => Err(RedisPublishError::NotPushed {
                channel: self.source.names.channel.clone(),
                reason: part(2).to_owned(),
                revision: revision(),
            }),
            "taken" => Err(taken(part(1))),
            "lost" => Err(RedisPublishError::Lost),
            _ => Err(RedisStoreError::NoCatalog.into()),
        }
    }
}

impl fmt::Debug for RedisPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisPublisher")
            .field("catalog", &self.source.names.live)
            .finish_non_exhaustive()
    }
}

/// The subscription of the only record.
fn only(records: &[Record]) -> std::result::Result<Option<Subscription>, RedisStoreError> {
    match records {
        [Ok(subscription)] => Ok(subscription.clone()),
        // The error itself is not worth cloning.
        _ => Err(RedisStoreError::Owner { source: None }),
    }
}

/// The ids of the subscriptions that change, each once.
fn subscription_ids(changes: &[Change]) -> BTreeSet<String> {
    let id = |change: &Change| match change {
        Change::PutSubscription(subscription) => Some(subscription.id().to_owned()),
        Change::RemoveSubscription(id) => Some(id.clone()),
        _ => None,
    };
    changes.iter().filter_map(id).collect()
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
