//! The logs of the HTTP stores contain no secret.

use std::time::Duration;

use tower_subscription_key::HttpStore;

use crate::log::Log;
use crate::remote::{Manner, PATIENCE, RemoteServer, answer};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn http_store_shows_neither_keys_nor_credentials() {
    let (log, _capturing) = Log::capture();
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
        .timeout(PATIENCE)
        .open()
        .await
        .unwrap();
    remote.behave(Manner::Untagged {
        body: with_key("primry_key"),
    });
    let refused = store.reload().await.unwrap_err();
    remote.behave(Manner::Raw(answer("403 No", "", key)));
    let forbidden = store.reload().await.unwrap_err();
    remote.stop().await;
    let gone = store.reload().await.unwrap_err();
    assert!(remote.requests()[0].contains("s3cret-token"));
    let log = log.text();
    assert!(
        log.contains("catalog is in use") && log.contains("the catalog stays as it was"),
        "{log}"
    );
    let output = format!("{log}{store:?}{refused:?}{forbidden:?}{gone:?}");
    for secret in [key, "264a4141", "s3cret"] {
        assert!(!output.contains(secret), "{output}");
    }
}
