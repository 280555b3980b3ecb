use std::sync::Mutex;
use std::time::Duration;

use tower_subscription_key::Catalog;
use tower_subscription_key::store::conformance::{self, Ability, Harness, Trouble};
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStore};
use tower_subscription_key::store::{CachedStore, SubscriptionStore};

use crate::server::Server;
use crate::support::{PATIENCE, builder, cached, options};

/// A server, and a function that makes a store for it.
struct Redis<F> {
    server: Mutex<Server>,
    published: Mutex<Option<Catalog>>,
    wrap: F,
}

impl<F> Redis<F> {
    fn new(wrap: F) -> Self {
        Self {
            server: Mutex::new(Server::start()),
            published: Mutex::default(),
            wrap,
        }
    }

    fn options(&self) -> RedisOptions {
        options(&self.server.lock().unwrap())
    }

    async fn publish(&self, catalog: Catalog) -> Result<(), Trouble> {
        *self.published.lock().unwrap() = Some(catalog.clone());
        let publisher = RedisPublisher::new(self.options())?;
        publisher.publish(&catalog).await?;
        Ok(())
    }
}

impl<S: SubscriptionStore, F: Fn(RedisStore) -> S> Harness for Redis<F> {
    type Store = S;

    async fn store(&self, catalog: Catalog) -> Result<S, Trouble> {
        self.publish(catalog).await?;
        let store = builder(self.options()).open().await?;
        Ok((self.wrap)(store))
    }

    async fn change(&self, _: &S, catalog: Catalog) -> Result<Ability, Trouble> {
        self.publish(catalog).await?;
        Ok(Ability::Done)
    }

    async fn cut(&self, _: &S) -> Result<Ability, Trouble> {
        self.server.lock().unwrap().kill();
        Ok(Ability::Done)
    }

    async fn mend(&self, _: &S) -> Result<(), Trouble> {
        self.server.lock().unwrap().restart();
        let catalog = self.published.lock().unwrap().clone();
        self.publish(catalog.ok_or("nothing was published")?).await
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

#[tokio::test]
async fn redis_store_keeps_every_promise() {
    let report = conformance::check(Redis::new(|store| store)).await.unwrap();
    assert!(report.skipped.is_empty(), "{report:?}");
}

#[tokio::test]
async fn cached_redis_store_keeps_every_promise() {
    let wrap = |store| -> CachedStore<RedisStore> { cached(store) };
    let report = conformance::check(Redis::new(wrap)).await.unwrap();
    assert!(report.skipped.is_empty(), "{report:?}");
}
