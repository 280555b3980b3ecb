use super::*;

/// What invalidates the key `good`, each in its own way.
const WAYS: [fn(&CachedStore<Server>); 3] = [
    |store| store.invalidate_key(&digest("good")),
    |store| store.invalidate_subscription("contoso"),
    |store| store.invalidate_all(),
];

#[tokio::test(start_paused = true)]
async fn invalidated_key_is_looked_up_again() {
    for invalidate in WAYS {
        let server = Server::with_contoso();
        let store = exact(&server).build().unwrap();
        store.find(&digest("good")).await.unwrap();
        server.put("good", suspended());
        invalidate(&store);
        assert!(store.lookup_cached(&digest("good")).is_none());
        let answer = store.find(&digest("good")).await;
        assert_eq!(state_of(answer), State::Suspended);
    }
}

#[tokio::test(start_paused = true)]
async fn lookup_begun_before_an_invalidation_is_not_kept_or_shared() {
    for invalidate in WAYS {
        let server = Server::with_contoso();
        let store = exact(&server).build().unwrap();
        server.set(Mode::Gated);
        let before = request(&store, "good");
        idle().await;
        server.put("good", suspended());
        invalidate(&store);
        let after = request(&store, "good");
        idle().await;
        assert_eq!(server.asked(), 2, "the later request asks for itself");
        server.let_through(1);
        idle().await;
        assert!(store.lookup_cached(&digest("good")).is_none());
        assert_eq!(state_of(before.await.unwrap()), State::Active);
        server.let_through(1);
        assert_eq!(state_of(after.await.unwrap()), State::Suspended);
        assert_eq!(
            state_of(store.find(&digest("good")).await),
            State::Suspended
        );
    }
}

#[tokio::test(start_paused = true)]
async fn lookup_begun_before_confirm_all_is_served_only_stale() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    server.set(Mode::Gated);
    let before = request(&store, "good");
    idle().await;
    store.confirm_all();
    server.let_through(1);
    assert_eq!(state_of(before.await.unwrap()), State::Active);
    assert!(store.lookup_cached(&digest("good")).is_none());
    server.set(Mode::Fail);
    let stale = store.find(&digest("good")).await;
    assert_eq!(state_of(stale), State::Active);
    assert_eq!((server.asked(), store.stats().stale_served), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn absence_found_before_confirm_all_removes_the_owner_and_is_confirmed() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    store.find(&digest("good")).await.unwrap();
    pass(61 * SECOND).await;
    server.set(Mode::Gated);
    server.remove("good");
    let before = request(&store, "good");
    idle().await;
    store.confirm_all();
    server.let_through(1);
    assert!(before.await.unwrap().unwrap().is_none());
    assert!(store.lookup_cached(&digest("good")).is_none());
    server.set(Mode::Fail);
    assert!(store.find(&digest("good")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn earlier_lookup_that_ends_last_changes_nothing() {
    for invalidate in WAYS {
        let server = Server::with_contoso();
        let store = exact(&server).build().unwrap();
        server.set(Mode::Gated);
        let before = request(&store, "good");
        idle().await;
        server.put("good", suspended());
        invalidate(&store);
        server.set(Mode::Answer);
        let after = request(&store, "good").await.unwrap();
        assert_eq!(state_of(after), State::Suspended);
        server.let_through(1);
        before.await.unwrap().unwrap();
        let kept = store.find(&digest("good")).await;
        assert_eq!(state_of(kept), State::Suspended);
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_begun_before_an_invalidation_is_not_kept() {
    for invalidate in WAYS {
        let server = Server::with_contoso();
        let store = exact(&server).build().unwrap();
        store.find(&digest("good")).await.unwrap();
        pass(50 * SECOND).await;
        server.set(Mode::Gated);
        store.lookup_cached(&digest("good"));
        idle().await;
        server.remove("good");
        invalidate(&store);
        server.let_through(1);
        idle().await;
        assert!(store.lookup_cached(&digest("good")).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn invalidated_key_during_an_outage_is_an_error() {
    for invalidate in WAYS {
        let server = Server::with_contoso();
        let store = exact(&server).build().unwrap();
        store.find(&digest("good")).await.unwrap();
        server.set(Mode::Fail);
        invalidate(&store);
        let error = store.find(&digest("good")).await.unwrap_err();
        assert!(matches!(error, CachedStoreError::Store(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn failed_earlier_lookup_restores_no_invalidated_answer() {
    for invalidate in WAYS {
        let server = Server::with_contoso();
        let store = exact(&server).build().unwrap();
        store.find(&digest("good")).await.unwrap();
        pass(61 * SECOND).await;
        server.set(Mode::Hang);
        let before = request(&store, "good");
        idle().await;
        invalidate(&store);
        assert!(before.await.unwrap().is_err(), "it times out");
        assert_eq!(store.stats().entries_found, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn invalidated_subscription_loses_all_its_keys_and_no_others() {
    let server = Server::with_contoso();
    server.put("second", contoso());
    server.put("fabrikam", Subscription::new("fabrikam"));
    let store = exact(&server).build().unwrap();
    for key in ["good", "second", "fabrikam", "wrong"] {
        store.find(&digest(key)).await.unwrap();
    }
    store.invalidate_subscription("contoso");
    for key in ["good", "second"] {
        assert!(store.lookup_cached(&digest(key)).is_none(), "{key}");
    }
    assert!(found(&store.lookup_cached(&digest("fabrikam"))));
}

#[tokio::test(start_paused = true)]
async fn cached_unknown_key_that_is_issued_is_found_after_an_invalidation() {
    let server = Server::with_contoso();
    let store = exact(&server).build().unwrap();
    assert!(store.find(&digest("rotated")).await.unwrap().is_none());
    server.put("rotated", contoso());
    store.invalidate_subscription("contoso");
    assert!(store.find(&digest("rotated")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn request_after_an_invalidation_under_load_sees_no_older_answer() {
    let server = Server::new();
    // In real time, no entry expires: only an invalidation causes another lookup.
    let store = exact(&server).found_for(HOUR).build().unwrap();
    let version = |n: usize| contoso().with_display_name(n.to_string());
    server.put("good", version(0));
    let done = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, done) = (store.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                loop {
                    let least = done.load(Ordering::SeqCst);
                    let owner = store.find(&digest("good")).await.unwrap().unwrap();
                    let seen: usize = owner.subscription().display_name().parse().unwrap();
                    assert!(seen >= least, "{seen} after {least}");
                    if least == 300 {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for n in 1..=300 {
        server.put("good", version(n));
        WAYS[n % WAYS.len()](&store);
        done.store(n, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
}
