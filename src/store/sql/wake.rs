//! What wakes a follower before its next poll.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::manage::sql::Database;

#[cfg(feature = "postgres")]
type Listener = sqlx::postgres::PgListener;
#[cfg(not(feature = "postgres"))]
type Listener = std::convert::Infallible;

/// Waits for changes that are pushed.
pub(super) struct Wake {
    database: Database,
    commits: watch::Receiver<u64>,
    listener: Option<Listener>,
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
            listener: None,
        }
    }

    /// Forgets the connection that changes are pushed on.
    pub(super) fn reconnect(&mut self) {
        self.listener = None;
    }

    /// Waits for a change, or for the given time.
    pub(super) async fn wait(&mut self, pause: Duration) -> Woken {
        tokio::select! {
            // Cannot fail: this handle keeps the sender.
            Ok(()) = self.commits.changed() => Woken::Pushed,
            is_alive = announced(&mut self.listener) => match is_alive {
                true => Woken::Pushed,
                false => {
                    // Poll now, then listen again.
                    self.reconnect();
                    Woken::Polled
                }
            },
            () = sleep(pause) => Woken::Polled,
        }
    }

    /// Listens for changes, if the database pushes them. Without success the
    /// follower polls.
    pub(super) async fn listen(&mut self) {
        #[cfg(feature = "postgres")]
        if self.listener.is_none()
            && let Some(pool) = self.database.postgres_pool()
            && let Ok(mut listener) = Listener::connect_with(pool).await
            && listener.listen("sk_changes").await.is_ok()
        {
            self.listener = Some(listener);
        }
        let _ = &self.database;
    }
}

/// Waits for an announcement. Returns `false` if the connection has ended.
async fn announced(listener: &mut Option<Listener>) -> bool {
    match listener {
        #[cfg(feature = "postgres")]
        Some(listener) => matches!(listener.try_recv().await, Ok(Some(_))),
        _ => std::future::pending().await,
    }
}
