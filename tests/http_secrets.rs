//! What the HTTP stores tell operators gives no secret away.
//!
//! Alone in its process: other tests' threads, which have no subscriber, would
//! turn events off for good.
#![allow(clippy::unwrap_used)]

mod remote;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_subscription_key::store::HttpStore;

use remote::{Manner, PATIENCE, RemoteServer, answer};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_events_nor_errors_tell_a_key_or_what_opens_the_remote() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _capturing = tracing::subscriber::set_default(subscriber);
    let key = "264a41411c0b43e782f483eb6f3eaeab";
    let with_key = |field: &str| {
        format!(
            r#"{{"apis": [{{"id": "a", "path": "/"}}], "subscriptions":
                [{{"id": "c", "scope": "/", "{field}": "{key}"}}]}}"#
        )
    };
    let remote = RemoteServer::start(Manner::Untagged {
        body: with_key("primary_key"),
    })
    .await;
    let store = HttpStore::builder(&remote.uri("/catalog?sig=s3cret-query"))
        .authorization("Bearer s3cret-token")
        .poll_interval(HOUR)
        .backoff(HOUR, HOUR)
        .time_out(PATIENCE)
        .connect()
        .await
        .unwrap();
    remote.behave(Manner::Untagged {
        body: with_key("primry_key"),
    });
    let refused = store.refresh().await.unwrap_err();
    remote.behave(Manner::Raw(answer("403 No", "", key)));
    let forbidden = store.refresh().await.unwrap_err();
    remote.stop().await;
    let gone = store.refresh().await.unwrap_err();
    assert!(remote.requests()[0].contains("s3cret-token"));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("catalog is in use") && log.contains("no new catalog"),
        "{log}"
    );
    let told = format!("{log}{store:?}{refused:?}{forbidden:?}{gone:?}");
    for secret in [key, "264a4141", "s3cret"] {
        assert!(!told.contains(secret), "{told}");
    }
}
