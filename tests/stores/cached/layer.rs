use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;
use tower_subscription_key::SubscriptionKeyLayer;
use tower_subscription_key::catalog::Api;

/// The status that a request with that key gets.
async fn status(store: &CachedStore<Server>, key: &str) -> StatusCode {
    let keys = SubscriptionKeyLayer::new(store.clone())
        .single_api(Api::new("echo", "/echo"))
        .unwrap()
        .validate()
        .unwrap();
    let service = ServiceBuilder::new()
        .layer(keys)
        .service(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
    let request = Request::get("http://localhost/echo")
        .header("Ocp-Apim-Subscription-Key", key)
        .body(())
        .unwrap();
    service.oneshot(request).await.unwrap().status()
}

#[tokio::test(start_paused = true)]
async fn good_key_during_an_outage_is_never_unknown() {
    for mode in [Mode::Fail, Mode::Hang, Mode::Panic] {
        let server = Server::with_contoso();
        server.put("unasked", contoso());
        let store = CachedStore::new(server.clone());
        assert_eq!(status(&store, "good").await, 200);
        assert_eq!(status(&store, "wrong").await, 401);
        server.set(mode);
        for second in 0..600 {
            let good = status(&store, "good").await;
            assert!(good == 200 || second > 240 && good == 503, "{second}");
            assert_eq!(status(&store, "unasked").await, 503, "{second}");
            pass(SECOND).await;
        }
        assert_eq!(status(&store, "good").await, 503, "the bound is over");
        assert_eq!(status(&store, "wrong").await, 503, "who knows by now");
        server.set(Mode::Answer);
        pass(35 * SECOND).await;
        assert_eq!(status(&store, "good").await, 200);
        assert_eq!(status(&store, "unasked").await, 200);
        assert_eq!(status(&store, "wrong").await, 401);
    }
}

#[tokio::test(start_paused = true)]
async fn flood_of_wrong_keys_causes_at_most_503_for_good_keys() {
    let server = Server::with_contoso();
    server.put("unasked", contoso());
    let store = exact(&server).unknown_rate(10, 10).build().unwrap();
    assert_eq!(status(&store, "good").await, 200);
    for n in 0..100 {
        let expected = if n < 10 { 401 } else { 503 };
        assert_eq!(status(&store, &format!("random-{n}")).await, expected);
    }
    assert_eq!(status(&store, "good").await, 200);
    assert_eq!(status(&store, "unasked").await, 503);
}

#[tokio::test(start_paused = true)]
async fn stale_subscription_is_decided_on_its_dates() {
    let server = Server::new();
    let over = std::time::SystemTime::now() - SECOND;
    server.put("ended", contoso().with_expiry(over));
    server.put("stopped", suspended());
    let store = exact(&server).build().unwrap();
    for pass_first in [0, 61] {
        pass(pass_first * SECOND).await;
        for key in ["ended", "stopped"] {
            assert_eq!(status(&store, key).await, 401, "{key}");
        }
        server.set(Mode::Fail);
    }
    assert_eq!(store.stats().stale_served, 2);
}
