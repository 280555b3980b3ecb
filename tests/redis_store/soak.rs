//! Eight instances and a publisher at work, while faults come and go.
//!
//! Every good key always opens `/x` and never `/y`: products take turns so that a
//! request decided on two versions would get that wrong. A good key that an instance
//! has seen must never get a 503, because no fault lasts as long as stale answers do.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_subscription_key::SubscriptionKeyLayer;
use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, State, Subscription};
use tower_subscription_key::store::CachedStore;
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStore};

use crate::proxy::{Mode, Proxy};
use crate::server::Server;

const INSTANCES: usize = 8;
const GOOD: usize = 100;
const CHANGING: usize = 20;
const FOUND_FOR: Duration = Duration::from_secs(5);
const STALE_FOR: Duration = Duration::from_secs(120);
const FAULT_FOR: Duration = Duration::from_millis(2500);
/// How long a change may take to arrive everywhere without faults.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Killed,
    Stopped,
    Slow,
    Reset,
    Emptied,
    FailedOver,
    DiskFull,
    MemoryFull,
}

const FAULTS: [Fault; 8] = [
    Fault::Stopped,
    Fault::Reset,
    Fault::FailedOver,
    Fault::Emptied,
    Fault::Slow,
    Fault::DiskFull,
    Fault::Killed,
    Fault::MemoryFull,
];

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    /// Answers that match no version of the catalog.
    wrong: AtomicU64,
    /// 503 for a good key that the instance has seen.
    needless_503: AtomicU64,
    other_503: AtomicU64,
    changes: AtomicU64,
    failed_changes: AtomicU64,
}

/// The process's resources.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub resident_kb: u64,
    pub handles: u64,
    pub threads: u64,
}

#[derive(Debug)]
pub struct Report {
    pub took: Duration,
    pub requests: u64,
    pub wrong: u64,
    pub needless_503: u64,
    pub other_503: u64,
    pub changes: u64,
    pub failed_changes: u64,
    pub faults: BTreeMap<Fault, u32>,
    pub early: Usage,
    pub late: Usage,
    /// The first failure.
    pub examples: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { early, late, .. } = self;
        writeln!(f, "{:.0?}, {INSTANCES} instances", self.took)?;
        writeln!(f, "requests                         {}", self.requests)?;
        writeln!(f, "wrong answers                    {}", self.wrong)?;
        writeln!(f, "503 for a known good key         {}", self.needless_503)?;
        writeln!(f, "other 503                        {}", self.other_503)?;
        writeln!(
            f,
            "changes made / failed            {} / {}",
            self.changes, self.failed_changes
        )?;
        writeln!(f, "faults                           {:?}", self.faults)?;
        writeln!(
            f,
            "resident kB, handles, threads    {} -> {}, {} -> {}, {} -> {}",
            early.resident_kb,
            late.resident_kb,
            early.handles,
            late.handles,
            early.threads,
            late.threads
        )?;
        self.examples
            .iter()
            .try_for_each(|example| writeln!(f, "  {example}"))
    }
}

fn good_key(number: usize) -> String {
    format!("good key {number}")
}

fn changing_id(number: usize) -> String {
    format!("changing-{number}")
}

fn changing_key(number: usize) -> String {
    format!("changing key {number}")
}

/// The catalog in one of its two turns. All changing subscriptions are active.
fn catalog(turn: u64) -> Catalog {
    let (with_x, with_y) = match turn % 2 {
        0 => ("p1", "p2"),
        _ => ("p2", "p1"),
    };
    let scope = || Scope::Product(with_x.into());
    let mut builder = Catalog::builder()
        .api(Api::new("x", "/x"))
        .api(Api::new("y", "/y"))
        .product(Product::new(with_x).with_apis(["x"]))
        .product(Product::new(with_y).with_apis(["y"]));
    for number in 0..GOOD {
        let subscription = Subscription::new(format!("good-{number}")).with_scope(scope());
        builder.push_subscription(subscription.with_primary_key(good_key(number)));
    }
    for number in 0..CHANGING {
        let subscription =
            Subscription::new(changing_id(number)).with_scope(Scope::Api("x".into()));
        builder.push_subscription(subscription.with_primary_key(changing_key(number)));
    }
    builder.build().unwrap()
}

type Instance = CachedStore<RedisStore>;

