use super::*;

#[tokio::test(start_paused = true)]
async fn ten_thousand_concurrent_first_requests_cause_one_lookup() {
    let far = Far::with_contoso();
    far.set(Mode::Gated);
    let store = CachedStore::new(far.clone());
    let requests: Vec<Request> = (0..10_000).map(|_| request(&store, "good")).collect();
    idle().await;
    assert_eq!(far.asked(), 1);
    far.let_through(1);
    for request in requests {
        assert_eq!(state_of(request.await.unwrap()), State::Active);
    }
    assert_eq!(far.asked(), 1);
    let stats = store.stats();
    assert_eq!((stats.misses, stats.waits, stats.hits), (1, 9_999, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn also_from_many_threads_no_key_is_looked_up_twice_at_once() {
    let far = Far::with_contoso();
    // In real time: what is known must be so until the last request has come.
    let builder = CachedStore::builder(far.clone());
    let store = builder.found_for(HOUR).unknown_for(HOUR).build().unwrap();
    let keys = ["good", "wrong", "other"];
    let requests: Vec<Request> = (0..10_000)
        .map(|n| request(&store, keys[n % keys.len()]))
        .collect();
    for (n, request) in requests.into_iter().enumerate() {
        let answer = request.await.unwrap().unwrap();
        assert_eq!(answer.is_some(), n % keys.len() == 0);
    }
    assert_eq!((far.asked(), far.twice_at_once()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn cancelled_first_request_does_not_fail_the_others() {
    let far = Far::with_contoso();
    far.set(Mode::Gated);
    let store = CachedStore::new(far.clone());
    let first = request(&store, "good");
    idle().await;
    let others: Vec<Request> = (0..100).map(|_| request(&store, "good")).collect();
    idle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    far.let_through(1);
    for other in others {
        assert_eq!(state_of(other.await.unwrap()), State::Active);
    }
    assert_eq!(far.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn answer_without_waiting_requests_is_cached() {
    let far = Far::with_contoso();
    far.set(Mode::Gated);
    let store = CachedStore::new(far.clone());
    let only = request(&store, "good");
    idle().await;
    only.abort();
    far.let_through(1);
    idle().await;
    assert!(found(&store.lookup_cached(&digest("good"))));
    assert_eq!(far.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn store_that_panics_causes_only_an_error() {
    let far = Far::with_contoso();
    far.set(Mode::Panic);
    let store = CachedStore::new(far.clone());
    let requests: Vec<Request> = (0..3).map(|_| request(&store, "good")).collect();
    for request in requests {
        let error = request.await.unwrap().unwrap_err();
        assert!(matches!(error, CachedStoreError::Lost), "{error:?}");
    }
    far.set(Mode::Answer);
    assert_eq!(state_of(store.find(&digest("good")).await), State::Active);
}

#[test]
fn runtime_shutdown_leaves_no_request_waiting() {
    let far = Far::with_contoso();
    far.set(Mode::Gated);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let store = runtime().block_on(async {
        let store = CachedStore::new(far.clone());
        let _under_way = request(&store, "good");
        idle().await;
        store
    });
    far.set(Mode::Answer);
    let again = runtime().block_on(store.find(&digest("good")));
    assert_eq!(state_of(again), State::Active);
}

#[test]
fn outside_of_a_runtime_a_lookup_is_an_error_and_a_peek_works() {
    let store = CachedStore::new(Far::with_contoso());
    assert!(store.lookup_cached(&digest("good")).is_none());
    let key = digest("good");
    let mut lookup = std::pin::pin!(store.find(&key));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(answer) = lookup.as_mut().poll(&mut context) else {
        panic!("it waits");
    };
    assert!(matches!(answer, Err(CachedStoreError::NoRuntime)));
}

fn real_time() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

/// In real time: the first runtime is not driven any more.
#[test]
fn lookup_in_a_stalled_runtime_does_not_hold_up_requests_of_another() {
    let far = Far::with_contoso();
    far.set(Mode::Gated);
    let short = Duration::from_millis(50);
    let store = exact(&far).timeout(short).build().unwrap();
    let stalled = real_time();
    stalled.block_on(async {
        let _under_way = request(&store, "good");
        tokio::task::yield_now().await;
    });
    assert_eq!(far.asked(), 1);
    far.set(Mode::Answer);
    real_time().block_on(async {
        let joined = store.find(&digest("good")).await;
        assert!(matches!(joined, Err(CachedStoreError::TimedOut { .. })));
        let next = store.find(&digest("good")).await;
        assert_eq!(state_of(next), State::Active);
    });
    // What the stalled lookup finds later is not taken.
    far.put("good", suspended());
    far.let_through(1);
    stalled.block_on(idle());
    assert!(found(&store.lookup_cached(&digest("good"))));
}

#[test]
fn lookup_of_a_runtime_that_ends_is_begun_again_by_a_request_that_waits() {
    let far = Far::with_contoso();
    far.set(Mode::Gated);
    let store = CachedStore::new(far.clone());
    let first = real_time();
    first.block_on(async {
        let _under_way = request(&store, "good");
        tokio::task::yield_now().await;
    });
    far.set(Mode::Answer);
    let answer = real_time().block_on(async {
        let waiting = request(&store, "good");
        tokio::task::yield_now().await;
        std::thread::spawn(move || drop(first)).join().unwrap();
        waiting.await.unwrap()
    });
    assert_eq!(state_of(answer), State::Active);
}

#[test]
fn request_that_waits_for_a_stalled_lookup_is_served_the_stale_owner() {
    let far = Far::with_contoso();
    let short = Duration::from_millis(50);
    let store = exact(&far).found_for(short).timeout(short).build().unwrap();
    let stalled = real_time();
    stalled.block_on(async {
        store.find(&digest("good")).await.unwrap();
        tokio::time::sleep(2 * short).await;
        far.set(Mode::Gated);
        let _under_way = request(&store, "good");
        tokio::task::yield_now().await;
    });
    assert_eq!(far.asked(), 2);
    let answer = real_time().block_on(store.find(&digest("good")));
    assert_eq!(state_of(answer), State::Active);
    assert_eq!(store.stats().stale_served, 1);
}
