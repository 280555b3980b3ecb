//! A store exchanges its catalog while a request waits for it. The request is
//! decided by one version, independent of the lookup's answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, StatusCode};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tower_subscription_key::catalog::KeyOwner;
use tower_subscription_key::catalog::{Api, Catalog, KeySlot, Product, Scope, Subscription};
use tower_subscription_key::key::KeyHeader;
use tower_subscription_key::store::{Answer, Holdings, SubscriptionStore};
use tower_subscription_key::{BoxStore, DenialReason, KeyDigest, SubscriptionKeyLayer, Unmatched};

use crate::support::{self, Down, HEADER, INVALID, KEY, OTHER, keyed, send, with};

/// A store with lookups that the test answers.
struct Exchanged {
    holdings: Mutex<Holdings>,
    is_down: AtomicBool,
    lookups: mpsc::UnboundedSender<Lookup>,
}

struct Lookup {
    key: KeyDigest,
    answer: oneshot::Sender<Answer>,
}

impl Exchanged {
    fn new(catalog: Catalog) -> (Arc<Self>, Lookups) {
        let (lookups, asked) = mpsc::unbounded_channel();
        let store = Self {
            holdings: Mutex::new(Holdings::Definitions(Arc::new(catalog))),
            is_down: AtomicBool::new(false),
            lookups,
        };
        (Arc::new(store), Lookups(asked))
    }

    fn exchange(&self, catalog: Catalog) {
        *self.holdings.lock().unwrap() = Holdings::Definitions(Arc::new(catalog));
    }
}

impl SubscriptionStore for Exchanged {
    type Error = Down;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        Ok(self.lookup(key).await?.into_owner())
    }

    async fn lookup(&self, key: &KeyDigest) -> Result<Answer, Down> {
        let (answer, answered) = oneshot::channel();
        let lookup = Lookup { key: *key, answer };
        self.lookups.send(lookup).map_err(|_| Down)?;
        answered.await.map_err(|_| Down)
    }

    fn holdings(&self) -> Result<Holdings, Down> {
        match self.is_down.load(Ordering::Relaxed) {
            true => Err(Down),
            false => Ok(self.holdings.lock().unwrap().clone()),
        }
    }
}

struct Lookups(mpsc::UnboundedReceiver<Lookup>);

impl Lookups {
    async fn next(&mut self) -> Lookup {
        self.0.recv().await.unwrap()
    }

