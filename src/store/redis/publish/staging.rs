//! Publishing a whole catalog: it is written next to the live one, then replaces it.

use std::time::Duration;

use redis::{Cmd, cmd};
use tokio::time::sleep;

use super::{ATTEMPTS, Reply, Result};
use crate::catalog::Catalog;
use crate::store::backoff::Backoff;
use crate::store::redis::error::{RedisPublishError, RedisStoreError};
use crate::store::redis::layout::{
    DEFINITIONS_DIGEST_FIELD, DEFINITIONS_FIELD, DefinitionsDocument, FORMAT, FORMAT_FIELD,
    STAGED_FOR, entries, subscription_field,
};
use crate::store::redis::publish::RedisPublisher;
use crate::store::redis::source::nonce;

const FLIP: &str = include_str!("../scripts/flip.lua");
const STAGE: &str = include_str!("../scripts/stage.lua");

/// This much of a catalog is written at once: other clients wait for Redis meanwhile.
const BATCH_BYTES: usize = 128 * 1024;

/// The pauses while the slot of the catalog moves to another node.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl RedisPublisher {
    /// Replaces everything that was published before.
    ///
    /// The catalog is written next to the live one, in parts, and then replaces it
    /// in one step. Single changes by other publishers meanwhile are lost with the old
    /// one. If this is interrupted, readers see nothing of it, and Redis removes what
    /// was written after ten minutes.
    ///
    /// # Errors
    ///
    /// [`RedisPublishError`]
    pub async fn publish(&self, catalog: &Catalog) -> Result<u64> {
        let definitions = DefinitionsDocument::of(catalog)?;
        let token = format!("{:016x}", fastrand::u64(..));
        let staged = self.source.names.staged(&token);
        let published = async {
            let fields = self.stage(&staged, catalog, &definitions).await?;
            self.exchange(&staged, &token, fields).await
        };
        let published = published.await;
        if published.is_err() {
            // It would expire anyway.
            let mut unlink = cmd("UNLINK");
            let unlink = unlink.arg(&staged);
            let _ = self.source.link.repeatable(unlink, None).await;
        }
        published
    }

    /// Writes the catalog where no store reads it. Returns its number of fields.
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
            if batch.is_full() {
                self.source.link.repeatable(&batch.take(), None).await?;
            }
        }
        self.source.link.repeatable(&batch.take(), None).await?;
        Ok(batch.fields)
    }

    /// Exchanges the staged catalog for the live one, at the revision that this reads.
    async fn exchange(&self, staged: &str, token: &str, fields: usize) -> Result<u64> {
        let names = &self.source.names;
        let mut revision = match self.source.read(None, &[]).await {
            Ok(reading) => reading.version.revision.to_string(),
            // There is no catalog, or none that can be read: the script says its revision.
            Err(
                RedisStoreError::NoCatalog
                | RedisStoreError::Layout
                | RedisStoreError::Definitions { .. }
                | RedisStoreError::Redis { .. },
            ) => String::new(),
            Err(error) => return Err(error.into()),
        };
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut failed = RedisPublishError::Contended;
        for _ in 0..ATTEMPTS {
            let nonce = nonce();
            let mut flip = cmd("EVAL");
            flip.arg(FLIP)
                .arg(3)
                .arg(&names.live)
                .arg(staged)
                .arg(names.replaced(token))
                .arg(&nonce)
                .arg(&names.channel)
                .arg(&revision)
                .arg(fields);
            match self.run(&flip, &nonce).await {
                Ok(Reply::Done(revision)) => return Ok(revision),
                Ok(Reply::Changed(newer)) => revision = newer,
                // For now, the staged and the live catalog are on different nodes.
                Err(
                    error @ RedisPublishError::Store {
                        source: RedisStoreError::SlotMoves,
                    },
                ) => {
                    failed = error;
                    sleep(backoff.pause()).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }
}

/// Fields to be written together, with the time after which they expire.
struct Batch<'a> {
    staged: &'a str,
    command: Cmd,
    bytes: usize,
    /// The number of fields in all batches so far.
    fields: usize,
}

impl<'a> Batch<'a> {
    fn new(staged: &'a str) -> Self {
        Self {
            staged,
            command: write_to(staged),
            bytes: 0,
            fields: 0,
        }
    }

    fn push(&mut self, field: &str, value: &str) {
        self.command.arg(field).arg(value);
        self.bytes += field.len() + value.len();
        self.fields += 1;
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Cmd {
        self.bytes = 0;
        std::mem::replace(&mut self.command, write_to(self.staged))
    }
}

/// One script for both: a publisher that is killed leaves nothing that never expires.
fn write_to(staged: &str) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(STAGE).arg(1).arg(staged).arg(STAGED_FOR);
    command
}
