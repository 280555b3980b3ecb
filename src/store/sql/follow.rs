//! The background task that keeps a replica as the database has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

use crate::catalog::Catalog;
use crate::manage::RepositoryError;
use crate::manage::sql::SqlRepository;
use crate::manage::usage::UseRecorder;
use crate::store::StoreStatus;
use crate::store::backoff::{Backoff, shortened};
use crate::store::replica::Replica;
use crate::store::save::{Saver, use_snapshot};
use crate::store::snapshot::SnapshotFile;
use crate::store::sql::feed::{self, Found, Mark, Touched};
use crate::store::sql::load::{Extent, load};
use crate::store::sql::wake::{Wake, Woken};

/// How long a look at the feed may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a replica reports, and how often the use of keys is written.
const REPORT: Duration = Duration::from_secs(5);

/// How long the first load is waited for before the snapshot is used.
const SNAPSHOT_AFTER: Duration = Duration::from_secs(5);

/// The calls of `reload` to come. Locked by the task that answers them.
pub(super) type Reloads = Arc<Mutex<mpsc::UnboundedReceiver<oneshot::Sender<Reloaded>>>>;

/// The answer to a call of `reload`.
pub(super) type Reloaded = Result<StoreStatus, Arc<RepositoryError>>;

/// Is called with the subscriptions that changed, or `None` if anything may have
/// changed.
pub(super) type OnChange = Arc<dyn Fn(Option<&Touched>) + Send + Sync>;

pub(super) struct Follower {
    pub(super) repository: Arc<SqlRepository>,
    pub(super) replica: Arc<Replica>,
    pub(super) extent: Extent,
    pub(super) poll: Duration,
    /// The name to report under.
    pub(super) name: Option<String>,
    pub(super) snapshot: Option<SnapshotFile>,
    pub(super) saver: Option<Saver>,
    pub(super) uses: Arc<UseRecorder>,
    pub(super) on_change: Option<OnChange>,
    pub(super) mark: Option<Mark>,
    pub(super) reported: Option<(u64, Instant)>,
}

impl Follower {
    /// Runs until the store is gone.
    pub(super) async fn run(mut self, reloads: Reloads) {
        let mut reloads = reloads.lock().await;
        let mut wake = Wake::new(self.repository.database().clone());
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut flushed = Instant::now();
        let mut outcome = self.begin(&mut wake).await;
        loop {
            let pause = match &outcome {
                Ok(_) => {
                    backoff.reset();
                    shortened(self.poll, 0.2)
                }
                Err(_) => {
                    wake.reconnect();
                    backoff.pause()
                }
            };
            let mut waiting = Vec::new();
            let (woken, reload) = tokio::select! {
                woken = wake.wait(pause) => (woken, None),
                reload = reloads.recv() => match reload {
                    Some(reload) => (Woken::Polled, Some(reload)),
                    None => return,
                },
            };
            waiting.extend(reload);
            if woken == Woken::Pushed {
                self.replica.pushed();
            }
            wake.listen().await;
            outcome = self.look().await;
            self.uses.tick();
            if flushed.elapsed() >= REPORT {
                flushed = Instant::now();
                flush_uses(&self.repository, &self.uses).await;
            }
            for sender in waiting {
                let answer = match &outcome {
                    Ok(()) => Ok(self.replica.status()),
                    Err(error) => Err(Arc::clone(error)),
                };
                // The caller may be gone.
                let _ = sender.send(answer);
            }
        }
    }

