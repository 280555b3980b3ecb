use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use tokio::time::timeout;

use super::connect::{Attempt, Connection, NoConnection, Pending, Target};
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
    current: Mutex<Current>,
}

/// The timeouts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) command: Duration,
    pub(super) connecting: Duration,
}

/// The number distinguishes a connection that failed from its successor.
#[derive(Default)]
struct Current {
    number: u64,
    attempt: Option<Attempt>,
}

/// Why a command failed.
enum Failure {
    NoConnection(NoConnection),
    Command(RedisError, Age),
}

/// Whether a connection was made before the command that failed on it.
#[derive(Debug, Clone, Copy)]
enum Age {
    New,
    Used,
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
        let (_, _, pending) = self.join();
        pending.wait().await?;
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
                Err(Failure::Command(error, Age::Used)) if ended(&error) => self.run(command).await,
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
        let tried = self.ready();
        match timeout(after, running).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::NoConnection(reason))) => Err(reason.into()),
            Ok(Err(Failure::Command(error, _))) if error.is_timeout() => {
                Err(RedisStoreError::TimedOut { after })
            }
            Ok(Err(Failure::Command(error, _))) => Err(RedisStoreError::of(error, digest)),
            Err(_) => {
                // The connection may be dead. An attempt that has not ended yet is
                // left to later commands.
                if let Some(number) = tried {
                    self.forget(number);
                }
                Err(RedisStoreError::TimedOut { after })
            }
        }
    }

    async fn run(&self, command: &Cmd) -> Result<Value, Failure> {
        let (number, age, mut connection) = self.connection().await?;
        let result = connection.run(command).await;
        result.and_then(Value::extract_error).map_err(|error| {
            if ended(&error) || error.is_timeout() {
                self.forget(number);
            }
            Failure::Command(error, age)
        })
    }

    async fn connection(&self) -> Result<(u64, Age, Connection), Failure> {
        let (number, age, pending) = self.join();
        let connection = pending.wait().await.map_err(Failure::NoConnection)?;
        Ok((number, age, connection))
    }

    /// The attempt that is under way or succeeded, or a new one.
    fn join(&self) -> (u64, Age, Pending) {
        let mut current = self.current();
        let Current { number, attempt } = &mut *current;
        let age = match attempt.as_ref().is_some_and(Attempt::is_connected) {
            true => Age::Used,
            false => Age::New,
        };
        let attempt = match attempt.take().filter(|attempt| !attempt.is_over()) {
            Some(attempt) => attempt,
            None => {
                *number += 1;
                Attempt::begin(&self.target, self.times.connecting)
            }
        };
        let pending = attempt.outcome();
        let number = *number;
        current.attempt = Some(attempt);
        (number, age, pending)
    }

    /// The number of the connection, if there is one.
    fn ready(&self) -> Option<u64> {
        let current = self.current();
        let attempt = current.attempt.as_ref();
        attempt
            .is_some_and(Attempt::is_connected)
            .then_some(current.number)
    }

    /// Has later commands use a new connection.
    pub(super) fn replace_connection(&self) {
        self.current().attempt = None;
    }

    fn forget(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.attempt = None;
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error()
}
