//! What is written to the file, when, and what is removed from it.

use super::*;

#[tokio::test(start_paused = true)]
async fn snapshot_file_contains_digests_and_no_key() {
    let place = place();
    let remote = remote();
    let secret = "264a41411c0b43e782f483eb6f3eaeab";
    let fabrikam = Subscription::new("fabrikam")
        .with_scope(Scope::AllApis)
        .with_primary_key(secret)
        .with_secondary_key("never asked for");
    remote.server.put(secret, fabrikam);
    let store = place.open(&remote);
    assert_eq!(store.snapshot_age(), None);
    assert_eq!(status(&store, secret).await, 200);
    assert_eq!(status(&store, "a wrong one").await, 401);
    next_save(&store).await;
    assert!(store.snapshot_age().unwrap() < 60 * SECOND);
    let content = place.content();
    assert!(content.contains(&digest(secret).to_hex()));
    for absent in [
        secret.to_owned(),
        digest("never asked for").to_hex(),
        digest("a wrong one").to_hex(),
    ] {
        assert!(!content.contains(&absent), "{absent}");
    }
    assert!(place.saved().api("echo").is_some());
}

#[tokio::test(start_paused = true)]
async fn invalidated_key_is_not_served_and_removed_from_the_file() {
    for invalidate in [
        |store: &CachedStore<Remote>| store.invalidate_key(&digest("good")),
        |store: &CachedStore<Remote>| store.invalidate_subscription("contoso"),
        |store: &CachedStore<Remote>| store.invalidate_all(),
    ] {
        let place = place();
        let remote = saved(&place).await.restart_during_outage();
        let store = place.open(&remote);
        let saved_at = store.snapshot_saved_at();
        assert_eq!(status(&store, "good").await, 200);
        invalidate(&store);
        assert_eq!(status(&store, "good").await, 503);
        // Not because of its age: no entry is younger, as no lookup was made.
        for _ in 0..20 {
            tokio::time::sleep(INTERVAL / 10).await;
        }
        assert_eq!(store.snapshot_saved_at(), saved_at);
        assert_eq!(place.saved().subscription_count(), 0);
        let again = place.open(&remote);
        assert_eq!(status(&again, "good").await, 503);
    }
}

