use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::definitions::DefinitionsCache;
use super::error::RedisStoreError;
use super::source::Source;
use crate::key::KeyDigest;
use crate::store::invalidation::Watchers;
use crate::store::replica::Replica;
use crate::store::{Answer, Holdings, Invalidation};

/// What a store and its listening task share.
pub(super) struct Follower {
    pub(super) source: Source,
    pub(super) replica: Arc<Replica>,
    definitions: DefinitionsCache,
    pub(super) watchers: Watchers,
    /// While the store listens, when the last message arrived.
    heard_at: watch::Sender<Option<Instant>>,
    /// If no message arrives for this long, changes may have been missed.
    heard_within: Duration,
    /// The revision of the last push that was heard, or of the last reading after
    /// pushes may have been missed.
    heard_revision: AtomicU64,
    /// Wakes the listening task, because a lookup met an older revision.
    pub(super) suspicion: Notify,
}

impl Follower {
    pub(super) fn new(source: Source, replica: Arc<Replica>, heard_within: Duration) -> Self {
        Self {
            source,
            definitions: DefinitionsCache::new(Arc::clone(&replica)),
            replica,
            watchers: Watchers::default(),
            heard_at: watch::Sender::new(None),
            heard_within,
            heard_revision: AtomicU64::new(0),
            suspicion: Notify::new(),
        }
    }

    pub(super) fn holdings(&self) -> Result<Holdings, RedisStoreError> {
        match self.replica.catalog() {
            Some(definitions) => Ok(Holdings::Definitions(definitions)),
            None => Err(self.not_loaded()),
        }
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.replica.catalog().is_some()
    }

    pub(super) fn not_loaded(&self) -> RedisStoreError {
        let cause = self.replica.status().last_error().map(Arc::from);
        RedisStoreError::NotLoaded { cause }
    }

    /// The owner of the key, with the definitions that it belongs to.
    pub(super) async fn lookup(&self, key: &KeyDigest) -> Result<Answer, RedisStoreError> {
        let known = self.definitions.known();
        let reading = self.source.read(Some(key), &known).await?;
        let (reading, definitions) = match self.definitions.of(&reading) {
            Err(RedisStoreError::Changed) => {
                let reading = self.source.read(Some(key), &[]).await?;
                let definitions = self.definitions.of(&reading)?;
                (reading, definitions)
            }
            definitions => (reading, definitions?),
        };
        if reading.version.revision < self.definitions.revision() {
            self.suspicion.notify_one();
        }
        Ok(Answer::new(reading.owner).with_definitions(definitions))
    }

    /// Reads the definitions, because they were changed.
    pub(super) async fn refresh(&self) -> Result<(), RedisStoreError> {
        let reading = self.source.read(None, &self.definitions.known()).await?;
        self.definitions.of(&reading)?;
        Ok(())
    }

    /// Reads the definitions when pushes may have been missed. If Redis has an older
    /// revision than before, that is reported, and used: there is nothing better.
    pub(super) async fn resync(&self) -> Result<(), RedisStoreError> {
        let newest = self.definitions.revision();
        let reading = self.source.read(None, &[]).await?;
        let revision = reading.version.revision;
        let has_gone_back = revision < newest;
        if has_gone_back {
            self.definitions.reset_to(&reading)?;
            self.replica.went_back(&format!(
                "from revision {newest} to {revision}; a replica without the last changes may \
                 have been promoted: publish the catalog again"
            ));
        } else {
            self.definitions.of(&reading)?;
        }
        self.heard_revision.store(revision, Ordering::Relaxed);
        self.watchers.notify(&Invalidation::All);
        self.confirm();
        Ok(())
    }

    /// Notes that the definitions in use are current.
    pub(super) fn confirm(&self) {
        let revision = self.last_heard_revision().to_string();
        self.replica.confirm(Some(&revision));
    }

    /// Checks whether the revision really went back. Answers to lookups can overtake
    /// each other, so only a read that begins now is conclusive.
    pub(super) async fn check_revision(&self) -> Result<(), RedisStoreError> {
        let newest = self.definitions.revision();
        let reading = self.source.read(None, &self.definitions.known()).await?;
        match reading.version.revision < newest {
            true => self.resync().await,
            false => Ok(()),
        }
    }

    /// Notes that a message has arrived.
    pub(super) fn heard(&self) {
        self.heard_at.send_if_modified(|heard_at| {
            *heard_at = heard_at.is_some().then(Instant::now);
            false
        });
    }

    /// Notes the revision of a push or a heartbeat.
    pub(super) fn heard_revision(&self, revision: u64) {
        self.heard_revision.fetch_max(revision, Ordering::Relaxed);
    }

    pub(super) fn last_heard_revision(&self) -> u64 {
        self.heard_revision.load(Ordering::Relaxed)
    }

    pub(super) fn set_listening(&self, is_listening: bool) {
        self.heard_at.send_replace(is_listening.then(Instant::now));
    }

    /// Whether the last message is recent.
    pub(super) fn is_listening(&self) -> bool {
        let is_recent = |heard_at: Instant| heard_at.elapsed() <= self.heard_within;
        self.heard_at.borrow().is_some_and(is_recent)
    }

    /// Waits until the store listens.
    pub(super) async fn listening(&self) {
        // The sender is here, so that waiting for it does not fail.
        drop(self.heard_at.subscribe().wait_for(Option::is_some).await);
    }
}
