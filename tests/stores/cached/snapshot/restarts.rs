//! How the next process uses the file.

use super::*;

#[tokio::test(start_paused = true)]
async fn restart_during_an_outage_serves_known_keys_until_the_limit() {
    let place = place();
    let remote = saved(&place).await.restart_during_outage();
    let began = std::time::Instant::now();
    place.age(100 * SECOND);
    let store = place.open(&remote);
    assert!(store.snapshot_age().unwrap() >= 100 * SECOND);
    // The clock of files is not paused: on a busy machine the file is older.
    let older = began.elapsed().as_secs();
    for second in 0..250 {
        let good = status(&store, "good").await;
        if second + older < 195 {
            assert_eq!(good, 200, "{second}");
        } else if second >= 205 {
            assert_eq!(good, 503, "{second}");
        } else {
            assert!(good == 200 || good == 503);
        }
        assert_eq!(status(&store, "unasked").await, 503, "{second}");
        pass(SECOND).await;
    }
    assert!(store.stats().stale_served > 100);
    assert!(store.holdings().is_err());
}

#[tokio::test(start_paused = true)]
async fn retired_key_in_the_cache_is_served_after_a_restart_until_its_grace_period_ends() {
    let place = place();
    let remote = remote();
    let store = place.open(&remote);
    let now = SystemTime::now();
    for (name, end) in [("lasting", now + 3600 * SECOND), ("ended", now - SECOND)] {
        let (new, old) = (format!("new {name}"), format!("old {name}"));
        let retired = SubscriptionKey::new(old.as_str()).with_expiry(end);
        let rotated = Subscription::new(name)
            .with_scope(Scope::AllApis)
            .with_primary_key(new.as_str())
            .with_retired_key(KeySlot::Primary, retired);
        remote.server.put(&new, rotated.clone());
        remote.server.put(&old, rotated);
    }
    let answers = [
        ("new lasting", 200),
        ("old lasting", 200),
        ("new ended", 200),
        ("old ended", 401),
    ];
    for (key, expected) in answers {
        assert_eq!(status(&store, key).await, expected, "{key}");
    }
    next_save(&store).await;
    let store = place.open(&remote.restart_during_outage());
    for (key, expected) in answers {
        assert_eq!(status(&store, key).await, expected, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_do_not_prolong_what_is_stale() {
    let place = place();
    let mut remote = saved(&place).await;
    for _ in 0..3 {
        remote = remote.restart_during_outage();
        // The APIs are known and something changes, so that the file is written again.
        remote.is_reached.store(true, Ordering::SeqCst);
        let store = place.open(&remote);
        assert_eq!(status(&store, "good").await, 200);
        pass(90 * SECOND).await;
        remote.server.set(Mode::Answer);
        remote.server.put(
            "other",
            Subscription::new("other").with_scope(Scope::AllApis),
        );
        assert_eq!(status(&store, "other").await, 200);
        next_save(&store).await;
    }
    let store = place.open(&remote.restart_during_outage());
    assert_eq!(status(&store, "other").await, 200);
    assert_eq!(status(&store, "good").await, 503);
}

#[tokio::test(start_paused = true)]
async fn stale_snapshot_key_after_recovery_is_looked_up_again() {
    let place = place();
    let mut remote = saved(&place).await.restart_during_outage();
    remote.apis = apis("renamed");
    let store = place.open(&remote);
    let api = |store: &CachedStore<Remote>| match store.holdings().unwrap() {
        Holdings::Definitions(catalog) => catalog.apis().next().unwrap().id().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(status(&store, "good").await, 200);
    assert_eq!(api(&store), "echo");
    remote.server.put("good", suspended());
    remote.recover();
    assert_eq!(api(&store), "renamed");
    pass(SECOND).await;
    assert_eq!(status(&store, "good").await, 401, "suspended meanwhile");
    assert_eq!(status(&store, "unasked").await, 401);
    remote.is_reached.store(false, Ordering::SeqCst);
    assert!(
        store.holdings().is_err(),
        "the file is older than the invalidation"
    );
}

#[tokio::test(start_paused = true)]
async fn snapshot_key_is_looked_up_before_it_is_served() {
    let place = place();
    let remote = saved(&place).await;
    remote.server.put("good", suspended());
    let store = place.open(&remote);
    assert_eq!(status(&store, "good").await, 401);
    assert_eq!(store.stats().stale_served, 0);
}

#[tokio::test(start_paused = true)]
async fn unusable_snapshot_file_is_ignored_and_replaced() {
    let spoil: [fn(&Place); 4] = [
        |place| fs::write(&place.path, "half a file").unwrap(),
        |place| place.age(301 * SECOND),
        |place| {
            let other = SnapshotFile::new(&place.path).with_source("elsewhere");
            other.save(&place.saved()).unwrap();
        },
        |place| fs::remove_file(&place.path).unwrap(),
    ];
    for spoil in spoil {
        let place = place();
        let remote = saved(&place).await.restart_during_outage();
        spoil(&place);
        let store = place.open(&remote);
        assert_eq!(store.snapshot_age(), None);
        assert_eq!(store.stats().entries_found, 0);
        assert_eq!(status(&store, "good").await, 503);
        remote.recover();
        assert_eq!(status(&store, "good").await, 200);
        next_save(&store).await;
        assert_eq!(place.saved().subscription_count(), 1);
    }
}
