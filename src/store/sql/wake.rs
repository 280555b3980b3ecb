//! What wakes a follower before its next poll.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::manage::sql::Database;

/// Waits for changes that are pushed.
pub(super) struct Wake {
    database: Database,
    commits: watch::Receiver<u64>,
    #[cfg(feature = "postgres")]
    listener: Option<sqlx::postgres::PgListener>,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// A change was announced.
    Pushed,
    /// It is time to look.
    Polled,
}

impl Wake {
    pub(super) fn new(database: Database) -> Self {
        Self {
            commits: database.watch_commits(),
            database,
            #[cfg(feature = "postgres")]
            listener: None,
        }
    }

    /// Forgets the connection that changes are pushed on.
    pub(super) fn reconnect(&mut self) {
        #[cfg(feature = "postgres")]
        {
            self.listener = None;
        }
    }

    /// Waits for a change, or for the given time.
    pub(super) async fn wait(&mut self, pause: Duration) -> Woken {
        tokio::select! {
            woken = pushed(
                &mut self.commits,
                #[cfg(feature = "postgres")]
                &mut self.listener,
            ) => {
                if woken == Woken::Polled {
                    // The connection broke: look now, listen again after that.
                    self.reconnect();
                }
                woken
            }
            () = sleep(pause) => Woken::Polled,
        }
    }

    /// Listens for changes, if the database pushes them. Without success the
    /// follower polls.
    pub(super) async fn listen(&mut self) {
        #[cfg(feature = "postgres")]
        if self.listener.is_none()
            && let Some(pool) = self.database.postgres_pool()
        {
            self.listener = connect(pool).await.ok();
        }
        let _ = &self.database;
    }
}

#[cfg(feature = "postgres")]
async fn connect(pool: &sqlx::PgPool) -> Result<sqlx::postgres::PgListener, sqlx::Error> {
    let mut listener = sqlx::postgres::PgListener::connect_with(pool).await?;
    listener.listen("sk_changes").await?;
    Ok(listener)
}

async fn pushed(
    commits: &mut watch::Receiver<u64>,
    #[cfg(feature = "postgres")] listener: &mut Option<sqlx::postgres::PgListener>,
) -> Woken {
    #[cfg(feature = "postgres")]
    if let Some(listener) = listener {
        return tokio::select! {
            received = listener.try_recv() => match received {
                Ok(Some(_)) => Woken::Pushed,
                _ => Woken::Polled,
            },
            _ = commits.changed() => Woken::Pushed,
        };
    }
    match commits.changed().await {
        Ok(()) => Woken::Pushed,
        // This handle keeps the sender: it never ends.
        Err(_) => std::future::pending().await,
    }
}
