//! A fleet that reads from Redis and is managed in SQL.

use std::convert::Infallible;
use std::time::Duration;

use crate::manage::RepositoryError;
use crate::manage::sql::SqlError;
use crate::store::backoff::{Backoff, shortened};
use crate::store::redis::{RedisPublishError, RedisPublisher};
use crate::store::replica::describe;
use crate::store::sql::SqlStore;
use crate::store::sql::feed::{self, Found, Mark};
use crate::store::sql::load::{Extent, load};
use crate::store::sql::wake::Wake;

/// The time between two looks at the database while nothing is pushed.
const POLL: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum BridgeError {
    #[error(transparent)]
    Database(#[from] RepositoryError),
    #[error(transparent)]
    Redis(#[from] RedisPublishError),
}

impl From<SqlError> for BridgeError {
    fn from(error: SqlError) -> Self {
        Self::Database(error.into())
    }
}

impl SqlStore {
    /// Publishes the database's catalog to Redis, and then every change, for as
    /// long as the returned future is polled. One process should do this.
    ///
    /// Several changes are published as one. While the database or Redis is away,
    /// it is tried again with growing pauses, and the cause is logged once.
    pub async fn publish_to(&self, publisher: &RedisPublisher) -> Infallible {
        let database = self.0.repository.database();
        let mut wake = Wake::new(database.clone());
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let (mut mark, mut failure) = (None, None);
        loop {
            wake.listen().await;
            let pause = match self.publish_changes(publisher, mark).await {
                Ok(published) => {
                    if failure.take().is_some() {
                        tracing::info!(database = database.name(), "published to Redis again");
                    }
                    mark = Some(published);
                    backoff.reset();
                    shortened(POLL, 0.2)
                }
                Err(error) => {
                    let text = describe(&error);
                    if failure.as_ref() != Some(&text) {
                        let database = database.name();
                        tracing::error!(database, "Redis does not follow the database: {text}");
                    }
                    failure = Some(text);
                    wake.reconnect();
                    backoff.pause()
                }
            };
            wake.wait(pause).await;
        }
    }

    /// Publishes what changed after the mark, or everything. Returns the new mark.
    async fn publish_changes(
        &self,
        publisher: &RedisPublisher,
        after: Option<Mark>,
    ) -> Result<Mark, BridgeError> {
        let mut transaction = self.0.repository.database().snapshot().await?;
        if let Some(after) = after {
            match feed::changes(&mut transaction, after, Extent::Everything).await? {
                Found::Nothing => return Ok(after),
                Found::Changes { mark, changes, .. } => {
                    publisher.apply(changes).await?;
                    return Ok(mark);
                }
                Found::TooMuch | Found::WentBack(_) => {}
            }
        }
        let mark = feed::mark(&mut transaction).await?;
        let catalog = load(&mut transaction, Extent::Everything).await?;
        publisher.publish(&catalog).await?;
        Ok(mark)
    }
}
