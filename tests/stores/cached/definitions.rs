//! Answers belong to definitions.

use super::*;
use tower_subscription_key::catalog::{Api, Catalog};
use tower_subscription_key::store::{Answer, Holdings};

/// A store that returns answers with the definitions in use.
#[derive(Clone)]
struct Pairing {
    server: Server,
    definitions: Arc<Mutex<Arc<Catalog>>>,
}

impl Pairing {
    fn exchange(&self, id: &str) {
        *self.definitions.lock().unwrap() = definitions(id);
    }

    fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.definitions.lock().unwrap())
    }
}

impl SubscriptionStore for Pairing {
    type Error = Down;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        self.server.find(key).await
    }

    async fn lookup(&self, key: &KeyDigest) -> Result<Answer, Down> {
        let definitions = self.current();
        Ok(Answer::new(self.find(key).await?).with_definitions(definitions))
    }

    fn holdings(&self) -> Result<Holdings, Down> {
        Ok(Holdings::Definitions(self.current()))
    }
}

fn definitions(id: &str) -> Arc<Catalog> {
    Arc::new(Catalog::builder().api(Api::new(id, "/")).build().unwrap())
}

fn pairing() -> (Server, Pairing, CachedStore<Pairing>) {
    let server = Server::with_contoso();
    let store = Pairing {
        server: server.clone(),
        definitions: Arc::new(Mutex::new(definitions("one"))),
    };
    let cache = CachedStore::builder(store.clone()).jitter(0.0).build();
    (server, store, cache.unwrap())
}

fn has_api(answer: &Answer, id: &str) -> bool {
    answer
        .definitions()
        .is_some_and(|definitions| definitions.api(id).is_some())
}

#[tokio::test(start_paused = true)]
async fn entry_of_other_definitions_is_confirmed_before_it_is_served() {
    let (server, store, cache) = pairing();
    for key in ["good", "wrong"] {
        assert!(has_api(&cache.lookup(&digest(key)).await.unwrap(), "one"));
        assert!(has_api(&cache.lookup_cached(&digest(key)).unwrap(), "one"));
    }
    store.exchange("two");
    let asked = server.asked();
    for key in ["good", "wrong"] {
        assert!(cache.lookup_cached(&digest(key)).is_none(), "{key}");
        assert!(has_api(&cache.lookup(&digest(key)).await.unwrap(), "two"));
        assert!(has_api(&cache.lookup_cached(&digest(key)).unwrap(), "two"));
    }
    assert_eq!(server.asked(), asked + 2);
}

#[tokio::test(start_paused = true)]
async fn stale_owner_is_served_with_its_own_definitions() {
    let (server, store, cache) = pairing();
    cache.lookup(&digest("good")).await.unwrap();
    cache.lookup(&digest("wrong")).await.unwrap();
    store.exchange("two");
    server.set(Mode::Fail);
    let stale = cache.lookup(&digest("good")).await.unwrap();
    assert!(stale.owner().is_some() && has_api(&stale, "one"));
    assert!(
        cache.lookup(&digest("wrong")).await.is_err(),
        "absence has no stale answer"
    );
}

#[tokio::test(start_paused = true)]
async fn many_exchanges_keep_a_bounded_number_of_definitions() {
    let (server, store, cache) = pairing();
    let mut handles = Vec::new();
    for number in 0..500 {
        let key = format!("key {number}");
        server.put(&key, contoso());
        store.exchange(&number.to_string());
        handles.push(Arc::downgrade(&store.current()));
        cache.lookup(&digest(&key)).await.unwrap();
    }
    let alive = handles.iter().filter(|handle| handle.strong_count() > 0);
    let alive = alive.count();
    assert!(alive <= 65, "{alive}");
}

#[tokio::test(start_paused = true)]
async fn entry_after_possibly_missed_changes_is_stale_until_it_is_confirmed() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    store.find(&digest("good")).await.unwrap();
    store.find(&digest("wrong")).await.unwrap();
    store.confirm_all();
    server.set(Mode::Fail);
    assert!(store.lookup_cached(&digest("good")).is_none());
    assert_eq!(state_of(store.find(&digest("good")).await), State::Active);
    assert!(store.find(&digest("wrong")).await.is_err());
    assert_eq!(store.stats().stale_served, 1);
    // After a failure there is no other lookup for a second. The next call ends this.
    server.set(Mode::Answer);
    server.put("good", suspended());
    store.confirm_all();
    assert_eq!(
        state_of(store.find(&digest("good")).await),
        State::Suspended
    );
    assert!(found(&store.lookup_cached(&digest("good"))));
}

#[tokio::test(start_paused = true)]
async fn resumed_lookups_do_not_wait_for_the_end_of_the_pause() {
    let server = Server::with_contoso();
    let store = exact(&server).breaker(2, HOUR, HOUR).build().unwrap();
    server.set(Mode::Fail);
    for key in ["a", "b"] {
        assert!(store.find(&digest(key)).await.is_err());
    }
    server.set(Mode::Answer);
    let error = store.find(&digest("good")).await.unwrap_err();
    assert!(matches!(error, CachedStoreError::BreakerOpen));
    store.resume();
    assert_eq!(state_of(store.find(&digest("good")).await), State::Active);
}

/// A lookup that fails must not put back what an invalidation removes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalidated_entry_is_never_put_back_by_a_lookup_that_fails() {
    let server = Server::with_contoso();
    let store = exact(&server)
        .found_for(Duration::from_nanos(1))
        .stale_for(HOUR)
        .without_breaker()
        .without_unknown_rate()
        .build()
        .unwrap();
    for round in 0..600 {
        server.set(Mode::Answer);
        store.find(&digest("good")).await.unwrap();
        server.set(Mode::Fail);
        let failing = request(&store, "good");
        match round % 3 {
            0 => store.invalidate_all(),
            1 => store.invalidate_subscription("contoso"),
            _ => store.invalidate_key(&digest("good")),
        }
        let _ = failing.await.unwrap();
        assert!(store.find(&digest("good")).await.is_err(), "{round}");
    }
}
