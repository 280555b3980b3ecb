use std::future::Future;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::error::RedisStoreError;

/// What is connected to.
#[derive(Clone)]
pub(super) enum Target {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// The connection that commands go through. It is made when it is first needed,
/// and anew after it failed.
pub(super) struct Link {
    target: Target,
    timeout: Duration,
    current: Mutex<Numbered>,
}

/// A number tells the connection that failed from the one that came after it.
#[derive(Default)]
struct Numbered {
    number: u64,
    connection: Option<Connection>,
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    pub(super) fn new(target: Target, timeout: Duration) -> Self {
        Self {
            target,
            timeout,
            current: Mutex::default(),
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Runs a command that may run twice: on a connection that turns out to have
    /// ended, it is tried once more on a new one.
    pub(super) async fn repeatable(
        &self,
        command: &Cmd,
        digest: Option<&str>,
    ) -> Result<Value, RedisStoreError> {
        let repeated = async {
            match self.attempt(command).await {
                Err((error, Age::Used)) if ended(&error) => self.attempt(command).await,
                other => other,
            }
        };
        self.bounded(repeated, digest).await
    }

    /// Runs a command once.
    pub(super) async fn once(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        self.bounded(self.attempt(command), None).await
    }

    async fn bounded(
        &self,
        attempt: impl Future<Output = Result<Value, (RedisError, Age)>>,
        digest: Option<&str>,
    ) -> Result<Value, RedisStoreError> {
        match timeout(self.timeout, attempt).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err((error, _))) if error.is_timeout() => Err(self.timed_out()),
            Ok(Err((error, _))) => Err(RedisStoreError::of(error, digest)),
            Err(_) => {
                // It may be half of a connection. Whoever is making a new one
                // holds the lock, and needs no telling.
                if let Ok(mut current) = self.current.try_lock() {
                    current.connection = None;
                }
                Err(self.timed_out())
            }
        }
    }

    fn timed_out(&self) -> RedisStoreError {
        let after = self.timeout;
        RedisStoreError::TimedOut { after }
    }

    async fn attempt(&self, command: &Cmd) -> Result<Value, (RedisError, Age)> {
        let (number, age, mut connection) = self.connection().await?;
        let result = connection.run(command).await;
        let result = result.and_then(Value::extract_error);
        match result {
            Ok(value) => Ok(value),
            Err(error) => {
                if ended(&error) || error.is_timeout() {
                    self.forget(number).await;
                }
                Err((error, age))
            }
        }
    }

    async fn connection(&self) -> Result<(u64, Age, Connection), (RedisError, Age)> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((current.number, Age::Used, connection.clone()));
        }
        let connection = self.target.connect().await.map_err(|e| (e, Age::New))?;
        current.number += 1;
        current.connection = Some(connection.clone());
        Ok((current.number, Age::New, connection))
    }

    async fn forget(&self, number: u64) {
        let mut current = self.current.lock().await;
        if current.number == number {
            current.connection = None;
        }
    }
}

/// Whether a connection was made for the command that failed on it.
#[derive(Debug, Clone, Copy)]
enum Age {
    New,
    Used,
}

fn ended(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error()
}

impl Target {
    async fn connect(&self) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => {
                // The link's own time-out is around all of it.
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
    async fn run(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        }
    }
}
