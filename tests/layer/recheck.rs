//! Deciding again about an allowed request, for long streams.

use std::sync::atomic::Ordering;

use tower_subscription_key::access::Decision;
use tower_subscription_key::catalog::State;
use tower_subscription_key::{DenialReason, MemoryStore, SubscriptionKeyLayer};

use crate::support::{KEY, Slow, catalog, contoso, get, keyed, send, slow_layer};

fn reason(decision: &Decision) -> Option<DenialReason> {
    match decision {
        Decision::Deny(denial) => Some(denial.reason()),
        _ => None,
    }
}

#[tokio::test]
async fn recheck_of_a_suspended_subscription_is_denied() {
    let store = MemoryStore::new(catalog());
    let layer = SubscriptionKeyLayer::new(store.clone());
    let access = send(&layer, keyed("/guarded", KEY)).await.access();
    let anonymous = send(&layer, get("/lax")).await.access();
    match layer.recheck(&access).await {
        Decision::Allow(again) => assert_eq!(again.subscription().unwrap().id(), "contoso"),
        other => panic!("{other:?}"),
    }
    let suspended = contoso().with_state(State::Suspended);
    store.put_subscription(suspended).unwrap();
    let inactive = DenialReason::Inactive(State::Suspended);
    assert_eq!(reason(&layer.recheck(&access).await), Some(inactive));
    assert!(matches!(
        layer.recheck(&anonymous).await,
        Decision::Allow(_)
    ));
    store.remove_subscription("contoso");
    let unknown = Some(DenialReason::UnknownKey);
    assert_eq!(reason(&layer.recheck(&access).await), unknown);
}

#[tokio::test]
async fn recheck_of_a_known_caller_does_not_fall_back_to_anonymous_access() {
    let store = MemoryStore::new(catalog());
    let open = contoso().with_scope(tower_subscription_key::Scope::AllApis);
    store.put_subscription(open).unwrap();
    let layer = SubscriptionKeyLayer::new(store.clone());
    let access = send(&layer, keyed("/lax", KEY)).await.access();
    assert!(access.subscription().is_some());
    store.put_subscription(contoso()).unwrap();
    let out = Some(DenialReason::OutOfScope);
    assert_eq!(reason(&layer.recheck(&access).await), out);
}

#[tokio::test]
async fn recheck_with_a_keys_only_store_looks_up_the_key() {
    let store = Slow::new();
    let layer = slow_layer(&store);
    let access = send(&layer, keyed("/guarded", KEY)).await.access();
    assert!(matches!(layer.recheck(&access).await, Decision::Allow(_)));
    assert_eq!(store.asked(), 2);
    store.down.store(true, Ordering::Relaxed);
    let unavailable = Some(DenialReason::StoreUnavailable);
    assert_eq!(reason(&layer.recheck(&access).await), unavailable);
}
