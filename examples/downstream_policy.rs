//! A rate limit inside the key layer. The metadata of a product says how many calls a
//! minute it allows, and each subscription is counted separately. Anonymous callers
//! share the count of the open product that lets them in.

mod demo;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use tower::ServiceBuilder;
use tower_subscription_key::catalog::{Api, Metadata, Product, Scope, Subscription};
use tower_subscription_key::{Access, Catalog, MemoryStore, SubscriptionKeyLayer};

const CONTOSO: &str = "b6d1a7c54c0e4d3b8f5a9e2c7d4f1a60";
const FABRIKAM: &str = "d94c3e5f7a1b4826b0c8f6e4a2d19375";
const NORTHWIND: &str = "1f7e9d3c5b2a4068a4c6e8f0b1d3957f";

/// The metadata of a product that this policy reads.
#[derive(Deserialize)]
struct Plan {
    calls_per_minute: Option<NonZeroU32>,
}

/// The counts of all callers, by their rate.
#[derive(Default)]
struct Limits(Mutex<HashMap<NonZeroU32, Arc<DefaultKeyedRateLimiter<String>>>>);

impl Limits {
    /// Counts a call, or says how long the caller has to wait.
    fn check(&self, rate: NonZeroU32, caller: String) -> Result<(), Duration> {
        let mut by_rate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = by_rate
            .entry(rate)
            .or_insert_with(|| Arc::new(RateLimiter::keyed(Quota::per_minute(rate))));
        limiter
            .check_key(&caller)
            .map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }
}

async fn rate_limit(
    State(limits): State<Arc<Limits>>,
    access: Access,
    request: Request,
    next: Next,
) -> Response {
    // A key with an API's scope has no product, hence no plan.
    let Some(product) = access.product() else {
        return next.run(request).await;
    };
    // Read once for each version of the catalog, not for each request.
    let plan: &Plan = match product.metadata().typed() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("product {:?} has no usable plan: {error}", product.id());
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let Some(rate) = plan.calls_per_minute else {
        return next.run(request).await;
    };
    let caller = match access.subscription() {
        Some(subscription) => subscription.id().to_owned(),
        // No id has a colon, so no subscription has this name.
        None => format!("anonymous:{}", product.id()),
    };
    match limits.check(rate, caller) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            let seconds = wait.as_secs() + 1;
            let retry_after = [(header::RETRY_AFTER, seconds.to_string())];
            let text = format!("{}: at most {rate} a minute", product.display_name());
            (StatusCode::TOO_MANY_REQUESTS, retry_after, text).into_response()
        }
    }
}

fn app() -> Result<Router, demo::Error> {
    let calls = |rate: u32| Metadata::from_iter([("calls_per_minute", rate)]);
    let subscription = |id: &str, product: &str, key: &str| {
        Subscription::new(id)
            .with_scope(Scope::Product(product.into()))
            .with_primary_key(key)
    };
    let catalog = Catalog::builder()
        .api(Api::new("weather", "/weather"))
        .product(
            Product::new("trial")
                .with_apis(["weather"])
                .with_subscription_required(false)
                .with_metadata(calls(1)),
        )
        .product(
            Product::new("starter")
                .with_apis(["weather"])
                .with_metadata(calls(2)),
        )
        .product(Product::new("unlimited").with_apis(["weather"]))
        .subscription(subscription("contoso", "starter", CONTOSO))
        .subscription(subscription("fabrikam", "starter", FABRIKAM))
        .subscription(subscription("northwind", "unlimited", NORTHWIND))
        .build()?;

    let keys = SubscriptionKeyLayer::new(MemoryStore::new(catalog)).validate()?;
    let limits = from_fn_with_state(Arc::<Limits>::default(), rate_limit);
    Ok(Router::new()
        .route("/weather", get(|| async { "sunny" }))
        // First the keys, then the limit, which reads the access.
        .route_layer(ServiceBuilder::new().layer(keys).layer(limits)))
}

#[tokio::main]
async fn main() -> Result<(), demo::Error> {
    demo::run(app()?, async |client| {
        let key = |key| ("Ocp-Apim-Subscription-Key", key);
        for (headers, answers) in [
            (&[][..], &[200, 429][..]),
            (&[key(CONTOSO)], &[200, 200, 429]),
            (&[key(FABRIKAM)], &[200]),
            (&[key(NORTHWIND)], &[200, 200, 200]),
        ] {
            for expected in answers {
                client.get("/weather", headers, *expected).await?;
            }
        }
        Ok(())
    })
    .await
}
