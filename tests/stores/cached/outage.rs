use std::error::Error;

use super::*;

/// A cache that found `good`; the entry has just expired.
async fn with_old_key(server: &Server) -> CachedStore<Server> {
    let store = exact(server).build().unwrap();
    store.find(&digest("good")).await.unwrap();
    pass(61 * SECOND).await;
    store
}

#[tokio::test(start_paused = true)]
async fn found_key_during_an_outage_is_served_for_a_bounded_time() {
    let server = Server::with_contoso();
    let store = with_old_key(&server).await;
    let key = digest("good");
    server.set(Mode::Fail);
    for _ in 0..28 {
        assert_eq!(state_of(store.find(&key).await), State::Active);
        pass(10 * SECOND).await;
    }
    assert_eq!(store.stats().stale_served, 28);
    pass(20 * SECOND).await;
    assert!(!found(&store.lookup_cached(&key)));
    assert!(store.find(&key).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn cache_without_a_stale_time_serves_nothing_stale() {
    let server = Server::with_contoso();
    let store = exact(&server).stale_for(Duration::ZERO).build().unwrap();
    let key = digest("good");
    store.find(&key).await.unwrap();
    server.set(Mode::Fail);
    pass(59 * SECOND).await;
    assert!(store.find(&key).await.is_ok(), "still fresh");
    pass(2 * SECOND).await;
    let error = store.find(&key).await.unwrap_err();
    assert!(error.source().is_some_and(|source| source.is::<Down>()));
}

#[tokio::test(start_paused = true)]
async fn stale_key_after_recovery_is_looked_up_again() {
    let server = Server::with_contoso();
    let store = with_old_key(&server).await;
    let key = digest("good");
    server.set(Mode::Fail);
    assert_eq!(state_of(store.find(&key).await), State::Active);
    server.set(Mode::Answer);
    server.put("good", suspended());
    let asked = server.asked();
    assert!(found(&store.lookup_cached(&key)), "at once, for a second");
    assert_eq!(server.asked(), asked);
    pass(SECOND).await;
    assert_eq!(state_of(store.find(&key).await), State::Suspended);
}

#[tokio::test(start_paused = true)]
async fn expired_unknown_key_during_an_outage_is_an_error() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    let key = digest("wrong");
    assert!(store.find(&key).await.unwrap().is_none());
    server.set(Mode::Fail);
    pass(11 * SECOND).await;
    assert!(store.lookup_cached(&key).is_none());
    assert!(store.find(&key).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn error_is_never_cached_as_unknown() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    let key = digest("good");
    for mode in [Mode::Fail, Mode::Hang, Mode::Panic] {
        server.set(mode);
        assert!(store.find(&key).await.is_err());
        assert!(store.lookup_cached(&key).is_none());
    }
    assert_eq!(store.stats().entries_unknown, 0);
    server.set(Mode::Answer);
    assert_eq!(state_of(store.find(&key).await), State::Active);
}

#[tokio::test(start_paused = true)]
async fn hanging_store_times_out() {
    let server = Server::with_contoso();
    server.set(Mode::Hang);
    let store = exact(&server).build().unwrap();
    let began = tokio::time::Instant::now();
    let waiting: Vec<Request> = (0..10).map(|_| request(&store, "good")).collect();
    for waiting in waiting {
        let error = waiting.await.unwrap().unwrap_err();
        let after = 2 * SECOND;
        assert!(matches!(error, CachedStoreError::TimedOut { after: a } if a == after));
    }
    assert_eq!(began.elapsed().as_secs(), 2);
    let stats = store.stats();
    assert_eq!((stats.timeouts, stats.errors), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn open_breaker_causes_no_lookup_and_answers_at_once() {
    let server = Server::with_contoso();
    let store = with_old_key(&server).await;
    server.set(Mode::Hang);
    for n in 0..5 {
        let key = digest(&format!("wrong-{n}"));
        assert!(store.find(&key).await.is_err());
    }
    let asked = server.asked();
    assert!(store.stats().breaker_open);
    assert!(
        found(&store.lookup_cached(&digest("good"))),
        "stale, without waiting"
    );
    let error = store.find(&digest("new")).await.unwrap_err();
    assert!(matches!(error, CachedStoreError::BreakerOpen));
    assert_eq!(server.asked(), asked);
    let stats = store.stats();
    assert_eq!((stats.broken, stats.breaker_openings), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn probe_after_the_pause_closes_the_breaker_or_doubles_the_pause() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    server.set(Mode::Fail);
    for n in 0..5 {
        let _ = store.find(&digest(&format!("wrong-{n}"))).await;
    }
    assert_eq!(server.asked(), 5);
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        pass(SECOND * pause - SECOND / 2).await;
        let asked = server.asked();
        assert!(store.find(&digest("good")).await.is_err());
        assert_eq!(server.asked(), asked, "still open");
        pass(SECOND / 2).await;
        let requests: Vec<Request> = (0..10)
            .map(|n| request(&store, &format!("probe-{n}")))
            .collect();
        for request in requests {
            assert!(request.await.unwrap().is_err());
        }
        assert_eq!(server.asked(), asked + 1, "one probe");
    }
    server.set(Mode::Answer);
    pass(30 * SECOND).await;
    assert_eq!(state_of(store.find(&digest("good")).await), State::Active);
    assert!(!store.stats().breaker_open);
    assert!(store.find(&digest("wrong-0")).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn cache_without_a_breaker_sends_every_lookup() {
    let server = Server::with_contoso();
    server.set(Mode::Fail);
    let store = exact(&server).without_breaker().build().unwrap();
    for n in 0..50 {
        let error = store.find(&digest(&n.to_string())).await.unwrap_err();
        assert!(matches!(error, CachedStoreError::Store(_)));
    }
    assert_eq!((server.asked(), store.stats().errors), (50, 50));
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_is_repeated_only_after_a_second() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    let key = digest("good");
    store.find(&key).await.unwrap();
    pass(50 * SECOND).await;
    server.set(Mode::Fail);
    for _ in 0..10 {
        assert!(found(&store.lookup_cached(&key)));
        idle().await;
    }
    assert_eq!(server.asked(), 2);
    pass(SECOND).await;
    server.set(Mode::Answer);
    store.lookup_cached(&key);
    idle().await;
    assert_eq!(server.asked(), 3);
    pass(40 * SECOND).await;
    assert!(
        found(&store.lookup_cached(&key)),
        "the second one prolonged its life"
    );
}
