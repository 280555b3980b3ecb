use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisResult, Value};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::error::RedisStoreError;
use super::link::Times;
use super::message::{Invalidation, Message};
use super::shared::Shared;

/// Between two attempts at listening.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Listens for changes, for as long as its task lives.
pub(super) struct Listener {
    pub(super) shared: Arc<Shared>,
    pub(super) ears: Vec<Client>,
    pub(super) heartbeat: Duration,
    pub(super) deaf_for: Option<Duration>,
}

type Ears = (PubSubSink, PubSubStream);

impl Listener {
    pub(super) async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut forget_at = None;
        loop {
            match self.subscribe().await {
                Ok(ears) => {
                    forget_at = None;
                    pause = FIRST_PAUSE;
                    let error = self.listen(ears).await;
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "changes in Redis are not heard any more"
                    );
                    self.shared.set_listening(false);
                    self.shared.set_failure(Some(error));
                }
                Err(error) => self.shared.set_failure(Some(error)),
            }
            self.forget(&mut forget_at);
            sleep(with_jitter(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Says that nothing is to be believed, each time that the pushes were away
    /// for as long as they may be.
    fn forget(&self, forget_at: &mut Option<Instant>) {
        let Some(every) = self.deaf_for else {
            return;
        };
        let now = Instant::now();
        let at = *forget_at.get_or_insert(now + every);
        if now >= at {
            self.shared.tell(&Invalidation::All);
            *forget_at = Some(now + every);
        }
    }

    /// Subscribes at the first node that lets us: every node of a cluster hears
    /// what is published at any.
    async fn subscribe(&self) -> Result<Ears, RedisStoreError> {
        if !self.shared.is_loaded() {
            // What is read first comes by that connection, which may take longer
            // than the reading.
            self.shared.source.link.connected().await?;
        }
        let mut failed = RedisStoreError::NotLoaded { source: None };
        let Times { connecting, .. } = self.shared.source.link.times();
        for client in &self.ears {
            match bounded(connecting, self.subscribe_at(client)).await {
                Ok(ears) => return Ok(ears),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn subscribe_at(&self, client: &Client) -> RedisResult<Ears> {
        let mut pubsub = client.get_async_pubsub().await?;
        pubsub.subscribe(&self.shared.source.names.channel).await?;
        Ok(pubsub.split())
    }

    /// Hears and obeys. Returns why it no longer can.
    async fn listen(&self, (mut sink, mut stream): Ears) -> RedisStoreError {
        // Subscribed first: a change during the reading is heard after it.
        let mut synced = self.sync().await;
        let Times { command, .. } = self.shared.source.link.times();
        self.shared.set_listening(true);
        loop {
            match timeout(self.heartbeat, next(&mut stream)).await {
                Ok(Some(message)) => {
                    let message = Message::read(message.get_payload_bytes());
                    synced &= self.obey(message).await;
                }
                Ok(None) => return ended(),
                Err(_) => {
                    if let Err(error) = bounded(command, sink.ping::<Value>()).await {
                        return error;
                    }
                }
            }
            if !synced {
                synced = self.sync().await;
            }
        }
    }

    async fn sync(&self) -> bool {
        let outcome = self.shared.resync().await;
        if outcome.is_ok() {
            info!("changes in Redis are heard");
        }
        self.note(outcome)
    }

    async fn obey(&self, message: Message) -> bool {
        match message {
            Message::Subscription { id, keys } => {
                self.shared.tell(&Invalidation::Subscription { id, keys });
                return true;
            }
            Message::All => self.shared.tell(&Invalidation::All),
            Message::Definitions => {}
        }
        let outcome = self.shared.refresh(None).await;
        self.note(outcome)
    }

    fn note(&self, outcome: Result<(), RedisStoreError>) -> bool {
        let failure = outcome.err();
        if let Some(error) = &failure {
            let error: &dyn std::error::Error = error;
            warn!(error, "the APIs and products could not be read from Redis");
        }
        let read = failure.is_none();
        self.shared.set_failure(failure);
        read
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

fn ended() -> RedisStoreError {
    let source = "the listening connection ended".into();
    RedisStoreError::Redis { source }
}

async fn next(stream: &mut PubSubStream) -> Option<redis::Msg> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// Half of it to all of it, so that a fleet does not come back in one moment.
fn with_jitter(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 512;
    pause.mul_f64(0.5 + random as f64 / 1024.0)
}
