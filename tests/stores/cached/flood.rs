use super::*;

/// Wrong keys, never the same twice.
async fn flood(store: &CachedStore<Server>, from: usize, keys: usize) -> usize {
    let mut rejected = 0;
    for n in from..from + keys {
        match store.find(&digest(&format!("random-{n}"))).await {
            Ok(None) => {}
            Err(CachedStoreError::TooManyUnknown) => rejected += 1,
            other => panic!("{other:?}"),
        }
    }
    rejected
}

#[tokio::test(start_paused = true)]
async fn wrong_keys_evict_no_good_key() {
    let server = Server::new();
    let good: Vec<String> = (0..50).map(|n| format!("good-{n}")).collect();
    for key in &good {
        server.put(key, Subscription::new(key.clone()));
    }
    let store = exact(&server)
        .capacity(100)
        .unknown_capacity(100)
        .without_unknown_rate()
        .build()
        .unwrap();
    for key in &good {
        store.find(&digest(key)).await.unwrap();
    }
    flood(&store, 0, 20_000).await;
    assert!(
        good.iter()
            .all(|key| found(&store.lookup_cached(&digest(key))))
    );
    assert_eq!(server.asked(), 20_050);
    let stats = store.stats();
    assert_eq!(stats.entries_found, 50);
    assert!((1..=110).contains(&stats.entries_unknown), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn good_keys_are_bounded_too() {
    let server = Server::new();
    let store = exact(&server).capacity(100).build().unwrap();
    for n in 0..2_000 {
        let key = format!("good-{n}");
        server.put(&key, Subscription::new(key.clone()));
        store.find(&digest(&key)).await.unwrap();
    }
    assert!((50..=110).contains(&store.stats().entries_found));
}

#[tokio::test(start_paused = true)]
async fn wrong_keys_reach_the_remote_at_most_at_the_rate() {
    let server = Server::with_contoso();
    let store = exact(&server)
        .unknown_rate(100, 200)
        .unknown_capacity(10)
        .build()
        .unwrap();
    store.find(&digest("good")).await.unwrap();
    let asked_before = server.asked();
    let began = tokio::time::Instant::now();
    assert_eq!(flood(&store, 0, 5_000).await, 4_800);
    assert_eq!(server.asked() - asked_before, 200);
    for second in 1..=20 {
        pass(SECOND).await;
        flood(&store, second * 5_000, 1_000).await;
        assert!(
            found(&store.lookup_cached(&digest("good"))),
            "served meanwhile"
        );
    }
    let asked = server.asked() - asked_before;
    assert_eq!(asked as u128, 200 + began.elapsed().as_millis() / 10);
    assert_eq!(store.stats().rejected as usize, 25_000 - asked);
}

#[tokio::test(start_paused = true)]
async fn new_good_keys_do_not_count_against_the_rate() {
    let server = Server::new();
    let store = exact(&server).unknown_rate(1, 5).build().unwrap();
    for n in 0..1_000 {
        let key = format!("good-{n}");
        server.put(&key, Subscription::new(key.clone()));
        assert!(store.find(&digest(&key)).await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn expired_good_key_is_looked_up_beyond_the_rate() {
    let server = Server::with_contoso();
    let store = exact(&server).unknown_rate(1, 5).build().unwrap();
    store.find(&digest("good")).await.unwrap();
    pass(61 * SECOND).await;
    flood(&store, 0, 100).await;
    server.put("good", suspended());
    assert_eq!(
        state_of(store.find(&digest("good")).await),
        State::Suspended
    );
}
