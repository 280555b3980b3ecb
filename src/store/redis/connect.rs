use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, Value};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

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

/// Why there is no connection. All that waited for it get this.
#[derive(Debug, Clone)]
pub(super) enum NoConnection {
    Refused(RedisError),
    TimedOut {
        after: Duration,
    },
    /// The runtime that connected is gone.
    Lost,
}

type Outcome = Result<Connection, NoConnection>;

/// The runtime of an attempt reports its timeout. If it has not by this time after it,
/// that runtime has stopped.
const SLACK: Duration = Duration::from_secs(1);

/// An attempt to connect, and the connection that it made. It goes on if no command
/// waits for it, and ends when this is dropped.
pub(super) struct Attempt {
    outcome: Shared<BoxFuture<'static, Outcome>>,
    deadline: Instant,
    task: AbortHandle,
}

impl Attempt {
    pub(super) fn begin(target: &Target, after: Duration) -> Self {
        let target = target.clone();
        let connecting = tokio::spawn(async move {
            match timeout(after, target.connect()).await {
                Ok(connected) => connected.map_err(NoConnection::Refused),
                Err(_) => Err(NoConnection::TimedOut { after }),
            }
        });
        Self {
            task: connecting.abort_handle(),
            outcome: connecting
                .map(|ended| ended.unwrap_or(Err(NoConnection::Lost)))
                .boxed()
                .shared(),
            deadline: Instant::now() + after + SLACK,
        }
    }

    pub(super) async fn outcome(&self) -> Outcome {
        self.outcome.clone().await
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.outcome().now_or_never(), Some(Ok(_)))
    }

    /// Whether it failed, or will never end.
    pub(super) fn is_over(&self) -> bool {
        match self.outcome().now_or_never() {
            Some(outcome) => outcome.is_err(),
            None => Instant::now() > self.deadline,
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Target {
    async fn connect(&self) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => {
                // The timeouts of the attempt and of the link apply.
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
            NoConnection::Lost => Self::Redis {
                source: "the runtime that connected to Redis was shut down".into(),
            },
        }
    }
}
