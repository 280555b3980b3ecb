//! The short form of `cargo run --example soak`.

use std::time::Duration;

use crate::soak;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_with_faults_gives_no_wrong_answer_and_no_needless_503() {
    let report = soak::run(Duration::from_secs(20)).await;
    assert_eq!((report.wrong, report.needless_503), (0, 0), "{report}");
    assert!(report.requests > 1000 && report.changes > 10, "{report}");
}
