use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::error::{RedisConfigError, RedisStoreError};
use super::follower::Follower;
use super::link::{Link, Times};
use super::listen::Listener;
use super::options::RedisOptions;
use super::source::Source;
use super::{Handles, RedisStore};
use crate::store::StoreStatus;
use crate::store::backoff::LONGEST;
use crate::store::replica::{FollowTask, Replica};

/// Builds a [`RedisStore`]. Made by [`RedisStore::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    options: RedisOptions,
    heartbeat: Duration,
    forget_after: Option<Duration>,
}

/// How much later than it should a heartbeat may be heard.
const SLACK: Duration = Duration::from_secs(1);

impl RedisStoreBuilder {
    pub(super) fn new(options: RedisOptions) -> Self {
        Self {
            options,
            heartbeat: Duration::from_secs(2),
            forget_after: None,
        }
    }

    /// How long the channel may be silent before a store publishes a heartbeat. All
    /// stores hear it, so that few need to publish one. Default: 2 seconds.
    ///
    /// Pushes that no longer arrive are noticed after this and two command timeouts.
    pub fn heartbeat(mut self, silence: Duration) -> Self {
        self.heartbeat = silence;
        self
    }

    /// While pushes do not arrive, has every cached key looked up again each time this
    /// has passed. Default: never.
    ///
    /// Without it, a change that is missed takes effect at the end of the lifetime of
    /// the cached key, or of its stale time if lookups fail, too. With it, an outage
    /// that lasts longer than this is an outage for cached keys.
    pub fn forget_while_not_listening(mut self, every: Duration) -> Self {
        self.forget_after = Some(every);
        self
    }

    /// A store that has read its APIs and products.
    ///
    /// # Errors
    ///
    /// [`RedisStoreError::NotLoaded`] with the cause if the first attempt failed, which
    /// may take as long as connecting may; [`RedisStoreError::Options`].
    pub async fn open(self) -> Result<RedisStore, RedisStoreError> {
        let store = self.start()?;
        let mut status = store.watch_status();
        // Ends with the store, which lives.
        let has_tried =
            |status: &StoreStatus| status.version() > 0 || status.last_error().is_some();
        drop(status.wait_for(has_tried).await);
        match store.handles.follower.is_loaded() {
            true => Ok(store),
            false => Err(store.handles.follower.not_loaded()),
        }
    }

    /// A store that connects in the background, for as long as it takes. Until it has
    /// read its APIs and products, every request gets a 503, and
    /// [`status`](RedisStore::status) has the cause.
    ///
    /// # Errors
    ///
    /// [`RedisConfigError`] if an option cannot work, or outside of a tokio runtime.
    pub fn start(self) -> Result<RedisStore, RedisConfigError> {
        let runtime = Handle::try_current().map_err(|_| RedisConfigError::NoRuntime)?;
        for (setting, time) in [
            ("heartbeat", Some(self.heartbeat)),
            ("forget_while_not_listening", self.forget_after),
        ] {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(RedisConfigError::NoTime { setting });
            }
        }
        let checked = self.options.check()?;
        let times = self.options.times();
        let Times { command, .. } = times;
        let heartbeat = self.heartbeat.min(LONGEST);
        let heard_within = heartbeat + 2 * command + SLACK;
        let source = Source {
            link: Link::new(checked.target, times),
            names: checked.names,
        };
        let replica = Arc::new(Replica::new(checked.identity, None));
        let follower = Arc::new(Follower::new(source, Arc::clone(&replica), heard_within));
        let listener = Listener {
            follower: Arc::clone(&follower),
            nodes: Arc::new(checked.nodes),
            heartbeat,
            forget_after: self.forget_after.map(|every| every.min(LONGEST)),
        };
        let task = FollowTask::start(replica, &runtime, move || listener.clone().run());
        let handles = Arc::new(Handles { follower, task });
        Ok(RedisStore { handles })
    }
}
