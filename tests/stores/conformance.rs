//! The HTTP stores keep every promise of a store, including outages of the remote
//! server.

use std::time::Duration;

use tower_subscription_key::catalog::Catalog;
use tower_subscription_key::document;
use tower_subscription_key::store::conformance::{self, Ability, Harness, Promise, Trouble};
use tower_subscription_key::store::http::HttpClient;
use tower_subscription_key::{HttpLookupStore, HttpStore};

use crate::remote::{Manner, PATIENCE, RemoteServer};

fn whole(catalog: &Catalog) -> Manner {
    let body = document::to_json(catalog);
    Manner::Untagged { body }
}

fn key_by_key(catalog: &Catalog) -> Manner {
    let mut owners = std::collections::HashMap::new();
    for subscription in catalog.subscriptions() {
        for (slot, key) in subscription.keys() {
            let owner = document::owner_to_json(Some((&subscription, slot)));
            owners.insert(key.digest().to_hex(), owner);
        }
    }
    Manner::Keys(owners)
}

struct Whole(RemoteServer);

impl Harness for Whole {
    type Store = HttpStore;

    async fn store(&self, catalog: Catalog) -> Result<HttpStore, Trouble> {
        self.0.behave(whole(&catalog));
        let store = HttpStore::builder(&self.0.uri("/catalog"))
            .poll_interval(Duration::from_millis(20))
            .backoff(Duration::from_millis(5), Duration::from_millis(20))
            .timeout(PATIENCE)
            .open()
            .await?;
        Ok(store)
    }

    async fn change(&self, _: &HttpStore, catalog: Catalog) -> Result<Ability, Trouble> {
        self.0.behave(whole(&catalog));
        Ok(Ability::Done)
    }

    async fn cut(&self, _: &HttpStore) -> Result<Ability, Trouble> {
        self.0.stop().await;
        Ok(Ability::Done)
    }

    async fn mend(&self, _: &HttpStore) -> Result<(), Trouble> {
        self.0.restart();
        Ok(())
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

struct KeyByKey(RemoteServer);

impl Harness for KeyByKey {
    type Store = HttpLookupStore<HttpClient>;

    async fn store(&self, catalog: Catalog) -> Result<Self::Store, Trouble> {
        self.0.behave(key_by_key(&catalog));
        let builder = HttpLookupStore::builder(&self.0.uri("/keys"));
        Ok(builder.timeout(PATIENCE).build()?)
    }

    async fn change(&self, _: &Self::Store, catalog: Catalog) -> Result<Ability, Trouble> {
        self.0.behave(key_by_key(&catalog));
        Ok(Ability::Done)
    }

    async fn cut(&self, _: &Self::Store) -> Result<Ability, Trouble> {
        self.0.stop().await;
        Ok(Ability::Done)
    }

    async fn mend(&self, _: &Self::Store) -> Result<(), Trouble> {
        self.0.restart();
        Ok(())
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

async fn remote() -> RemoteServer {
    RemoteServer::start(Manner::Hang).await
}

#[tokio::test]
async fn http_store_keeps_every_promise() {
    let report = conformance::check(Whole(remote().await)).await.unwrap();
    assert!(report.kept.contains(&Promise::Outage));
    assert!(report.skipped.is_empty(), "{report:?}");
}

#[tokio::test]
async fn http_lookup_store_keeps_every_promise() {
    let report = conformance::check(KeyByKey(remote().await)).await.unwrap();
    assert!(report.kept.contains(&Promise::Outage));
    assert!(report.skipped.is_empty(), "{report:?}");
}
