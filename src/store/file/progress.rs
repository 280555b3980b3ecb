use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How far the loading of a long file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadProgress {
    /// APIs, products and subscriptions that have been parsed.
    pub entries: u64,
    /// Bytes of the file that have been read. The parsing is somewhat behind.
    pub read: u64,
    /// Bytes of the whole file.
    pub length: u64,
}

/// Who is told while a long file is loaded.
#[derive(Clone, Default)]
pub(super) struct OnProgress(Option<Arc<dyn Fn(LoadProgress) + Send + Sync>>);

impl OnProgress {
    pub(super) fn new(tell: impl Fn(LoadProgress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }
}

impl fmt::Debug for OnProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "OnProgress(..)"
        } else {
            "None"
        })
    }
}

/// Long loads are told to `tracing` once in so long.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

/// Tells how one load goes on.
pub(super) struct Told<'s> {
    path: &'s Path,
    listener: &'s OnProgress,
    last_event: Instant,
}

impl<'s> Told<'s> {
    pub(super) fn new(path: &'s Path, listener: &'s OnProgress) -> Self {
        Self {
            path,
            listener,
            last_event: Instant::now(),
        }
    }

    pub(super) fn tell(&mut self, progress: LoadProgress) {
        if self.last_event.elapsed() >= BETWEEN_EVENTS {
            self.last_event = Instant::now();
            tracing::info!(
                path = %self.path.display(),
                entries = progress.entries,
                percent = 100 * progress.read / progress.length.max(1),
                "catalog file is being loaded"
            );
        }
        if let Some(tell) = &self.listener.0 {
            tell(progress);
        }
    }
}
