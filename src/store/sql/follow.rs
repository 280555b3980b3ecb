//! The background task that keeps a replica as the database has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::catalog::Catalog;
use crate::manage::RepositoryError;
use crate::manage::sql::SqlRepository;
use crate::manage::usage::UseRecorder;
use crate::store::Invalidation;
use crate::store::backoff::{Backoff, shortened};
use crate::store::invalidation::Watchers;
use crate::store::replica::{Replica, Source};
use crate::store::sql::feed::{self, Found, Mark, Touched};
use crate::store::sql::load::{Extent, load};
use crate::store::sql::wake::{Wake, Woken};

/// How long a look at the feed may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a replica reports, and how often the use of keys is written.
const REPORT: Duration = Duration::from_secs(5);

pub(super) struct Follower {
    pub(super) repository: Arc<SqlRepository>,
    pub(super) replica: Arc<Replica>,
    pub(super) extent: Extent,
    pub(super) poll: Duration,
    /// The name to report under.
    pub(super) name: Option<String>,
    pub(super) uses: Arc<UseRecorder>,
    pub(super) watchers: Arc<Watchers>,
    pub(super) wake: Wake,
    pub(super) backoff: Backoff,
    pub(super) mark: Option<Mark>,
    pub(super) reported: Option<(u64, Instant)>,
    pub(super) flushed: Instant,
}

impl Source for Follower {
    type Error = RepositoryError;

    fn interrupted() -> RepositoryError {
        RepositoryError::new("the store's background task has ended")
    }

    /// Brings the replica to the newest version, and reports that.
    async fn read(&mut self, _: Duration) -> Result<bool, Arc<RepositoryError>> {
        // Before the look, so that no change falls between the two.
        let _ = timeout(PATIENCE, self.wake.listen()).await;
        let before = self.mark;
        let followed = self.follow().await;
        match &followed {
            Ok(()) => self.report().await,
            Err(error) => self.replica.fail(error),
        }
        self.uses.tick();
        if self.flushed.elapsed() >= REPORT {
            self.flushed = Instant::now();
            flush_uses(&self.repository, &self.uses).await;
        }
        followed.map(|()| self.mark != before).map_err(Arc::new)
    }

    async fn wait(&mut self, has_failed: bool) {
        let pause = if has_failed {
            self.wake.reconnect();
            self.backoff.pause()
        } else {
            self.backoff.reset();
            shortened(self.poll, 0.2)
        };
        if self.wake.wait(pause).await == Woken::Pushed {
            self.replica.pushed();
        }
    }
}

impl Follower {
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
                let number = mark.number.to_string();
                if changes.is_empty() && self.extent == Extent::Definitions {
                    self.replica.confirm(Some(&number));
                    self.announce(touched);
                } else if let Ok(next) = Catalog::apply(&catalog, changes) {
                    self.replica.publish(next, Some(&number));
                    self.watchers.notify(&Invalidation::All);
                } else {
                    return self.load().await;
                }
                self.mark = Some(mark);
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
        self.watchers.notify(&Invalidation::All);
        Ok(())
    }

    /// Announces the changed subscriptions to caches.
    fn announce(&self, touched: Touched) {
        for id in touched.subscriptions {
            let keys = Vec::new();
            self.watchers
                .notify(&Invalidation::Subscription { id, keys });
        }
        // A new key may be cached as unknown.
        if !touched.keys.is_empty() {
            let (id, keys) = (String::new(), touched.keys);
            self.watchers
                .notify(&Invalidation::Subscription { id, keys });
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
