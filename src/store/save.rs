//! Saving of a replica's snapshot to disk.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::catalog::Catalog;
use crate::store::backoff::Backoff;
use crate::store::replica::{Replica, describe};
use crate::store::snapshot::SnapshotFile;

/// A version that does not change is saved again this often, so that the file says
/// when it was last confirmed.
const SAVE_AGAIN: Duration = Duration::from_secs(3600);

/// The pauses after a failed write, such as one to a full disk.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Saves versions, one after the other and the newest one only.
pub(crate) struct Saver {
    versions: watch::Sender<Option<Confirmed>>,
    again: Duration,
    offered_at: Option<Instant>,
}

/// A version, and when it was last confirmed.
#[derive(Clone)]
struct Confirmed {
    catalog: Arc<Catalog>,
    at: SystemTime,
}

impl Saver {
    /// Starts the task that saves. It ends when this is dropped and the last
    /// version is saved.
    pub(crate) fn start(file: SnapshotFile, replica: Arc<Replica>) -> Self {
        let versions = watch::Sender::new(None);
        let most = replica.max_staleness();
        let again = most.map_or(SAVE_AGAIN, |most| SAVE_AGAIN.min(most / 4));
        tokio::spawn(save_all(file, versions.subscribe(), replica));
        Self {
            versions,
            again,
            offered_at: None,
        }
    }

    /// Saves the version in use, which was confirmed just now, if it is new or was
    /// saved long ago.
    pub(crate) fn offer(&mut self, replica: &Replica, is_new: bool) {
        let is_recent = |at: Instant| at.elapsed() < self.again;
        if !is_new && self.offered_at.is_some_and(is_recent) {
            return;
        }
        if let Some(catalog) = replica.catalog() {
            self.offered_at = Some(Instant::now());
            let at = SystemTime::now();
            self.versions.send_replace(Some(Confirmed { catalog, at }));
        }
    }
}

/// Saves each version, and again after a pause if that fails.
async fn save_all(
    file: SnapshotFile,
    mut versions: watch::Receiver<Option<Confirmed>>,
    replica: Arc<Replica>,
) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut pause = None;
    loop {
        let newer = versions.changed();
        let next = match pause.take() {
            // A newer version is saved at once.
            Some(pause) => timeout(pause, newer).await.unwrap_or(Ok(())),
            None => newer.await,
        };
        // No newer version comes after the store is dropped.
        if next.is_err() {
            return;
        }
        let Some(Confirmed { catalog, at }) = versions.borrow_and_update().clone() else {
            continue;
        };
        let file = file.clone();
        match spawn_blocking(move || file.save_as_of(&catalog, at, &Default::default())).await {
            Ok(Ok(())) => {
                backoff.reset();
                replica.saved(at);
            }
            Ok(Err(error)) => {
                replica.save_failed(&error);
                pause = Some(backoff.pause());
            }
            // The runtime is shutting down.
            Err(_) => return,
        }
    }
}

/// Puts the version in the file in use, if there is one that can be used.
pub(crate) async fn use_snapshot(file: SnapshotFile, replica: &Replica) {
    let path = file.path().display().to_string();
    let source = replica.source();
    match spawn_blocking(move || file.load()).await {
        Ok(Ok(Some(snapshot))) => {
            tracing::warn!(
                source,
                path,
                "the source cannot be read, the snapshot is used"
            );
            let saved_at = snapshot.saved_at();
            replica.publish_snapshot(snapshot.into_catalog(), saved_at);
        }
        Ok(Ok(None)) => {
            tracing::warn!(
                source,
                path,
                "the source cannot be read, and there is no snapshot"
            );
        }
        Ok(Err(error)) => {
            let error = describe(&error);
            tracing::error!(source, path, "the snapshot is not used: {error}");
        }
        Err(_) => {}
    }
}
