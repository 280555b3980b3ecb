//! How a replica follows a source of whole catalogs: reading it again and again, on
//! demand too, with a snapshot for starts during an outage.

use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

use super::{CatalogUnavailable, FollowTask, Origin, Replica, StoreStatus};
use crate::catalog::Catalog;
use crate::store::save::{Saver, use_snapshot};
use crate::store::snapshot::SnapshotFile;

/// A source of whole catalogs.
pub(crate) trait Source: Send + 'static {
    type Error: Error + Send + Sync + 'static;

    /// The error of a read that ended with the task.
    fn interrupted() -> Self::Error;

    /// How long the next read may wait for a change in the source.
    fn hold(&self) -> Duration {
        Duration::ZERO
    }

    /// Reads the source and updates the replica. Returns whether the version has changed.
    fn read(&mut self, hold: Duration) -> impl Future<Output = Outcome<Self>> + Send;

    /// Waits until it is time for the next read.
    fn wait(&mut self, has_failed: bool) -> impl Future<Output = ()> + Send;
}

type Outcome<S> = Result<bool, Arc<<S as Source>::Error>>;

/// The result of a reload.
pub(crate) type Reloaded<E> = Result<StoreStatus, Arc<E>>;

/// The future result of the first read.
pub(crate) type First<E> = oneshot::Receiver<Reloaded<E>>;

type Reloads<E> = mpsc::UnboundedReceiver<oneshot::Sender<Reloaded<E>>>;

/// A file for the last version. It is used if the first read fails or takes longer than
/// `after`.
#[derive(Clone)]
pub(crate) struct KeptSnapshot {
    pub(crate) file: SnapshotFile,
    pub(crate) after: Duration,
}

/// A replica that follows a source until this is dropped.
pub(crate) struct Following<E> {
    /// Dropped before `reloads`, which also ends the task: so the end is known to be
    /// intended.
    task: FollowTask,
    pub(crate) replica: Arc<Replica>,
    reloads: mpsc::UnboundedSender<oneshot::Sender<Reloaded<E>>>,
    interrupted: fn() -> E,
}

impl<E: Send + Sync + 'static> Following<E> {
    /// Follows what `source` returns, which is called again if the task has to be
    /// started again.
    pub(crate) fn start<S: Source<Error = E>>(
        runtime: &Handle,
        replica: Arc<Replica>,
        snapshot: Option<KeptSnapshot>,
        mut source: impl FnMut() -> S + Send + 'static,
    ) -> (Self, First<E>) {
        let (reloads, receiver) = mpsc::unbounded_channel();
        let (sender, first) = oneshot::channel();
        // Cannot fail: the receiver still exists.
        let _ = reloads.send(sender);
        // The running task holds the lock.
        let receiver = Arc::new(Mutex::new(receiver));
        let follow = {
            let replica = Arc::clone(&replica);
            move || {
                let (source, snapshot) = (source(), snapshot.clone());
                let (replica, receiver) = (Arc::clone(&replica), Arc::clone(&receiver));
                async move { follow(source, replica, snapshot, &mut *receiver.lock().await).await }
            }
        };
        let following = Self {
            task: FollowTask::start(Arc::clone(&replica), runtime, follow),
            replica,
            reloads,
            interrupted: S::interrupted,
        };
        (following, first)
    }

    /// Waits for the first version, from the source or from the snapshot.
    pub(crate) async fn opened(&self, first: First<E>) -> Result<(), Arc<E>> {
        let mut status = self.replica.watch_status();
        let is_restored = |status: &StoreStatus| status.origin() == Some(Origin::Snapshot);
        let restored = pin!(status.wait_for(is_restored));
        let failed = match select(pin!(self.outcome(first)), restored).await {
            Either::Left((outcome, _)) => outcome.err(),
            Either::Right(_) => None,
        };
        match failed {
            Some(error) if self.replica.catalog().is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads the source now. The last version stays in use if that fails.
    pub(crate) async fn reload(&self) -> Reloaded<E> {
        self.task.ensure_running();
        let (sender, outcome) = oneshot::channel();
        // Cannot fail: the receiver is kept for the next task.
        let _ = self.reloads.send(sender);
        self.outcome(outcome).await
    }

    async fn outcome(&self, outcome: oneshot::Receiver<Reloaded<E>>) -> Reloaded<E> {
        let mut status = self.replica.watch_status();
        let ended = pin!(status.wait_for(|status| !status.is_running()));
        match select(outcome, ended).await {
            Either::Left((Ok(outcome), _)) => outcome,
            Either::Left((Err(_), _)) | Either::Right(_) => Err(Arc::new((self.interrupted)())),
        }
    }

    /// Starts the task again if it has ended.
    pub(crate) fn ensure_running(&self) {
        self.task.ensure_running();
    }

    /// The version in use, for a request.
    pub(crate) fn current(&self) -> Result<Arc<Catalog>, CatalogUnavailable> {
        self.task.ensure_running();
        self.replica.current()
    }
}

/// Follows the source until the store is dropped.
async fn follow<S: Source>(
    mut source: S,
    replica: Arc<Replica>,
    snapshot: Option<KeptSnapshot>,
    reloads: &mut Reloads<S::Error>,
) {
    let mut saver = snapshot
        .as_ref()
        .map(|snapshot| Saver::start(snapshot.file.clone(), Arc::clone(&replica)));
    let mut waiting = waiting_for(reloads);
    let mut outcome = first(&mut source, &replica, snapshot).await;
    loop {
        if let (Ok(is_new), Some(saver)) = (&outcome, &mut saver) {
            saver.offer(&replica, *is_new);
        }
        for sender in waiting.drain(..) {
            let answer = outcome.clone().map(|_| replica.status());
            // The caller may be gone.
            let _ = sender.send(answer);
        }
        match select(pin!(source.wait(outcome.is_err())), pin!(reloads.recv())).await {
            Either::Left(_) => {}
            Either::Right((Some(sender), _)) => waiting.push(sender),
            Either::Right((None, _)) => return,
        }
        outcome = loop {
            waiting.extend(waiting_for(reloads));
            let hold = match waiting.is_empty() {
                true => source.hold(),
                false => Duration::ZERO,
            };
            let read = pin!(source.read(hold));
            if hold.is_zero() {
                break read.await;
            }
            // A read that waits for a change is given up for a reload.
            match select(read, pin!(reloads.recv())).await {
                Either::Left((outcome, _)) => break outcome,
                Either::Right((Some(sender), _)) => waiting.push(sender),
                Either::Right((None, _)) => return,
            }
        };
    }
}

fn waiting_for<E>(reloads: &mut Reloads<E>) -> Vec<oneshot::Sender<Reloaded<E>>> {
    std::iter::from_fn(|| reloads.try_recv().ok()).collect()
}

/// The first read. If it takes long or fails, the snapshot is used. A task that was
/// started again has a version already.
async fn first<S: Source>(
    source: &mut S,
    replica: &Replica,
    snapshot: Option<KeptSnapshot>,
) -> Outcome<S> {
    let mut read = pin!(source.read(Duration::ZERO));
    let Some(snapshot) = snapshot.filter(|_| replica.catalog().is_none()) else {
        return read.await;
    };
    let in_time = timeout(snapshot.after, read.as_mut()).await;
    if !matches!(in_time, Ok(Ok(_))) {
        let file = match replica.max_staleness() {
            Some(most) => snapshot.file.with_max_age(most),
            None => snapshot.file,
        };
        use_snapshot(file, replica).await;
    }
    match in_time {
        Ok(outcome) => outcome,
        Err(_) => read.await,
    }
}
