use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use tokio::time::timeout;

use super::connect::{Attempt, NoConnection, Target};
use super::error::RedisStoreError;

/// The connection for commands. It is made when it is first needed, and again after it
/// failed.
///
/// Connecting has its own timeout. A command that gives up earlier leaves the attempt
/// to later commands; there is one attempt at a time.
pub(super) struct Link {
    target: Target,
    times: Times,
    is_patient: bool,
    current: Mutex<Option<Arc<Attempt>>>,
}

/// The timeouts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) command: Duration,
    pub(super) connecting: Duration,
}

/// Why a command failed.
enum Failure {
    NoConnection(NoConnection),
    Command(RedisError),
}

impl Link {
    pub(super) fn new(target: Target, times: Times) -> Self {
        Self {
            target,
            times,
            is_patient: false,
            current: Mutex::default(),
        }
    }

    /// Has commands wait for a connection before their own timeout begins.
    pub(super) fn patient(self) -> Self {
        let is_patient = true;
        Self { is_patient, ..self }
    }

    pub(super) fn times(&self) -> Times {
        self.times
    }

    /// Waits for a connection, for as long as connecting may take.
    pub(super) async fn connected(&self) -> Result<(), RedisStoreError> {
        self.attempt().outcome().await?;
        Ok(())
    }

    /// Runs a command that may run twice: if its connection has ended, it runs again on
    /// a new one.
    pub(super) async fn repeatable(
        &self,
        command: &Cmd,
        digest: Option<&str>,
    ) -> Result<Value, RedisStoreError> {
        let repeated = async {
            match self.run(command).await {
                Err(Failure::Command(error)) if ended(&error) => self.run(command).await,
                other => other,
            }
        };
        self.bounded(repeated, digest).await
    }

    /// Runs a command once.
    pub(super) async fn once(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        self.bounded(self.run(command), None).await
    }

    async fn bounded(
        &self,
        running: impl Future<Output = Result<Value, Failure>>,
        digest: Option<&str>,
    ) -> Result<Value, RedisStoreError> {
        if self.is_patient {
            self.connected().await?;
        }
        let after = self.times.command;
        let used = self.current().clone();
        let used = used.filter(|attempt| attempt.is_connected());
        match timeout(after, running).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::NoConnection(reason))) => Err(reason.into()),
            Ok(Err(Failure::Command(error))) if error.is_timeout() => {
                Err(RedisStoreError::TimedOut { after })
            }
            Ok(Err(Failure::Command(error))) => Err(RedisStoreError::of(error, digest)),
            Err(_) => {
                // The connection may be dead. An attempt that has not ended yet is
                // left to later commands.
                if let Some(used) = used {
                    self.forget(&used);
                }
                Err(RedisStoreError::TimedOut { after })
            }
        }
    }

    async fn run(&self, command: &Cmd) -> Result<Value, Failure> {
        let attempt = self.attempt();
        let connected = attempt.outcome().await;
        let mut connection = connected.map_err(Failure::NoConnection)?;
        let result = connection.run(command).await;
        result.and_then(Value::extract_error).map_err(|error| {
            if ended(&error) || error.is_timeout() {
                self.forget(&attempt);
            }
            Failure::Command(error)
        })
    }

    /// The attempt that is under way or succeeded, or a new one.
    fn attempt(&self) -> Arc<Attempt> {
        let mut current = self.current();
        if let Some(attempt) = current.as_ref().filter(|attempt| !attempt.is_over()) {
            return Arc::clone(attempt);
        }
        let attempt = Attempt::begin(&self.target, self.times.connecting);
        Arc::clone(current.insert(Arc::new(attempt)))
    }

    /// Makes later commands use a new connection.
    pub(super) fn replace_connection(&self) {
        *self.current() = None;
    }

    /// Same as [`replace_connection`](Self::replace_connection), unless the failed
    /// connection is already replaced.
    fn forget(&self, failed: &Arc<Attempt>) {
        let mut current = self.current();
        current.take_if(|attempt| Arc::ptr_eq(attempt, failed));
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Attempt>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error()
}
