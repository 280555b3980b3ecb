use super::*;

#[tokio::test(start_paused = true)]
async fn ten_thousand_concurrent_first_requests_cause_one_lookup() {
    let server = Server::with_contoso();
    server.set(Mode::Gated);
    let store = CachedStore::new(server.clone());
    let requests: Vec<Request> = (0..10_000).map(|_| request(&store, "good")).collect();
    idle().await;
    assert_eq!(server.asked(), 1);
    server.let_through(1);
    for request in requests {
        assert_eq!(state_of(request.await.unwrap()), State::Active);
    }
    assert_eq!(server.asked(), 1);
    let stats = store.stats();
    assert_eq!((stats.misses, stats.waits, stats.hits), (1, 9_999, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_from_many_threads_never_look_up_a_key_twice_at_once() {
    let server = Server::with_contoso();
    // In real time, an answer must stay cached until the last request has arrived.
    let builder = CachedStore::builder(server.clone());
    let store = builder.found_for(HOUR).unknown_for(HOUR).build().unwrap();
    let keys = ["good", "wrong", "other"];
    let requests: Vec<Request> = (0..10_000)
        .map(|n| request(&store, keys[n % keys.len()]))
        .collect();
    for (n, request) in requests.into_iter().enumerate() {
        let answer = request.await.unwrap().unwrap();
        assert_eq!(answer.is_some(), n % keys.len() == 0);
    }
    assert_eq!((server.asked(), server.twice_at_once()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn cancelled_first_request_does_not_fail_the_others() {
    let server = Server::with_contoso();
    server.set(Mode::Gated);
    let store = CachedStore::new(server.clone());
    let first = request(&store, "good");
    idle().await;
    let others: Vec<Request> = (0..100).map(|_| request(&store, "good")).collect();
    idle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    server.let_through(1);
    for other in others {
        assert_eq!(state_of(other.await.unwrap()), State::Active);
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn answer_without_waiting_requests_is_cached() {
    let server = Server::with_contoso();
    server.set(Mode::Gated);
    let store = CachedStore::new(server.clone());
    let only = request(&store, "good");
    idle().await;
    only.abort();
    server.let_through(1);
    idle().await;
    assert!(found(&store.lookup_cached(&digest("good"))));
    assert_eq!(server.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn store_that_panics_causes_only_an_error() {
    let server = Server::with_contoso();
    server.set(Mode::Panic);
    let store = CachedStore::new(server.clone());
    let requests: Vec<Request> = (0..3).map(|_| request(&store, "good")).collect();
    for request in requests {
        let error = request.await.unwrap().unwrap_err();
        assert!(matches!(error, CachedStoreError::Lost), "{error:?}");
    }
    server.set(Mode::Answer);
    assert_eq!(state_of(store.find(&digest("good")).await), State::Active);
}

#[test]
fn runtime_shutdown_leaves_no_request_waiting() {
    let server = Server::with_contoso();
    server.set(Mode::Gated);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let store = runtime().block_on(async {
        let store = CachedStore::new(server.clone());
        let _under_way = request(&store, "good");
        idle().await;
        store
    });
    server.set(Mode::Answer);
    let again = runtime().block_on(store.find(&digest("good")));
    assert_eq!(state_of(again), State::Active);
}

#[test]
fn lookup_outside_of_a_runtime_is_an_error_and_a_cached_answer_is_returned() {
    let store = CachedStore::new(Server::with_contoso());
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

/// In real time, because the first runtime no longer runs.
#[test]
fn lookup_in_a_stalled_runtime_does_not_hold_up_requests_of_another() {
    let server = Server::with_contoso();
    server.set(Mode::Gated);
    let short = Duration::from_millis(50);
    let store = exact(&server).timeout(short).build().unwrap();
    let stalled = real_time();
    stalled.block_on(async {
        let _under_way = request(&store, "good");
        tokio::task::yield_now().await;
    });
    assert_eq!(server.asked(), 1);
    server.set(Mode::Answer);
    real_time().block_on(async {
        let joined = store.find(&digest("good")).await;
        assert!(matches!(joined, Err(CachedStoreError::TimedOut { .. })));
        let next = store.find(&digest("good")).await;
        assert_eq!(state_of(next), State::Active);
    });
    // The later answer of the stalled lookup is not used.
    server.put("good", suspended());
    server.let_through(1);
    stalled.block_on(idle());
    assert!(found(&store.lookup_cached(&digest("good"))));
}

#[test]
fn lookup_of_a_runtime_that_ends_is_begun_again_by_a_request_that_waits() {
    let server = Server::with_contoso();
    server.set(Mode::Gated);
    let store = CachedStore::new(server.clone());
    let first = real_time();
    first.block_on(async {
        let _under_way = request(&store, "good");
        tokio::task::yield_now().await;
    });
    server.set(Mode::Answer);
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
    let server = Server::with_contoso();
    let short = Duration::from_millis(50);
    let store = exact(&server)
        .found_for(short)
        .timeout(short)
        .build()
        .unwrap();
    let stalled = real_time();
    stalled.block_on(async {
        store.find(&digest("good")).await.unwrap();
        tokio::time::sleep(2 * short).await;
        server.set(Mode::Gated);
        let _under_way = request(&store, "good");
        tokio::task::yield_now().await;
    });
    assert_eq!(server.asked(), 2);
    let answer = real_time().block_on(store.find(&digest("good")));
    assert_eq!(state_of(answer), State::Active);
    assert_eq!(store.stats().stale_served, 1);
}