#[tokio::test(start_paused = true)]
async fn invalidation_is_saved_before_the_interval_ends() {
    for invalidate in [
        |store: &CachedStore<Remote>| store.invalidate_key(&digest("good")),
        |store: &CachedStore<Remote>| store.invalidate_subscription("contoso"),
        |store: &CachedStore<Remote>| store.invalidate_all(),
    ] {
        let place = place();
        let remote = saved(&place).await.restart_during_outage();
        let store = place.open_lazy(&remote);
        soon().await;
        assert_eq!(place.saved().subscription_count(), 1);
        invalidate(&store);
        soon().await;
        assert_eq!(place.saved().subscription_count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn many_invalidations_are_saved_at_once() {
    let place = place();
    let remote = remote();
    let store = place.open_lazy(&remote);
    let keys: Vec<_> = (0..100).map(|number| format!("key {number}")).collect();
    for key in &keys {
        let subscription = Subscription::new(key.replace(' ', "-")).with_scope(Scope::AllApis);
        remote.server.put(key, subscription);
        assert_eq!(status(&store, key).await, 200);
    }
    soon().await;
    let before = remote.held.load(Ordering::SeqCst);
    for key in &keys {
        store.invalidate_key(&digest(key));
    }
    soon().await;
    // The second save has nothing left to write.
    let savings = remote.held.load(Ordering::SeqCst) - before;
    assert!((1..=2).contains(&savings), "{savings}");
    assert_eq!(place.saved().subscription_count(), 0);
    // Invalidating an unknown key saves nothing.
    store.invalidate_key(&digest("unheard of"));
    soon().await;
    assert_eq!(remote.held.load(Ordering::SeqCst), before + savings);
}

#[tokio::test(start_paused = true)]
async fn snapshot_key_beyond_the_capacity_can_be_invalidated() {
    let place = place();
    let remote = remote();
    let store = place.open_lazy(&remote);
    let keys: Vec<_> = (0..100).map(|number| format!("key {number}")).collect();
    for key in &keys {
        let subscription = Subscription::new(key.replace(' ', "-")).with_scope(Scope::AllApis);
        remote.server.put(key, subscription);
        assert_eq!(status(&store, key).await, 200);
    }
    drop(store);
    assert_eq!(place.saved().subscription_count(), 100);
    let remote = remote.restart_during_outage();
    let small = place.builder(&remote).capacity(10);
    let small = small.snapshot_interval(3600 * SECOND).build().unwrap();
    let mut left_out = Vec::new();
    for key in &keys {
        if status(&small, key).await == 503 {
            left_out.push(key);
        }
    }
    small.invalidate_key(&digest(left_out[0]));
    soon().await;
    assert!(!place.content().contains(&digest(left_out[0]).to_hex()));
}

#[tokio::test(start_paused = true)]
async fn last_handle_dropped_saves_unsaved_changes() {
    let place = place();
    let remote = remote();
    let store = place.open_lazy(&remote);
    assert_eq!(status(&store, "good").await, 200);
    let another = store.clone();
    drop(store);
    assert_eq!(place.content(), "");
    drop(another);
    assert_eq!(place.saved().subscription_count(), 1);
    let store = place.open_lazy(&remote.restart_during_outage());
    assert_eq!(status(&store, "good").await, 200);
    store.invalidate_subscription("contoso");
    drop(store);
    assert_eq!(place.saved().subscription_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn saved_subscription_is_the_latest_without_lost_keys() {
    let place = place();
    let remote = remote();
    let pair = |primary, secondary| {
        Subscription::new("pair")
            .with_scope(Scope::AllApis)
            .with_primary_key(primary)
            .with_secondary_key(secondary)
    };
    let store = place.open(&remote);
    remote.server.put("first", pair("first", "second"));
    assert_eq!(status(&store, "first").await, 200);
    pass(SECOND).await;
    let second = KeyOwner::new(
        pair("newer", "second").with_state(State::Suspended),
        KeySlot::Secondary,
    );
    let known = &remote.server.0.known;
    known.lock().unwrap().insert(digest("second"), second);
    assert_eq!(status(&store, "second").await, 401);
    next_save(&store).await;
    let kept = place.saved().subscription("pair").unwrap();
    assert_eq!(kept.state(), State::Suspended);
    let keys: Vec<_> = kept
        .keys()
        .map(|(slot, key)| (slot, *key.digest()))
        .collect();
    assert_eq!(keys, [(KeySlot::Secondary, digest("second"))]);
}

#[tokio::test(start_paused = true)]
async fn store_without_definitions_saves_nothing() {
    let place = place();
    let store = place.open(&Server::with_contoso());
    store.find(&digest("good")).await.unwrap();
    for _ in 0..30 {
        tokio::time::sleep(INTERVAL / 10).await;
    }
    assert_eq!(store.snapshot_saved_at(), None);
    assert_eq!(place.content(), "");
}

#[tokio::test(start_paused = true)]
async fn unchanged_entries_are_not_saved_again() {
    let place = place();
    let remote = remote();
    let store = place.open(&remote);
    next_save(&store).await;
    let saved_at = store.snapshot_saved_at();
    for _ in 0..30 {
        tokio::time::sleep(INTERVAL / 10).await;
        assert_eq!(status(&store, "wrong").await, 401);
    }
    assert_eq!(store.snapshot_saved_at(), saved_at);
}

#[tokio::test]
async fn snapshot_that_could_be_used_for_another_store_is_refused() {
    let built = CachedStore::builder(remote())
        .keep_snapshot("nowhere")
        .build();
    assert_eq!(built.map(drop), Err(CacheConfigError::NoSource));
}

#[test]
fn snapshot_without_a_runtime_or_interval_is_an_error() {
    let builder = || CachedStore::builder(remote()).keep_snapshot("nowhere");
    let built = builder().build().map(drop);
    assert_eq!(built, Err(CacheConfigError::NoRuntime));
    let built = builder().snapshot_interval(Duration::ZERO).build();
    let setting = "snapshot_interval";
    assert_eq!(built.map(drop), Err(CacheConfigError::NoTime { setting }));
}
