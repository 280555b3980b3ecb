use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisResult, Value, cmd, from_redis_value};
use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use super::error::RedisStoreError;
use super::follower::Follower;
use super::message::{Message, Pushed};
use super::nodes::Nodes;
use crate::store::Invalidation;
use crate::store::backoff::{Backoff, shortened};

/// Between two attempts to listen.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Listens for changes until its task ends.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) follower: Arc<Follower>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) heartbeat: Duration,
    pub(super) forget_after: Option<Duration>,
}

type Subscription = (PubSubSink, PubSubStream);

enum Event {
    Message(Message),
    /// Nothing was heard for a while.
    Silence,
    /// A lookup met an older revision.
    Suspicion,
    /// The connection has ended.
    End,
}

impl Listener {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut forget_at = None;
        loop {
            let listening = async {
                let subscription = self.subscribe().await?;
                forget_at = None;
                backoff.reset();
                self.listen(subscription).await
            };
            let Err(error) = listening.await;
            self.follower.replica.fail(&error);
            self.forget(&mut forget_at);
            sleep(backoff.pause()).await;
        }
    }

    /// Has everything looked up again, each time that pushes were away for as long as
    /// is allowed.
    fn forget(&self, forget_at: &mut Option<Instant>) {
        let Some(every) = self.forget_after else {
            return;
        };
        let now = Instant::now();
        let at = *forget_at.get_or_insert(now + every);
        if now >= at {
            self.follower.watchers.notify(&Invalidation::Forget);
            *forget_at = Some(now + every);
        }
    }

    /// Subscribes at the first node that accepts: every node of a cluster hears what
    /// is published at any.
    async fn subscribe(&self) -> Result<Subscription, RedisStoreError> {
        let link = &self.follower.source.link;
        if !self.follower.is_loaded() {
            // The first reading needs this connection, which may take longer than the
            // reading itself.
            link.connected().await?;
        }
        let mut failed = RedisStoreError::NotLoaded { cause: None };
        for client in self.nodes.to_listen_at(link).await {
            match bounded(link.times().connecting, self.subscribe_at(&client)).await {
                Ok(subscription) => return Ok(subscription),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn subscribe_at(&self, client: &Client) -> RedisResult<Subscription> {
        let mut pubsub = client.get_async_pubsub().await?;
        let channel = &self.follower.source.names.channel;
        pubsub.subscribe(channel).await?;
        Ok(pubsub.split())
    }

    /// Processes messages until the connection fails.
    async fn listen(
        &self,
        (mut sink, mut stream): Subscription,
    ) -> Result<Infallible, RedisStoreError> {
        let follower = &self.follower;
        self.check_role().await?;
        // Subscribed before: a change during the reading is heard after it.
        let mut is_synced = self.sync().await;
        let _listening = Listening::new(follower);
        let mut is_probed = false;
        loop {
            let wait = match is_probed {
                true => follower.source.link.times().command,
                false => shortened(self.heartbeat, 0.5),
            };
            match self.next_event(&mut stream, wait).await {
                Event::Message(message) => {
                    is_probed = false;
                    follower.heard();
                    is_synced &= self.follow(message).await;
                }
                Event::Silence if is_probed => return Err(RedisStoreError::NoPushes),
                Event::Silence => is_probed = self.probe(&mut sink).await?,
                Event::Suspicion => {
                    let checked = follower.check_revision().await;
                    is_synced &= self.note(checked);
                }
                Event::End => {
                    let source = "the listening connection has ended".into();
                    return Err(RedisStoreError::Redis { source });
                }
            }
            if !is_synced {
                is_synced = self.sync().await;
            }
        }
    }

    async fn next_event(&self, stream: &mut PubSubStream, wait: Duration) -> Event {
        let suspicion = pin!(self.follower.suspicion.notified());
        let message = pin!(timeout(wait, stream.next()));
        match select(message, suspicion).await {
            Either::Left((Ok(Some(message)), _)) => {
                Event::Message(Message::read(message.get_payload_bytes()))
            }
            Either::Left((Ok(None), _)) => Event::End,
            Either::Left((Err(_), _)) => Event::Silence,
            Either::Right(_) => Event::Suspicion,
        }
    }

    /// Publishes a heartbeat, which all stores of the fleet hear, so that few need to
    /// publish one. Without the right to publish, the connection itself is tested.
    /// Returns whether a heartbeat is to arrive.
    async fn probe(&self, sink: &mut PubSubSink) -> Result<bool, RedisStoreError> {
        self.check_role().await?;
        let follower = &self.follower;
        let mut publish = cmd("PUBLISH");
        publish
            .arg(&follower.source.names.channel)
            .arg(Message::heartbeat(follower.last_heard_revision()));
        let link = &follower.source.link;
        if link.repeatable(&publish, None).await.is_ok() {
            return Ok(true);
        }
        let after = link.times().command;
        bounded(after, sink.ping::<Value>()).await?;
        follower.heard();
        Ok(false)
    }

    /// A replica that has lost its master keeps answering, but no longer changes.
    async fn check_role(&self) -> Result<(), RedisStoreError> {
        if self.nodes.is_cluster() {
            return Ok(());
        }
        let link = &self.follower.source.link;
        let Ok(role) = link.repeatable(&cmd("ROLE"), None).await else {
            // Without the right to ask, the role is unknown.
            return Ok(());
        };
        match from_redis_value::<(String, String, u16, String, i64)>(role) {
            Ok((role, _, _, state, _)) if role == "slave" && state != "connected" => {
                Err(RedisStoreError::MasterLost)
            }
            _ => Ok(()),
        }
    }

    async fn sync(&self) -> bool {
        let outcome = self.follower.resync().await;
        if outcome.is_ok() {
            info!("listening for changes in Redis");
        }
        self.note(outcome)
    }

    async fn follow(&self, message: Message) -> bool {
        let follower = &self.follower;
        let Message { revision, changes } = message;
        let is_heartbeat = changes.is_empty();
        if let Some(revision) = revision {
            if is_heartbeat {
                // Another store has heard of a change that this one has not.
                let is_behind = revision > follower.last_heard_revision();
                if !is_behind {
                    follower.confirm();
                }
                return !is_behind;
            }
            follower.heard_revision(revision);
        }
        follower.replica.pushed();
        let mut are_definitions_changed = false;
        for change in changes {
            match change {
                Pushed::Definitions => are_definitions_changed = true,
                Pushed::Invalidation(invalidation) => {
                    are_definitions_changed |= invalidation == Invalidation::All;
                    follower.watchers.notify(&invalidation);
                }
            }
        }
        if !are_definitions_changed {
            return true;
        }
        let outcome = follower.refresh().await;
        self.note(outcome)
    }

    fn note(&self, outcome: Result<(), RedisStoreError>) -> bool {
        if let Err(error) = &outcome {
            self.follower.replica.fail(error);
        }
        outcome.is_ok()
    }
}

/// Ends with the listening, also if its task is dropped.
struct Listening<'a>(&'a Follower);

impl<'a> Listening<'a> {
    fn new(follower: &'a Follower) -> Self {
        follower.set_listening(true);
        Self(follower)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.set_listening(false);
    }
}

async fn bounded<T>(
    after: Duration,
    attempt: impl Future<Output = RedisResult<T>>,
) -> Result<T, RedisStoreError> {
    match timeout(after, attempt).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(RedisStoreError::of(error, None)),
        Err(_) => Err(RedisStoreError::TimedOut { after }),
    }
}
