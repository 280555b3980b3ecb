use super::*;

#[tokio::test(start_paused = true)]
async fn found_key_within_its_lifetime_is_looked_up_once() {
    let server = Server::with_contoso();
    let store = exact(&server).refresh_ahead(0.0).build().unwrap();
    let key = digest("good");
    assert!(store.lookup_cached(&key).is_none());
    store.find(&key).await.unwrap();
    pass(59 * SECOND).await;
    assert!(found(&store.lookup_cached(&key)));
    assert!(store.find(&key).await.unwrap().is_some());
    assert_eq!(server.asked(), 1);
    pass(2 * SECOND).await;
    assert!(store.lookup_cached(&key).is_none());
    store.find(&key).await.unwrap();
    assert_eq!(server.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_key_has_a_separate_lifetime() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    let key = digest("later");
    assert!(store.find(&key).await.unwrap().is_none());
    server.put("later", contoso());
    pass(9 * SECOND).await;
    assert!(is_absent(&store.lookup_cached(&key)));
    assert!(store.find(&key).await.unwrap().is_none());
    assert_eq!(server.asked(), 1);
    pass(2 * SECOND).await;
    assert!(store.lookup_cached(&key).is_none());
    assert!(store.find(&key).await.unwrap().is_some());
    assert!(found(&store.lookup_cached(&key)));
}

#[tokio::test(start_paused = true)]
async fn unknown_key_with_a_zero_lifetime_is_not_cached() {
    let server = Server::new();
    let store = exact(&server).unknown_for(Duration::ZERO).build().unwrap();
    for _ in 0..3 {
        assert!(store.find(&digest("wrong")).await.unwrap().is_none());
    }
    assert_eq!((server.asked(), store.stats().entries_unknown), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn used_key_is_refreshed_before_its_lifetime_ends() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    let key = digest("good");
    store.find(&key).await.unwrap();
    server.put("good", suspended());
    pass(47 * SECOND).await;
    store.lookup_cached(&key);
    idle().await;
    assert_eq!(server.asked(), 1, "too early");
    pass(2 * SECOND).await;
    server.set(Mode::Gated);
    for _ in 0..100 {
        assert!(
            found(&store.lookup_cached(&key)),
            "no request waits for a refresh"
        );
    }
    assert_eq!(state_of(store.find(&key).await), State::Active);
    idle().await;
    assert_eq!(server.asked(), 2, "one for all");
    server.let_through(1);
    idle().await;
    assert_eq!(state_of(store.find(&key).await), State::Suspended);
    pass(40 * SECOND).await;
    assert!(found(&store.lookup_cached(&key)));
    let stats = store.stats();
    assert_eq!((stats.refreshes, stats.misses), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn unused_key_is_not_refreshed() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    store.find(&digest("good")).await.unwrap();
    pass(300 * SECOND).await;
    assert_eq!(server.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn refresh_of_a_removed_key_removes_the_entry() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    let key = digest("good");
    store.find(&key).await.unwrap();
    server.remove("good");
    pass(50 * SECOND).await;
    assert!(found(&store.lookup_cached(&key)));
    idle().await;
    assert!(is_absent(&store.lookup_cached(&key)));
    let stats = store.stats();
    assert_eq!((stats.entries_found, stats.entries_unknown), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn keys_cached_at_the_same_time_expire_at_different_times() {
    let server = Server::new();
    let keys: Vec<String> = (0..200).map(|n| format!("key-{n}")).collect();
    for (n, key) in keys.iter().enumerate() {
        server.put(key, Subscription::new(format!("s{n}")));
    }
    let store = CachedStore::builder(server.clone())
        .refresh_ahead(0.0)
        .build()
        .unwrap();
    for key in &keys {
        store.find(&digest(key)).await.unwrap();
    }
    let fresh = || {
        keys.iter()
            .filter(|key| found(&store.lookup_cached(&digest(key))))
            .count()
    };
    pass(53 * SECOND).await;
    assert_eq!(fresh(), 200, "none ends more than a tenth early");
    pass(7 * SECOND).await;
    assert!((20..180).contains(&fresh()), "{}", fresh());
    pass(7 * SECOND).await;
    assert_eq!(fresh(), 0, "none lasts more than a tenth longer");
}
