//! Two catalogs alternate in the database, each as one change. In one, product `p1`
//! contains API `x`, `p2` contains `y`, and the subscription has `p1`; in the other,
//! the products are swapped. So the key always grants access to `x` and never to `y`.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_subscription_key::catalog::{Api, Catalog, Product, Subscription};
use tower_subscription_key::manage::{Import, ImportOptions, Manage};
use tower_subscription_key::store::SubscriptionStore;
use tower_subscription_key::{SqlLookupStore, SqlStore, SubscriptionKeyLayer};

use crate::replica::until;
use crate::support::*;

tests!(
    turning_catalogs_never_mix,
    turning_catalogs_and_lookups_never_mix,
);

const KEY: &str = "264a41411c0b43e782f483eb6f3eaeab";

async fn put_turned(manage: &Manage, turn: usize) {
    let (with_x, with_y) = if turn.is_multiple_of(2) {
        ("p1", "p2")
    } else {
        ("p2", "p1")
    };
    let contoso = Subscription::new("contoso").with_scope(product(with_x));
    let catalog = Catalog::builder()
        .api(Api::new("x", "/x"))
        .api(Api::new("y", "/y"))
        .product(Product::new(with_x).with_apis(["x"]))
        .product(Product::new(with_y).with_apis(["y"]))
        .subscription(contoso.with_primary_key(KEY))
        .build()
        .unwrap();
    let options = ImportOptions {
        replace: true,
        ..ImportOptions::default()
    };
    let import = manage.import(admin(), Import::from(&catalog), options);
    import.await.unwrap();
}

async fn status<S: SubscriptionStore>(layer: &SubscriptionKeyLayer<S>, path: &str) -> u16 {
    let inner =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let request = Request::builder()
        .uri(path)
        .header("Ocp-Apim-Subscription-Key", KEY)
        .body(())
        .unwrap();
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    response.status().as_u16()
}

/// The statuses of requests for `/x` and `/y` until the end, without repetitions.
async fn ask(store: impl SubscriptionStore + Clone, is_over: Arc<AtomicBool>) -> Vec<[u16; 2]> {
    let layer = SubscriptionKeyLayer::new(store);
    let mut statuses = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let pair = [status(&layer, "/x").await, status(&layer, "/y").await];
        if !statuses.contains(&pair) {
            statuses.push(pair);
        }
        tokio::task::yield_now().await;
    }
    statuses
}

/// Turns while tasks send requests, and waits after each turn.
async fn turn<S: SubscriptionStore + Clone>(
    manage: &Manage,
    store: &S,
    turns: usize,
    in_use: impl AsyncFn(usize),
) {
    let is_over = Arc::new(AtomicBool::new(false));
    let asking = [(); 2].map(|()| tokio::spawn(ask(store.clone(), Arc::clone(&is_over))));
    for turn in 1..=turns {
        put_turned(manage, turn).await;
        in_use(turn).await;
    }
    is_over.store(true, Ordering::SeqCst);
    for asking in asking {
        assert_eq!(asking.await.unwrap(), [[200, 401]]);
    }
}

async fn turning_catalogs_never_mix(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = repository.open(Manage::builder()).await.unwrap();
    put_turned(&manage, 0).await;
    let store = SqlStore::open(target).await.unwrap();
    let first = store.status().version();
    turn(&manage, &store, 100, async |_| {
        store.reload().await.unwrap();
    })
    .await;
    assert!(store.status().version() >= first + 100);
}

async fn turning_catalogs_and_lookups_never_mix(repository: impl Repository) {
    let Some(target) = repository.target() else {
        return;
    };
    let manage = repository.open(Manage::builder()).await.unwrap();
    put_turned(&manage, 0).await;
    let store = SqlLookupStore::open(target).await.unwrap();
    let first = store.status().version();
    turn(&manage, &store, 15, async |turn| {
        let due = first + turn as u64;
        until(|| async { store.status().version() >= due }).await;
    })
    .await;
}
