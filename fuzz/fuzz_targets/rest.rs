//! Filters and bodies of the REST interface.
//!
//! ```text
//! cargo +nightly fuzz run rest
//! ```
//!
//! On a stable toolchain, without a sanitizer, in this folder's parent:
//!
//! ```text
//! export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
//!   -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
//!   -Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing"
//! target=x86_64-unknown-linux-gnu
//! cargo build --manifest-path fuzz/Cargo.toml --target $target
//! fuzz/target/$target/debug/rest -max_total_time=300 corpus
//! ```
//!
//! The first byte chooses what the others are. Whatever they hold, the answer is
//! a success or one of the documented refusals.
#![no_main]

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt;
use tower_subscription_key::manage::rest::{BearerTokens, Rest};
use tower_subscription_key::manage::{Caller, Manage};

const BASE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/v";

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let (method, path) = match choice % 6 {
        0 => ("GET", "/subscriptions"),
        1 => ("GET", "/auditEvents"),
        2 => ("PUT", "/subscriptions/a"),
        3 => ("PUT", "/products/a"),
        4 => ("PUT", "/apis/a"),
        _ => ("POST", "/explain"),
    };
    let encoded: String = match method {
        "GET" => data.iter().map(|byte| format!("%{byte:02x}")).collect(),
        _ => String::new(),
    };
    let Ok(request) = Request::builder()
        .method(method)
        .uri(format!(
            "{BASE}{path}?api-version=2024-05-01&$filter={encoded}"
        ))
        .header("authorization", "Bearer token")
        .header("content-type", "application/json")
        .body(Body::from(if method == "GET" {
            Vec::new()
        } else {
            data.to_vec()
        }))
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tokens = BearerTokens::new().with("token", Caller::publisher("fuzz"));
        let router = Rest::new(Manage::in_memory().unwrap(), tokens).into_router();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert!(
            matches!(status, 200 | 201 | 400 | 413),
            "{status}: {text:?}"
        );
    });
});
