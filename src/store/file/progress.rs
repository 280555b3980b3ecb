use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The progress of loading a long file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadProgress {
    /// APIs, products and subscriptions that have been parsed.
    pub entries: u64,
    /// Bytes of the file that have been read. Parsing is a little behind.
    pub read: u64,
    /// Bytes of the whole file.
    pub length: u64,
}

/// The function that is called while a long file is loaded.
#[derive(Clone, Default)]
pub(super) struct OnProgress(Option<Arc<dyn Fn(LoadProgress) + Send + Sync>>);

impl OnProgress {
    pub(super) fn new(report: impl Fn(LoadProgress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }
}

impl fmt::Debug for OnProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "OnProgress(..)",
            None => "None",
        })
    }
}

/// How often a long load is logged.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

/// Reports the progress of one load.
pub(super) struct Reporter<'l> {
    path: &'l Path,
    listener: &'l OnProgress,
    last_event: Instant,
}

impl<'l> Reporter<'l> {
    pub(super) fn new(path: &'l Path, listener: &'l OnProgress) -> Self {
        Self {
            path,
            listener,
            last_event: Instant::now(),
        }
    }

    pub(super) fn report(&mut self, progress: LoadProgress) {
        if self.last_event.elapsed() >= BETWEEN_EVENTS {
            self.last_event = Instant::now();
            tracing::info!(
                path = %self.path.display(),
                entries = progress.entries,
                percent = 100 * progress.read / progress.length.max(1),
                "catalog file is being loaded"
            );
        }
        if let Some(report) = &self.listener.0 {
            report(progress);
        }
    }
}