async fn status(store: &Instance, path: &str, key: &str) -> u16 {
    let inner = service_fn(async |_: Request<Empty<Bytes>>| {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let request = Request::get(path).header("Ocp-Apim-Subscription-Key", key);
    let request = request.body(Empty::new()).unwrap();
    let service = SubscriptionKeyLayer::new(store.clone()).layer(inner);
    service.oneshot(request).await.unwrap().status().as_u16()
}

struct Soak {
    proxy: Proxy,
    publisher: RedisPublisher,
    /// The master, and a replica of it.
    servers: tokio::sync::Mutex<[Server; 2]>,
    to_master: Proxy,
    instances: Vec<Instance>,
    counts: Counts,
    examples: Mutex<Vec<String>>,
    current: Mutex<Option<Fault>>,
    is_over: AtomicBool,
    turn: AtomicU64,
}

/// Runs for about the given time, in whole rounds of a fault and a recovery.
pub async fn run(time: Duration) -> Report {
    let begun = Instant::now();
    let soak = Arc::new(Soak::start().await);
    let asking: Vec<_> = (0..INSTANCES)
        .map(|number| tokio::spawn(Arc::clone(&soak).ask(number)))
        .collect();
    let changing = tokio::spawn(Arc::clone(&soak).change());
    let mut faults = BTreeMap::new();
    let mut early = None;
    for fault in FAULTS.iter().cycle() {
        if begun.elapsed() >= time {
            break;
        }
        soak.fault(*fault).await;
        *faults.entry(*fault).or_default() += 1;
        soak.converge().await;
        let is_warm = begun.elapsed() >= time / 5;
        if is_warm && early.is_none() {
            early = Some(usage());
        }
    }
    soak.is_over.store(true, Ordering::SeqCst);
    for asking in asking {
        asking.await.unwrap();
    }
    changing.await.unwrap();
    let late = usage();
    let get = |count: &AtomicU64| count.load(Ordering::SeqCst);
    let counts = &soak.counts;
    Report {
        took: begun.elapsed(),
        requests: get(&counts.requests),
        wrong: get(&counts.wrong),
        needless_503: get(&counts.needless_503),
        other_503: get(&counts.other_503),
        changes: get(&counts.changes),
        failed_changes: get(&counts.failed_changes),
        faults,
        early: early.unwrap_or(late),
        late,
        examples: std::mem::take(&mut *soak.examples.lock().unwrap()),
    }
}

impl Soak {
    async fn start() -> Self {
        // So that the directory for snapshots can be changed.
        let allowed = ["--enable-protected-configs", "yes"].map(str::to_owned);
        let servers = [(); 2].map(|()| Server::start_with(|_, _| allowed.to_vec()));
        follow(&servers[1], &servers[0]);
        let proxy = Proxy::start(servers[0].port()).await;
        let to_master = Proxy::start(servers[0].port()).await;
        let options = |proxy: &Proxy| {
            RedisOptions::new(proxy.url()).with_connect_timeout(Duration::from_secs(2))
        };
        let publisher = RedisPublisher::new(options(&to_master)).unwrap();
        publisher.publish(&catalog(0)).await.unwrap();
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            let store = RedisStore::builder(options(&proxy)).open().await.unwrap();
            let cache = store.cached_with(|cache| cache.found_for(FOUND_FOR).stale_for(STALE_FOR));
            let instance = cache.unwrap();
            for number in 0..GOOD {
                while status(&instance, "/x", &good_key(number)).await != 200 {}
            }
            instances.push(instance);
        }
        Self {
            proxy,
            publisher,
            servers: tokio::sync::Mutex::new(servers),
            to_master,
            instances,
            counts: Counts::default(),
            examples: Mutex::default(),
            current: Mutex::default(),
            is_over: AtomicBool::new(false),
            turn: AtomicU64::new(0),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn note(&self, count: &AtomicU64, what: impl FnOnce() -> String) {
        count.fetch_add(1, Ordering::SeqCst);
        let mut examples = self.examples.lock().unwrap();
        if examples.len() < 20 {
            let fault = *self.current.lock().unwrap();
            examples.push(format!("{} (fault: {fault:?})", what()));
        }
    }

    async fn ask(self: Arc<Self>, number: usize) {
        let instance = &self.instances[number];
        let mut round = number;
        while !self.is_over() {
            round += 1;
            let key = good_key(round % GOOD);
            let (path, key, is_good) = match round % 10 {
                0 => ("/y", key, true),
                1 => ("/x", format!("wrong key {}", round % 1000), false),
                2 => ("/x", changing_key(round % CHANGING), false),
                _ => ("/x", key, true),
            };
            let got = status(instance, path, &key).await;
            self.counts.requests.fetch_add(1, Ordering::Relaxed);
            let what = || format!("instance {number}: {key:?} on {path} got {got}");
            match (path, is_good, got) {
                ("/x", true, 200) | ("/y", true, 401) => {}
                (_, true, 503) => self.note(&self.counts.needless_503, what),
                (_, true, _) => self.note(&self.counts.wrong, what),
                (_, false, 503) => drop(self.counts.other_503.fetch_add(1, Ordering::Relaxed)),
                (_, false, 200) if key.starts_with("wrong") => self.note(&self.counts.wrong, what),
                _ => {}
            }
            sleep(Duration::from_millis(4)).await;
        }
    }

    /// Suspends and activates subscriptions, and exchanges the whole catalog.
    async fn change(self: Arc<Self>) {
        let mut round = 0_usize;
        while !self.is_over() {
            round += 1;
            let made = match round % 25 {
                0 => self.publish().await,
                _ => {
                    let id = changing_id(round % CHANGING);
                    let toggle = |before: Option<Subscription>| {
                        let before = before?;
                        Some(match before.state() {
                            State::Active => before.with_state(State::Suspended),
                            _ => before.with_state(State::Active),
                        })
                    };
                    let updated = self.publisher.update_subscription(&id, toggle).await;
                    updated.is_ok()
                }
            };
            match made {
                true => self.counts.changes.fetch_add(1, Ordering::Relaxed),
                false => self.counts.failed_changes.fetch_add(1, Ordering::Relaxed),
            };
            sleep(Duration::from_millis(40)).await;
        }
    }

    async fn publish(&self) -> bool {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst) + 1;
        self.publisher.publish(&catalog(turn)).await.is_ok()
    }

    /// Keeps the fault for a while, then ends it.
    async fn fault(&self, fault: Fault) {
        *self.current.lock().unwrap() = Some(fault);
        let mut servers = self.servers.lock().await;
        let [master, replica] = &mut *servers;
        match fault {
            Fault::Killed => {
                master.kill();
                sleep(FAULT_FOR).await;
                master.restart();
                self.publish().await;
            }
            Fault::Stopped => {
                master.stop();
                sleep(FAULT_FOR).await;
                master.go_on();
            }
            Fault::Slow => {
                self.proxy.set(Mode::Delay(Duration::from_millis(300)));
                sleep(FAULT_FOR).await;
                self.proxy.set(Mode::Delay(Duration::ZERO));
            }
            Fault::Reset => {
                for _ in 0..5 {
                    self.proxy.set(Mode::Reset);
                    sleep(FAULT_FOR / 10).await;
                    self.proxy.set(Mode::Delay(Duration::ZERO));
                    sleep(FAULT_FOR / 10).await;
                }
            }
            Fault::Emptied => {
                let _: () = master.run(&["FLUSHALL"]);
                sleep(FAULT_FOR).await;
                self.publish().await;
            }
            Fault::FailedOver => {
                master.kill();
                sleep(FAULT_FOR).await;
                let _: () = replica.run(&["REPLICAOF", "NO", "ONE"]);
                self.proxy.fail_over_to(replica.port());
                self.to_master.fail_over_to(replica.port());
                master.restart();
                follow(master, replica);
                std::mem::swap(master, replica);
            }
            // A snapshot that cannot be written makes Redis refuse writes.
            Fault::DiskFull => {
                let missing = master.directory().join("gone");
                std::fs::create_dir(&missing).unwrap();
                let directory = missing.display().to_string();
                let _: () = master.run(&["CONFIG", "SET", "dir", &directory]);
                std::fs::remove_dir(&missing).unwrap();
                let _: () = master.run(&["CONFIG", "SET", "save", "1 1"]);
                sleep(FAULT_FOR).await;
                let directory = master.directory().display().to_string();
                let _: () = master.run(&["CONFIG", "SET", "save", ""]);
                let _: () = master.run(&["CONFIG", "SET", "dir", &directory]);
            }
            Fault::MemoryFull => {
                let _: () = master.run(&["CONFIG", "SET", "maxmemory", "1"]);
                sleep(FAULT_FOR).await;
                let _: () = master.run(&["CONFIG", "SET", "maxmemory", "0"]);
            }
        }
        *self.current.lock().unwrap() = None;
    }

    /// Waits until every instance answers according to the published catalog.
    async fn converge(&self) {
        let begun = Instant::now();
        let mut left: Vec<(usize, usize)> = (0..INSTANCES)
            .flat_map(|instance| (0..CHANGING).map(move |number| (instance, number)))
            .collect();
        while !left.is_empty() {
            let mut behind = Vec::new();
            for (instance, number) in left {
                if !self.is_current(instance, number).await {
                    behind.push((instance, number));
                }
            }
            left = behind;
            if begun.elapsed() > SETTLED_AFTER {
                for (instance, number) in left.drain(..) {
                    let what = || format!("instance {instance} never saw {}", changing_id(number));
                    self.note(&self.counts.wrong, what);
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the instance's answer matches the catalog before or after the change.
    async fn is_current(&self, instance: usize, number: usize) -> bool {
        let id = changing_id(number);
        let truth = async || match self.publisher.subscription(&id).await {
            Ok(subscription) => subscription.map(|subscription| subscription.state()),
            Err(_) => None,
        };
        let before = truth().await;
        let got = status(&self.instances[instance], "/x", &changing_key(number)).await;
        let expected = match before {
            Some(State::Active) => 200,
            Some(State::Suspended) => 401,
            _ => return false,
        };
        got == expected && truth().await == before
    }
}

fn follow(replica: &Server, master: &Server) {
    let port = master.port().to_string();
    let _: () = replica.run(&["REPLICAOF", "127.0.0.1", &port]);
}

fn usage() -> Usage {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let handles = std::fs::read_dir("/proc/self/fd").map_or(0, |handles| handles.count());
    Usage {
        resident_kb: number("VmRSS:"),
        handles: handles as u64,
        threads: number("Threads:"),
    }
}