    /// The first look. If it takes long or fails, the snapshot is used.
    async fn begin(&mut self, wake: &mut Wake) -> Result<(), Arc<RepositoryError>> {
        // Before the first look, so that no change falls between the two.
        let listen = timeout(PATIENCE, wake.listen());
        let _ = listen.await;
        let Some(file) = self.snapshot.clone() else {
            return self.look().await;
        };
        let replica = Arc::clone(&self.replica);
        let mut look = Box::pin(self.look());
        match timeout(SNAPSHOT_AFTER, look.as_mut()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                if replica.catalog().is_none() {
                    use_snapshot(file, &replica).await;
                }
                Err(error)
            }
            Err(_) => {
                if replica.catalog().is_none() {
                    use_snapshot(file, &replica).await;
                }
                look.await
            }
        }
    }

    /// Brings the replica to the newest version, and reports that.
    async fn look(&mut self) -> Result<(), Arc<RepositoryError>> {
        let before = self.mark;
        match self.follow().await {
            Ok(()) => {
                if let Some(saver) = &mut self.saver {
                    saver.offer(&self.replica, self.mark != before);
                }
                self.report().await;
                Ok(())
            }
            Err(error) => {
                self.replica.fail(&error);
                Err(Arc::new(error))
            }
        }
    }

    async fn follow(&mut self) -> Result<(), RepositoryError> {
        let (Some(mark), Some(catalog)) = (self.mark, self.replica.catalog()) else {
            return self.load().await;
        };
        let database = self.repository.database().clone();
        let look = timeout(PATIENCE, async {
            let mut transaction = database.snapshot().await?;
            feed::changes(&mut transaction, mark, self.extent).await
        });
        let silent = |_| RepositoryError::new("the database does not answer");
        match look.await.map_err(silent)?? {
            Found::Nothing => {
                self.replica.confirm(Some(&mark.number.to_string()));
                Ok(())
            }
            Found::TooMuch => self.load().await,
            Found::WentBack(how) => {
                self.replica.went_back(&how);
                self.load().await
            }
            Found::Changes {
                mark,
                changes,
                touched,
            } => {
                let only_subscriptions = changes.is_empty() && self.extent == Extent::Definitions;
                if only_subscriptions {
                    self.replica.confirm(Some(&mark.number.to_string()));
                } else if let Ok(next) = Catalog::apply(&catalog, changes) {
                    self.replica.publish(next, Some(&mark.number.to_string()));
                } else {
                    return self.load().await;
                }
                self.mark = Some(mark);
                let known = only_subscriptions || self.extent == Extent::Everything;
                self.announce(known.then_some(&touched));
                Ok(())
            }
        }
    }

    /// Reads everything.
    async fn load(&mut self) -> Result<(), RepositoryError> {
        let mut transaction = self.repository.database().snapshot().await?;
        let mark = feed::mark(&mut transaction).await?;
        let catalog = load(&mut transaction, self.extent).await?;
        self.replica
            .publish(catalog, Some(&mark.number.to_string()));
        self.mark = Some(mark);
        self.announce(None);
        Ok(())
    }

    fn announce(&self, touched: Option<&Touched>) {
        if let Some(on_change) = &self.on_change {
            on_change(touched);
        }
    }

    /// Reports the number that is applied, if it is new or the lease is old.
    async fn report(&mut self) {
        let (Some(name), Some(mark)) = (&self.name, self.mark) else {
            return;
        };
        let is_current =
            |(number, at): &(u64, Instant)| *number == mark.number && at.elapsed() < REPORT;
        if self.reported.as_ref().is_some_and(is_current) {
            return;
        }
        match timeout(PATIENCE, self.repository.report_replica(name, mark.number)).await {
            Ok(Ok(())) => self.reported = Some((mark.number, Instant::now())),
            Ok(Err(error)) => tracing::debug!("the applied number was not reported: {error}"),
            Err(_) => tracing::debug!("the applied number was not reported in time"),
        }
    }
}

/// Writes the use of keys. What cannot be written is kept for the next time.
pub(super) async fn flush_uses(repository: &SqlRepository, recorder: &UseRecorder) {
    let uses = recorder.take();
    if uses.is_empty() {
        return;
    }
    let written = timeout(PATIENCE, repository.record_use(&uses)).await;
    if !matches!(written, Ok(Ok(()))) {
        recorder.put_back(uses);
    }
}
