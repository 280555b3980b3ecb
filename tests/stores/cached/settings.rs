use super::*;
use tower_subscription_key::store::CacheConfigError;

#[test]
fn settings_that_cannot_work_are_refused_with_what_to_do() {
    let refused = |set: fn(CachedStoreBuilder<Server>) -> CachedStoreBuilder<Server>| {
        set(CachedStore::builder(Server::new()))
            .build()
            .unwrap_err()
            .to_string()
    };
    for (sentence, said) in [
        (
            refused(|b| b.capacity(0)),
            "`capacity` is 0: give the cache room",
        ),
        (
            refused(|b| b.unknown_capacity(0)),
            "`unknown_capacity` is 0",
        ),
        (
            refused(|b| b.found_for(Duration::ZERO)),
            "`found_for` is zero",
        ),
        (refused(|b| b.timeout(Duration::ZERO)), "`timeout` is zero"),
        (refused(|b| b.jitter(0.6)), "between 0.0 and 0.5"),
        (refused(|b| b.jitter(f64::NAN)), "`jitter` is NaN"),
        (
            refused(|b| b.refresh_ahead(-0.1)),
            "`refresh_ahead` is -0.1",
        ),
        (refused(|b| b.breaker(0, SECOND, SECOND)), "without_breaker"),
        (refused(|b| b.breaker(1, 2 * SECOND, SECOND)), "exchange"),
        (
            refused(|b| b.breaker(1, Duration::ZERO, SECOND)),
            "`breaker` is zero",
        ),
        (refused(|b| b.unknown_rate(0, 1)), "without_unknown_rate"),
        (refused(|b| b.unknown_rate(1, 0)), "without_unknown_rate"),
    ] {
        assert!(sentence.contains(said), "{sentence}");
    }
}

#[test]
fn settings_at_defaults_and_extremes_work() {
    let build = |builder: CachedStoreBuilder<Server>| builder.build().map(drop);
    let builder = || CachedStore::builder(Server::new());
    assert_eq!(build(builder()), Ok(()));
    let endless = builder()
        .capacity(1)
        .unknown_capacity(usize::MAX >> 8)
        .found_for(Duration::MAX)
        .unknown_for(Duration::MAX)
        .stale_for(Duration::MAX)
        .timeout(Duration::MAX)
        .breaker(u32::MAX, Duration::MAX, Duration::MAX)
        .unknown_rate(u32::MAX, u32::MAX);
    assert_eq!(build(endless), Ok(()));
    let no_room = builder().capacity(0).build().map(drop);
    let setting = "capacity";
    assert_eq!(no_room, Err(CacheConfigError::NoRoom { setting }));
}

#[tokio::test(start_paused = true)]
async fn endless_lifetimes_do_not_overflow() {
    let server = Server::with_contoso();
    let store = CachedStore::builder(server.clone())
        .capacity(1)
        .found_for(Duration::MAX)
        .unknown_for(Duration::MAX)
        .stale_for(Duration::MAX)
        .timeout(Duration::MAX)
        .build()
        .unwrap();
    for _ in 0..2 {
        assert!(store.find(&digest("good")).await.unwrap().is_some());
        assert!(store.find(&digest("wrong")).await.unwrap().is_none());
    }
    assert_eq!(server.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn debug_and_errors_show_no_key() {
    let server = Server::with_contoso();
    let store = CachedStore::new(server.clone());
    store.find(&digest("good")).await.unwrap();
    server.set(Mode::Fail);
    let error = store.find(&digest("other")).await.unwrap_err();
    for key in ["good", "other"] {
        let hex = digest(key).to_hex();
        for text in [
            format!("{store:?}"),
            format!("{error:?}"),
            error.to_string(),
        ] {
            assert!(!text.contains(key) && !text.contains(&hex), "{text}");
        }
    }
}
