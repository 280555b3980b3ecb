//! The snapshot on disk.

use super::*;

#[tokio::test]
async fn restart_during_outage_uses_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);

    let store = keeping().open().await.unwrap();
    let saved_at = until(&store, |status| status.saved_at().is_some())
        .await
        .saved_at();
    drop(store);
    remote.stop().await;

    let store = keeping().open().await.unwrap();
    let status = store.status();
    assert_eq!(
        (status.version(), status.origin()),
        (1, Some(Origin::Snapshot))
    );
    assert_eq!(status.confirmed_at(), saved_at);
    assert!(status.last_error().unwrap().contains("cannot be reached"));
    assert_eq!(state(&store), State::Active);
    assert!(store.holdings().is_ok());

    remote.restart();
    remote.behave(suspended());
    let status = store.reload().await.unwrap();
    assert_eq!(
        (status.version(), status.origin()),
        (2, Some(Origin::Source))
    );
    assert_eq!(state(&store), State::Suspended);
    until(&store, |status| status.saved_at() > saved_at).await;
    drop(store);

    remote.stop().await;
    let store = keeping().open().await.unwrap();
    assert_eq!(state(&store), State::Suspended);
}

#[tokio::test]
async fn restart_with_remote_server_ignores_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);
    let store = keeping().open().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    remote.behave(suspended());
    let store = keeping().open().await.unwrap();
    assert_eq!(
        (store.status().version(), state(&store)),
        (1, State::Suspended)
    );
}

#[tokio::test]
async fn slow_first_answer_is_replaced_by_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || {
        let patience = Duration::from_millis(1);
        builder(&remote)
            .keep_snapshot(&path)
            .snapshot_after(patience)
    };
    let store = keeping().open().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    remote.behave(Manner::Hang);
    let store = within(keeping().open()).await.unwrap();
    let status = store.status();
    assert_eq!(status.origin(), Some(Origin::Snapshot));
    // It is still being waited for.
    assert!(status.last_error().is_none());
}

#[tokio::test]
async fn snapshot_that_does_not_fit_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let keeping = || builder(&remote).keep_snapshot(&path);
    let store = keeping().open().await.unwrap();
    until(&store, |status| status.saved_at().is_some()).await;
    drop(store);
    remote.stop().await;

    let with = |path_and_query: &str| HttpStore::builder(&remote.uri(path_and_query));
    for of_another in [
        with("/other"),
        with("/catalog?tenant=2"),
        with("/catalog").authorization("Bearer other"),
    ] {
        let of_another = of_another.timeout(PATIENCE).keep_snapshot(&path);
        assert!(of_another.open().await.is_err());
    }
    let too_old = keeping().max_staleness(Duration::from_nanos(1));
    assert!(too_old.open().await.is_err());
    assert!(keeping().open().await.is_ok());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(keeping().open().await.is_err());
    let store = keeping().start().unwrap();
    until(&store, |status| status.last_error().is_some()).await;
    assert!(store.holdings().is_err());
}

#[tokio::test]
async fn snapshot_that_could_not_be_written_is_written_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("later/catalog.snapshot");
    let remote = RemoteServer::start(active()).await;
    let store = builder(&remote).keep_snapshot(&path).open().await.unwrap();
    until(&store, |status| status.snapshot_error().is_some()).await;
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let status = until(&store, |status| status.saved_at().is_some()).await;
    assert_eq!(status.snapshot_error(), None);
}
