//! Opening a database, and what its errors mean to the caller of a command.

use std::error::Error;
use std::iter;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tower_subscription_key::manage::{Manage, ManageError};

use crate::failure::{Failure, Result};
use crate::output;
use crate::target::Missing;

/// How long a database may take to answer.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Opens a database. Only an import makes a new one.
pub(crate) async fn open(target: &str, missing: Missing) -> Result<Manage> {
    if missing != Missing::Make && is_missing_file(target) {
        return Err(Failure::unreachable(format_args!(
            "there is no database {target}: `subscription-key import` makes one"
        )));
    }
    answer(Manage::open(target)).await
}

/// Waits for the answer of a database.
pub(crate) async fn answer<T>(work: impl Future<Output = Result<T, ManageError>>) -> Result<T> {
    match timeout(TIMEOUT, work).await {
        Ok(answer) => Ok(answer?),
        Err(_) => {
            let seconds = TIMEOUT.as_secs();
            Err(Failure::unreachable(format_args!(
                "the database has not answered within {seconds} s"
            )))
        }
    }
}

pub(crate) fn is_missing_file(target: &str) -> bool {
    let is_server = target.starts_with("postgres://") || target.starts_with("postgresql://");
    let path = target
        .strip_prefix("sqlite://")
        .or_else(|| target.strip_prefix("sqlite:"));
    let path = path.unwrap_or(target);
    let path = path.split('?').next().unwrap_or_default();
    !is_server && !Path::new(path).exists()
}

/// Without the flags of wrong fields, which `Session::accepted` adds.
impl From<ManageError> for Failure {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::Unavailable(_) => Self::unreachable(with_cause(&error)),
            ManageError::LimitReached { product, limit, .. } => Self::refused(format_args!(
                "product {product:?} allows {limit} subscriptions for one owner, and they are \
                 taken: cancel one, or raise it with `subscription-key products set --subscriptions-limit`"
            )),
            // REST can set any state, but the tool has only these commands.
            ManageError::Transition {
                id,
                operation,
                from,
                to,
                allowed,
            } => {
                let allowed: Vec<&str> = allowed.iter().map(|state| state.as_str()).collect();
                Self::refused(format_args!(
                    "subscription {id:?} is {from} and does not become {to}: `{operation}` takes {}",
                    allowed.join(", ")
                ))
            }
            error @ ManageError::InUse { .. } => {
                Self::refused(format_args!("{error} (`--with-subscriptions`)"))
            }
            error @ ManageError::Conflict { .. } => {
                Self::refused(format_args!("{error} (`--replace`)"))
            }
            error => Self::refused(error),
        }
    }
}

/// An error with its deepest cause, unless the cause may contain a URL with a password.
fn with_cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let causes = iter::successors(error.source(), |&cause| cause.source());
    if let Some(cause) = causes.last().map(ToString::to_string)
        && !text.contains(&cause)
        && !cause.contains("://")
    {
        text.push_str(": ");
        text.push_str(&output::single_line(&cause));
    }
    text
}
