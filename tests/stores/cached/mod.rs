//! What a cache serves around a slow store, on a paused clock.

mod definitions;
mod flood;
mod invalidation;
mod layer;
mod lifetimes;
mod outage;
mod settings;
mod single_flight;
mod snapshot;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use tower_subscription_key::KeyDigest;
use tower_subscription_key::catalog::KeyOwner;
use tower_subscription_key::catalog::{KeySlot, Scope, State, Subscription};
use tower_subscription_key::store::{
    Answer, CachedStore, CachedStoreBuilder, CachedStoreError, SubscriptionStore,
};

type LookupResult<E> = Result<Option<KeyOwner>, CachedStoreError<E>>;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Answer,
    /// Answers when the gate opens, with what it knew when it was asked.
    Gated,
    Fail,
    Hang,
    Panic,
}

#[derive(Debug, thiserror::Error)]
#[error("the remote server is down")]
struct Down;

/// A scripted remote server that counts its requests.
#[derive(Clone)]
struct Server(Arc<ServerState>);

struct ServerState {
    mode: Mutex<Mode>,
    gate: Semaphore,
    known: Mutex<HashMap<KeyDigest, KeyOwner>>,
    asked: AtomicUsize,
    /// Keys that were asked for again before the first answer.
    twice_at_once: AtomicUsize,
    under_way: Mutex<Vec<KeyDigest>>,
}

impl Server {
    fn new() -> Self {
        Self(Arc::new(ServerState {
            mode: Mutex::new(Mode::Answer),
            gate: Semaphore::new(0),
            known: Mutex::default(),
            asked: AtomicUsize::new(0),
            twice_at_once: AtomicUsize::new(0),
            under_way: Mutex::default(),
        }))
    }

    /// A server that knows the key `good` of the subscription `contoso`.
    fn with_contoso() -> Self {
        let server = Self::new();
        server.put("good", contoso());
        server
    }

    fn put(&self, key: &str, subscription: Subscription) {
        let owner = KeyOwner::new(subscription, KeySlot::Primary);
        self.0.known.lock().unwrap().insert(digest(key), owner);
    }

    fn remove(&self, key: &str) {
        self.0.known.lock().unwrap().remove(&digest(key));
    }

    fn set(&self, mode: Mode) {
        *self.0.mode.lock().unwrap() = mode;
    }

    fn let_through(&self, lookups: usize) {
        self.0.gate.add_permits(lookups);
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn twice_at_once(&self) -> usize {
        self.0.twice_at_once.load(Ordering::SeqCst)
    }
}

struct UnderWay<'a>(&'a ServerState, KeyDigest);

impl<'a> UnderWay<'a> {
    fn new(server: &'a ServerState, key: KeyDigest) -> Self {
        let mut under_way = server.under_way.lock().unwrap();
        if under_way.contains(&key) {
            server.twice_at_once.fetch_add(1, Ordering::SeqCst);
        }
        under_way.push(key);
        Self(server, key)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way.lock().unwrap();
        let at = under_way.iter().position(|key| *key == self.1).unwrap();
        under_way.remove(at);
    }
}

impl SubscriptionStore for Server {
    type Error = Down;

    async fn find(&self, key: &KeyDigest) -> Result<Option<KeyOwner>, Down> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let _under_way = UnderWay::new(&self.0, *key);
        let known = self.0.known.lock().unwrap().get(key).cloned();
        let mode = *self.0.mode.lock().unwrap();
        match mode {
            Mode::Answer => Ok(known),
            Mode::Gated => {
                self.0.gate.acquire().await.unwrap().forget();
                Ok(known)
            }
            Mode::Fail => Err(Down),
            Mode::Hang => std::future::pending().await,
            Mode::Panic => panic!("a remote server with a bug"),
        }
    }
}

fn digest(key: &str) -> KeyDigest {
    KeyDigest::of(key)
}

fn contoso() -> Subscription {
    Subscription::new("contoso")
        .with_scope(Scope::AllApis)
        .with_primary_key("good")
}

fn suspended() -> Subscription {
    contoso().with_state(State::Suspended)
}

/// A cache with exact lifetimes.
fn exact(server: &Server) -> CachedStoreBuilder<Server> {
    CachedStore::builder(server.clone()).jitter(0.0)
}

fn state_of(answer: LookupResult<Down>) -> State {
    answer.unwrap().expect("a found key").subscription().state()
}

fn found(answer: &Option<Answer>) -> bool {
    answer
        .as_ref()
        .is_some_and(|answer| answer.owner().is_some())
}

fn is_absent(answer: &Option<Answer>) -> bool {
    answer
        .as_ref()
        .is_some_and(|answer| answer.owner().is_none())
}

type Request = JoinHandle<LookupResult<Down>>;

/// A request for the given key in a separate task.
fn request(store: &CachedStore<Server>, key: &str) -> Request {
    let (store, key) = (store.clone(), digest(key));
    tokio::spawn(async move { store.find(&key).await })
}

/// Lets all tasks run until they wait. Takes up to two milliseconds of paused time.
async fn idle() {
    tokio::time::sleep(Duration::from_nanos(1)).await;
}

async fn pass(time: Duration) {
    tokio::time::advance(time).await;
    idle().await;
}
