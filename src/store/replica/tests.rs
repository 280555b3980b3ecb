#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::catalog::Api;

fn catalog(api: &str) -> Catalog {
    let catalog = Catalog::builder().api(Api::new(api, format!("/{api}")));
    catalog.build().unwrap()
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(&'static str);

fn replica(max_staleness: Option<Duration>) -> Arc<Replica> {
    Arc::new(Replica::new("here", max_staleness))
}

#[test]
fn replica_without_version_is_unavailable_with_a_short_error() {
    let replica = replica(None);
    replica.fail(&Fault("a very long document"));
    let error = replica.current().unwrap_err();
    assert_eq!(error, CatalogUnavailable::NotLoaded);
    assert!(!describe(&error).contains("document"));
    assert_eq!(replica.status().last_error(), Some("a very long document"));
    assert!(replica.catalog().is_none());
}

#[test]
fn failure_keeps_the_version_until_the_next_one() {
    let replica = replica(None);
    replica.publish(catalog("one"), Some("v1"));
    replica.fail(&Fault("broken"));
    assert!(replica.current().unwrap().api("one").is_some());
    let status = replica.status();
    assert_eq!((status.version(), status.revision()), (1, Some("v1")));
    replica.publish(catalog("two"), None);
    let status = replica.status();
    assert_eq!((status.version(), status.revision()), (2, None));
    assert_eq!(status.last_error(), None);
    assert!(replica.current().unwrap().api("two").is_some());
}

#[test]
fn same_failure_is_announced_once_until_it_is_over() {
    let replica = replica(None);
    replica.publish(catalog("one"), None);
    let mut statuses = replica.watch_status();
    let mut is_announced = |change: &dyn Fn(&Replica)| {
        statuses.mark_unchanged();
        change(&replica);
        statuses.has_changed().unwrap()
    };
    assert!(is_announced(&|replica| replica.fail(&Fault("a"))));
    assert!(!is_announced(&|replica| replica.fail(&Fault("a"))));
    assert!(is_announced(&|replica| replica.fail(&Fault("b"))));
    assert!(is_announced(&|replica| replica.confirm(None)));
    assert!(is_announced(&|replica| replica.fail(&Fault("b"))));
    assert!(is_announced(&|replica| replica.save_failed(&Fault("c"))));
    assert!(!is_announced(&|replica| replica.save_failed(&Fault("c"))));
}

#[test]
fn version_beyond_max_staleness_is_refused_until_confirmed() {
    let hour = Duration::from_secs(3600);
    let replica = replica(Some(hour));
    replica.publish_snapshot(catalog("one"), SystemTime::now() - 2 * hour);
    let error = replica.current().unwrap_err();
    assert!(matches!(error, CatalogUnavailable::Stale { .. }));
    assert!(replica.catalog().is_some());
    assert_eq!(replica.status().origin(), Some(Origin::Snapshot));
    replica.confirm(None);
    assert!(replica.current().is_ok());
}
