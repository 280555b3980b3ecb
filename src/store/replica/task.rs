//! The background task that follows a source, and what happens if it ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::Replica;

/// A task that ended is started again at most this often: one that panics at once
/// must not keep a processor busy.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);

/// The background task of a replica, owned by the handles of its store. It ends
/// with this.
///
/// If it ends before, because its runtime was shut down or it panicked, the log
/// and the status say so, and the next request that runs in a tokio runtime
/// starts it again there ([`ensure_running`](Self::ensure_running)).
pub(crate) struct FollowTask {
    replica: Arc<Replica>,
    starter: Mutex<Starter>,
}

struct Starter {
    follow: Box<dyn FnMut() -> Follow + Send>,
    last: Option<(Instant, AbortHandle)>,
}

type Follow = Pin<Box<dyn Future<Output = ()> + Send>>;

impl FollowTask {
    /// Runs what `follow` returns on the runtime. `follow` is called again if the
    /// task has to be started again.
    pub(crate) fn start<F>(
        replica: Arc<Replica>,
        runtime: &Handle,
        mut follow: impl FnMut() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let starter = Starter {
            follow: Box::new(move || Box::pin(follow())),
            last: None,
        };
        let task = Self {
            replica,
            starter: Mutex::new(starter),
        };
        task.start_on(runtime);
        task
    }

    /// Starts the task again if it has ended. Costs one load if it has not.
    pub(crate) fn ensure_running(&self) {
        if !self.replica.is_running()
            && let Ok(runtime) = Handle::try_current()
        {
            self.start_on(&runtime);
        }
    }

    fn start_on(&self, runtime: &Handle) {
        let mut starter = self.starter();
        let is_early = |(at, _): &(Instant, _)| at.elapsed() < BETWEEN_STARTS;
        if self.replica.is_running() || starter.last.as_ref().is_some_and(is_early) {
            return;
        }
        let guard = RunGuard::new(&self.replica);
        let follow = (starter.follow)();
        let task = runtime.spawn(async move {
            let _guard = guard;
            follow.await;
        });
        starter.last = Some((Instant::now(), task.abort_handle()));
    }

    fn starter(&self) -> MutexGuard<'_, Starter> {
        self.starter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FollowTask {
    fn drop(&mut self) {
        self.replica.close();
        if let Some((_, task)) = &self.starter().last {
            task.abort();
        }
    }
}

/// Belongs to the task or thread that follows a source. When it is dropped before
/// the replica is closed, the log and the status say that the source is no longer
/// followed.
pub(crate) struct RunGuard(Arc<Replica>);

impl RunGuard {
    pub(crate) fn new(replica: &Arc<Replica>) -> Self {
        replica.set_running(true);
        Self(Arc::clone(replica))
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.0.set_running(false);
        if !self.0.is_closed() {
            self.0.fail(&Ended);
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the background task that follows the source has ended, probably because its runtime was \
     shut down: keep the runtime alive as long as the store"
)]
struct Ended;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::catalog::{Api, Catalog};

    fn replica() -> Arc<Replica> {
        let catalog = Catalog::builder().api(Api::new("one", "/one")).build();
        let replica = Replica::new("here", None);
        replica.publish(catalog.unwrap(), None);
        Arc::new(replica)
    }

    fn runtime() -> tokio::runtime::Runtime {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.build().unwrap()
    }

    fn follow_forever(replica: &Arc<Replica>, runtime: &tokio::runtime::Runtime) -> FollowTask {
        let follow = || std::future::pending::<()>();
        FollowTask::start(Arc::clone(replica), runtime.handle(), follow)
    }

    #[test]
    fn task_that_ends_with_its_runtime_is_reported() {
        let (replica, runtime) = (replica(), runtime());
        let _task = follow_forever(&replica, &runtime);
        assert!(replica.status().is_running());
        drop(runtime);
        let status = replica.status();
        assert!(!status.is_running());
        assert!(status.last_error().unwrap().contains("has ended"));
    }

    #[test]
    fn task_that_ended_is_started_again_in_the_runtime_of_a_request() {
        let (replica, first, second) = (replica(), runtime(), runtime());
        let task = follow_forever(&replica, &first);
        drop(first);
        // It is not started again at once.
        task.starter().last = None;
        task.ensure_running();
        assert!(!replica.status().is_running());
        second.block_on(async { task.ensure_running() });
        assert!(replica.status().is_running());
    }

    #[test]
    fn task_that_ends_with_its_store_reports_nothing() {
        let (replica, runtime) = (replica(), runtime());
        drop(follow_forever(&replica, &runtime));
        drop(runtime);
        let status = replica.status();
        assert!(!status.is_running());
        assert_eq!(status.last_error(), None);
    }
}
