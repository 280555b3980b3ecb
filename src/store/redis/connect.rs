use std::future::Future;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, Value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::error::RedisStoreError;

/// What is connected to.
#[derive(Clone)]
pub(super) enum Target {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Why there is no connection. Everyone who waited for it is told.
#[derive(Debug, Clone)]
pub(super) enum NoConnection {
    Refused(RedisError),
    TimedOut {
        after: Duration,
    },
    /// The attempt was broken off: the runtime that it was made in is gone.
    BrokenOff,
}

type Outcome = Result<Connection, NoConnection>;

/// An attempt to connect, and the connection that came of it. It goes on when
/// nobody waits for it any more, and ends when this is dropped.
pub(super) struct Attempt {
    outcome: Pending,
    task: AbortHandle,
}

/// What is to come of an attempt.
#[derive(Clone)]
pub(super) struct Pending(watch::Receiver<Option<Outcome>>);

impl Attempt {
    pub(super) fn begin(target: &Target, patience: Duration) -> Self {
        let target = target.clone();
        Self::of(async move { target.connect().await }, patience)
    }

    fn of(
        connecting: impl Future<Output = RedisResult<Connection>> + Send + 'static,
        patience: Duration,
    ) -> Self {
        let (sender, outcome) = watch::channel(None);
        let task = tokio::spawn(async move {
            let outcome = match timeout(patience, connecting).await {
                Ok(connected) => connected.map_err(NoConnection::Refused),
                Err(_) => Err(NoConnection::TimedOut { after: patience }),
            };
            // Whoever dropped the attempt wants no connection.
            let _ = sender.send(Some(outcome));
        });
        Self {
            outcome: Pending(outcome),
            task: task.abort_handle(),
        }
    }

    pub(super) fn outcome(&self) -> Pending {
        self.outcome.clone()
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(*self.outcome.0.borrow(), Some(Ok(_)))
    }

    /// Whether nothing is to be had from it any more.
    pub(super) fn is_in_vain(&self) -> bool {
        // In this order: it has an outcome before it is finished.
        let is_finished = self.task.is_finished();
        match &*self.outcome.0.borrow() {
            Some(outcome) => outcome.is_err(),
            None => is_finished,
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pending {
    pub(super) async fn wait(mut self) -> Outcome {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(NoConnection::BrokenOff)),
            Err(_) => Err(NoConnection::BrokenOff),
        }
    }
}

impl Target {
    async fn connect(&self) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => {
                // The attempt's patience and the link's time-out are around it.
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(None)
                    .set_response_timeout(None);
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.map(Connection::Single)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl Connection {
    pub(super) async fn run(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        }
    }
}

impl From<NoConnection> for RedisStoreError {
    fn from(reason: NoConnection) -> Self {
        match reason {
            NoConnection::Refused(error) => Self::of(error, None),
            NoConnection::TimedOut { after } => Self::TimedOut { after },
            NoConnection::BrokenOff => Self::Redis {
                source: "connecting was broken off: the runtime it began in is gone".into(),
            },
        }
    }
}