    /// Whether every lookup was answered.
    fn are_over(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

impl Lookup {
    fn answer(self, owner: Option<Subscription>) {
        self.answer.send(answer(owner)).unwrap();
    }

    /// Answers with the definitions that the answer belongs to.
    fn answer_on(self, definitions: &Arc<Catalog>, owner: Option<Subscription>) {
        let answer = answer(owner).with_definitions(Arc::clone(definitions));
        self.answer.send(answer).unwrap();
    }
}

fn answer(owner: Option<Subscription>) -> Answer {
    Answer::new(owner.map(|owner| KeyOwner::new(owner, KeySlot::Primary)))
}

fn sending<S: SubscriptionStore>(
    layer: &SubscriptionKeyLayer<S>,
    request: Request<()>,
) -> JoinHandle<support::Answer> {
    let layer = layer.clone();
    tokio::spawn(async move { send(&layer, request).await })
}

/// The API is in one product, and the subscription is to this product. A decision that
/// takes the product from one version and the subscription from another denies the key.
fn version(full: &str, bare: &str) -> (Catalog, Subscription) {
    let catalog = Catalog::builder()
        .api(Api::new("guarded", "/guarded"))
        .product(Product::new(full).with_apis(["guarded"]))
        .product(Product::new(bare))
        .build();
    (catalog.unwrap(), to(full))
}

fn to(product: &str) -> Subscription {
    Subscription::new("contoso")
        .with_scope(Scope::Product(product.into()))
        .with_primary_key(KEY)
}

#[tokio::test]
async fn good_key_during_an_exchange_is_allowed_by_the_new_version() {
    for found_first in [Some(to("old")), Some(to("new")), None] {
        for boxed in [false, true] {
            let (before, _) = version("old", "new");
            let (after, owner) = version("new", "old");
            let (store, mut lookups) = Exchanged::new(before);
            let request = match boxed {
                false => sending(
                    &SubscriptionKeyLayer::new(Arc::clone(&store)),
                    keyed("/guarded", KEY),
                ),
                true => {
                    let store = BoxStore::new(Arc::clone(&store));
                    sending(&SubscriptionKeyLayer::new(store), keyed("/guarded", KEY))
                }
            };
            let lookup = lookups.next().await;
            store.exchange(after);
            lookup.answer(found_first.clone());
            lookups.next().await.answer(Some(owner));
            let access = request.await.unwrap().access();
            assert_eq!(access.product().unwrap().id(), "new");
            assert_eq!(access.subscription().unwrap().id(), "contoso");
            assert!(lookups.are_over());
        }
    }
}

/// A store that exchanges its catalog during a request that it answers from memory.
struct Meanwhile {
    holdings: Mutex<Holdings>,
    next: Mutex<Option<Catalog>>,
    owner: Option<KeyOwner>,
}

impl SubscriptionStore for Meanwhile {
    type Error = Down;

    async fn find(&self, _: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        Ok(self.owner.clone())
    }

    fn lookup_cached(&self, _: &KeyDigest) -> Option<Answer> {
        if let Some(next) = self.next.lock().unwrap().take() {
            *self.holdings.lock().unwrap() = Holdings::Definitions(Arc::new(next));
        }
        Some(Answer::new(self.owner.clone()))
    }

    fn holdings(&self) -> Result<Holdings, Down> {
        Ok(self.holdings.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn cached_answer_during_an_exchange_is_decided_by_the_new_version() {
    let (before, _) = version("old", "new");
    let (after, owner) = version("new", "old");
    let open = Catalog::builder().api(Api::new("guarded", "/").with_subscription_required(false));
    for (before, owner) in [(before, Some(owner)), (open.build().unwrap(), None)] {
        let is_good = owner.is_some();
        let layer = SubscriptionKeyLayer::new(Meanwhile {
            holdings: Mutex::new(Holdings::Definitions(Arc::new(before))),
            next: Mutex::new(Some(after.clone())),
            owner: owner.map(|owner| KeyOwner::new(owner, KeySlot::Primary)),
        });
        let answer = send(&layer, keyed("/guarded", KEY)).await;
        if is_good {
            assert_eq!(answer.access().product().unwrap().id(), "new");
        } else {
            assert_eq!(answer.denied(), INVALID);
        }
    }
}

#[tokio::test]
async fn key_denied_by_the_new_version_is_denied_during_an_exchange() {
    let (before, owner) = version("old", "new");
    let (after, _) = version("new", "old");
    let (store, mut lookups) = Exchanged::new(before);
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
    let request = sending(&layer, keyed("/guarded", KEY));
    let lookup = lookups.next().await;
    store.exchange(after);
    lookup.answer(Some(owner.clone()));
    lookups.next().await.answer(Some(owner));
    assert_eq!(request.await.unwrap().denied(), INVALID);
}

#[tokio::test]
async fn catalog_clone_counts_as_the_same_version() {
    let (catalog, owner) = version("old", "new");
    let (store, mut lookups) = Exchanged::new(catalog.clone());
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
    let request = sending(&layer, keyed("/guarded", KEY));
    let lookup = lookups.next().await;
    store.exchange(catalog);
    lookup.answer(Some(owner));
    let access = request.await.unwrap().access();
    assert_eq!(access.product().unwrap().id(), "old");
    assert!(lookups.are_over());
}

/// The answer may belong to the version in between.
#[tokio::test]
async fn version_that_returns_after_another_counts_as_a_change() {
    let (before, owner) = version("old", "new");
    let (between, found_between) = version("new", "old");
    let (again, _) = version("old", "new");
    let (store, mut lookups) = Exchanged::new(before);
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
    let request = sending(&layer, keyed("/guarded", KEY));
    let lookup = lookups.next().await;
    store.exchange(between);
    store.exchange(again);
    lookup.answer(Some(found_between));
    lookups.next().await.answer(Some(owner));
    let access = request.await.unwrap().access();
    assert_eq!(access.product().unwrap().id(), "old");
    assert!(lookups.are_over());
}

#[tokio::test]
async fn store_with_an_exchange_at_every_lookup_is_503() {
    let (store, mut lookups) = Exchanged::new(version("0", "bare").0);
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store)).denial_extension(true);
    let request = sending(&layer, keyed("/guarded", KEY));
    for round in 1..=4 {
        let (next, owner) = version(&round.to_string(), "bare");
        let lookup = lookups.next().await;
        store.exchange(next);
        lookup.answer(Some(owner));
    }
    let answer = request.await.unwrap();
    let denial = answer.denial.clone().unwrap();
    assert_eq!(denial.reason(), DenialReason::StoreUnavailable);
    assert_eq!(answer.header("retry-after"), "5");
    answer.refused(StatusCode::SERVICE_UNAVAILABLE);
    assert!(lookups.are_over());
}

#[tokio::test]
async fn store_without_its_catalog_is_503() {
    let (before, owner) = version("old", "new");
    let (store, mut lookups) = Exchanged::new(before);
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
    let request = sending(&layer, keyed("/guarded", KEY));
    let lookup = lookups.next().await;
    store.is_down.store(true, Ordering::Relaxed);
    lookup.answer(Some(owner));
    let answer = request.await.unwrap();
    answer.refused(StatusCode::SERVICE_UNAVAILABLE);
    assert!(lookups.are_over());
}

#[tokio::test]
async fn request_that_no_longer_needs_a_lookup_is_decided_at_once() {
    let elsewhere = Catalog::builder().api(Api::new("elsewhere", "/elsewhere"));
    let elsewhere = Holdings::Definitions(Arc::new(elsewhere.build().unwrap()));
    let whole = Catalog::builder()
        .api(Api::new("whole", "/guarded"))
        .product(Product::new("new").with_apis(["whole"]))
        .subscription(to("new"));
    let whole = Holdings::Everything(Arc::new(whole.build().unwrap()));
    for (next, api) in [(elsewhere, None), (whole, Some("whole"))] {
        let (before, owner) = version("old", "new");
        let (store, mut lookups) = Exchanged::new(before);
        let layer = SubscriptionKeyLayer::new(Arc::clone(&store)).unmatched(Unmatched::Pass);
        let request = sending(&layer, keyed("/guarded", KEY));
        let lookup = lookups.next().await;
        *store.holdings.lock().unwrap() = next;
        lookup.answer(Some(owner));
        let mut seen = request.await.unwrap().passed();
        let access: Option<tower_subscription_key::Access> = seen.extensions.remove();
        assert_eq!(access.as_ref().map(|access| access.api().id()), api);
        assert!(lookups.are_over());
    }
}

#[tokio::test]
async fn key_names_changed_by_an_exchange_are_read_and_stripped_by_the_new_version() {
    const NEW: &str = "X-New-Key";
    let apis = |api: Api| Catalog::builder().api(api).build().unwrap();
    let before = apis(Api::new("guarded", "/guarded"));
    let after = apis(Api::new("guarded", "/guarded").with_key_header(KeyHeader::new(NEW).unwrap()));
    let owner = Subscription::new("contoso")
        .with_scope(Scope::AllApis)
        .with_primary_key(OTHER);
    let (store, mut lookups) = Exchanged::new(before);
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store)).strip_key(true);
    let headers = [(HEADER, KEY), (NEW, OTHER)];
    let request = sending(&layer, with("/guarded?subscription-key=x&a=1", &headers));
    let lookup = lookups.next().await;
    assert_eq!(lookup.key, KeyDigest::of(KEY));
    store.exchange(after);
    lookup.answer(None);
    let lookup = lookups.next().await;
    assert_eq!(lookup.key, KeyDigest::of(OTHER));
    lookup.answer(Some(owner));
    let seen = request.await.unwrap().passed();
    assert!(!seen.headers.contains_key(NEW));
    assert_eq!(seen.uri.query(), Some("a=1"));
    let old = &seen.headers[HEADER];
    assert_eq!(old, KEY);
    assert!(old.is_sensitive(), "it was taken for a key once");
}

#[tokio::test]
async fn answer_with_newer_definitions_is_decided_by_them_without_another_lookup() {
    let (before, _) = version("old", "new");
    let (after, owner) = version("new", "old");
    let after = Arc::new(after);
    for owner in [Some(owner), None] {
        // The store already has yet another version: the pair decides.
        let (store, mut lookups) = Exchanged::new(before.clone());
        let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
        let request = sending(&layer, keyed("/guarded", KEY));
        let lookup = lookups.next().await;
        store.exchange(version("third", "old").0);
        lookup.answer_on(&after, owner.clone());
        let answer = request.await.unwrap();
        match owner {
            Some(_) => assert_eq!(answer.access().product().unwrap().id(), "new"),
            None => assert_eq!(answer.denied(), INVALID),
        }
        assert!(lookups.are_over());
    }
}

#[tokio::test]
async fn answer_with_the_definitions_of_the_request_after_an_exchange_counts() {
    let (before, owner) = version("old", "new");
    let (store, mut lookups) = Exchanged::new(before.clone());
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
    let request = sending(&layer, keyed("/guarded", KEY));
    let lookup = lookups.next().await;
    store.exchange(version("new", "old").0);
    lookup.answer_on(&Arc::new(before), Some(owner));
    let access = request.await.unwrap().access();
    assert_eq!(access.product().unwrap().id(), "old");
    assert!(lookups.are_over());
}

#[tokio::test]
async fn answer_with_other_key_names_causes_a_lookup_of_the_key_they_name() {
    const NEW: &str = "X-New-Key";
    let apis = |api: Api| Catalog::builder().api(api).build().unwrap();
    let before = apis(Api::new("guarded", "/guarded"));
    let named = Api::new("guarded", "/guarded").with_key_header(KeyHeader::new(NEW).unwrap());
    let after = Arc::new(apis(named));
    let owner = Subscription::new("contoso")
        .with_scope(Scope::AllApis)
        .with_primary_key(OTHER);
    let (store, mut lookups) = Exchanged::new(before);
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
    let request = sending(&layer, with("/guarded", &[(HEADER, KEY), (NEW, OTHER)]));
    // The owner of the old key must not be used as the owner of the new key.
    let thief = Subscription::new("thief")
        .with_scope(Scope::AllApis)
        .with_primary_key(KEY);
    lookups.next().await.answer_on(&after, Some(thief));
    let lookup = lookups.next().await;
    assert_eq!(lookup.key, KeyDigest::of(OTHER));
    lookup.answer_on(&after, Some(owner));
    let access = request.await.unwrap().access();
    assert_eq!(access.subscription().unwrap().id(), "contoso");
}

#[tokio::test]
async fn answer_with_definitions_that_need_no_key_allows_the_request() {
    let (before, _) = version("old", "new");
    let open = Api::new("open", "/guarded").with_subscription_required(false);
    let after = Arc::new(Catalog::builder().api(open).build().unwrap());
    let (store, mut lookups) = Exchanged::new(before);
    let layer = SubscriptionKeyLayer::new(Arc::clone(&store));
    let request = sending(&layer, keyed("/guarded", KEY));
    lookups.next().await.answer_on(&after, None);
    let access = request.await.unwrap().access();
    assert_eq!(access.api().id(), "open");
    assert!(access.subscription().is_none());
}
