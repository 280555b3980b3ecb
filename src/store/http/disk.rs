//! The snapshot on the disk, beside the worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::catalog::Catalog;
use crate::store::SnapshotFile;
use crate::store::http::state::{Shared, chain};

/// A version that does not change is saved again so often, so that the file says
/// when it was last known to be current.
const SAVE_AGAIN: Duration = Duration::from_secs(3600);

pub(super) struct Disk {
    file: SnapshotFile,
    versions: watch::Sender<Option<Catalog>>,
    again: Duration,
    offered_at: Option<Instant>,
}

impl Disk {
    /// Starts the task that saves. It ends when it has saved the last version
    /// and this is dropped.
    pub(super) fn start(
        file: SnapshotFile,
        max_age: Option<Duration>,
        shared: Arc<Shared>,
    ) -> Self {
        let versions = watch::Sender::new(None);
        tokio::spawn(save_all(file.clone(), versions.subscribe(), shared));
        let again = max_age.map_or(SAVE_AGAIN, |max_age| SAVE_AGAIN.min(max_age / 4));
        Self {
            file,
            versions,
            again,
            offered_at: None,
        }
    }

    pub(super) fn file(&self) -> SnapshotFile {
        self.file.clone()
    }

    /// A new version, to be saved when the one before is.
    pub(super) fn offer(&mut self, catalog: Catalog) {
        self.offered_at = Some(Instant::now());
        self.versions.send_replace(Some(catalog));
    }

    /// The version in use is the current one.
    pub(super) fn confirm(&mut self, shared: &Shared) {
        let is_recent = |at: Instant| at.elapsed() < self.again;
        if self.offered_at.is_some_and(is_recent) {
            return;
        }
        if let Some(catalog) = shared.catalog() {
            self.offer(catalog);
        }
    }
}

async fn save_all(
    file: SnapshotFile,
    mut versions: watch::Receiver<Option<Catalog>>,
    shared: Arc<Shared>,
) {
    while versions.changed().await.is_ok() {
        let Some(catalog) = versions.borrow_and_update().clone() else {
            continue;
        };
        let file = file.clone();
        match spawn_blocking(move || file.save(&catalog)).await {
            Ok(Ok(saved_at)) => shared.saved(saved_at),
            Ok(Err(error)) => {
                tracing::error!(remote = %shared.name(), "catalog is not kept: {}", chain(&error));
            }
            // The runtime is shutting down.
            Err(_) => return,
        }
    }
}

/// Puts the version of the file in use, if it is one to be used.
pub(super) async fn stand_in(file: SnapshotFile, shared: &Shared) {
    let path = file.path().display().to_string();
    let remote = shared.name();
    match spawn_blocking(move || file.load()).await {
        Ok(Ok(Some(snapshot))) => {
            tracing::warn!(%remote, path, "remote server is not there, the catalog from the disk stands in");
            let saved_at = snapshot.saved_at();
            shared.publish_saved(snapshot.into_catalog(), saved_at);
        }
        Ok(Ok(None)) => {
            tracing::warn!(%remote, path, "remote server is not there, and no catalog is on the disk");
        }
        Ok(Err(error)) => {
            let why = chain(&error);
            tracing::error!(%remote, path, "catalog from the disk is not used: {why}");
        }
        Err(_) => {}
    }
}
