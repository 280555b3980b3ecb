//! A time limit for stores that hang.

use std::time::Duration;

use http::StatusCode;
use tower_subscription_key::catalog::{Api, KeyOwner};
use tower_subscription_key::{DenialReason, KeyDigest, SubscriptionKeyLayer, SubscriptionStore};

use crate::support::{Down, KEY, keyed, send};
use crate::traces::Capture;

/// A store that never answers.
struct Hangs;

impl SubscriptionStore for Hangs {
    type Error = Down;

    async fn find(&self, _: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn store_that_hangs_beyond_the_limit_is_unavailable() {
    let capture = Capture::default();
    let _guard = capture.begin();
    let layer = SubscriptionKeyLayer::new(Hangs)
        .single_api(Api::new("orders", ""))
        .unwrap()
        .lookup_timeout(Duration::from_secs(2))
        .denial_extension(true);
    let started = tokio::time::Instant::now();
    let answer = send(&layer, keyed("/", KEY)).await;
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    let denial = answer.denial.clone().unwrap();
    assert_eq!(denial.reason(), DenialReason::StoreUnavailable);
    answer.refused(StatusCode::SERVICE_UNAVAILABLE);
    let error = &capture.take().events[0].1["error"];
    assert_eq!(error, "the store did not answer within 2s");
}
