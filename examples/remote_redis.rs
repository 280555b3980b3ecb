//! Subscriptions in Redis, for a fleet of services.
//!
//! `cargo run --example remote_redis --features redis` starts a `redis-server` of
//! its own, publishes a catalog, protects two services through it, and shows what
//! callers get when a subscription is suspended, and when Redis is gone: never a
//! 401 for a good key. With `-- --redis URL` it uses a Redis that is there.

use std::convert::Infallible;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer, ServiceExt, service_fn};
use tower_subscription_key::SubscriptionKeyLayer;
use tower_subscription_key::catalog::{Api, Catalog, Product, Scope, State, Subscription};
use tower_subscription_key::store::redis::{RedisOptions, RedisPublisher, RedisStore};
use tower_subscription_key::store::{CachedStore, SubscriptionStore};

const CONTOSO: &str = "264a41411c0b43e782f483eb6f3eaeab";
const FABRIKAM: &str = "9d2c7c1f4c1e4b07a7d5b0c4f2a86e13";

/// Longer than anything here takes, also on a machine that is busy. A service
/// gives up sooner: the defaults are 1 second, and 2 for the cache.
const PATIENCE: Duration = Duration::from_secs(60);

type AnyError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let mut server = None;
    let url = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => server.insert(Server::start()?).url.clone(),
        (Some("--redis"), Some(url)) => url,
        _ => return Err("run it without arguments, or with --redis URL".into()),
    };

    let publisher = RedisPublisher::new(options(&url))?;
    publisher.publish(&catalog()?).await?;
    println!("A catalog is published. Two services read it:");
    let first = service(&url).await?;
    let second = service(&url).await?;
    show("contoso, first service", &first, CONTOSO, 200).await?;
    show("contoso, second service", &second, CONTOSO, 200).await?;
    show("a wrong key", &first, "wrong", 401).await?;

    println!("\nContoso is suspended. Both services get the change immediately:");
    let contoso = contoso().with_state(State::Suspended);
    publisher.put_subscription(&contoso).await?;
    become_refused(&first).await?;
    become_refused(&second).await?;
    show("contoso, first service", &first, CONTOSO, 401).await?;
    show("contoso, second service", &second, CONTOSO, 401).await?;
    show("fabrikam, first service", &first, FABRIKAM, 200).await?;

    if let Some(server) = &mut server {
        println!("\nRedis is gone. What was asked before is known; the rest is 503, not 401:");
        server.child.kill()?;
        server.child.wait()?;
        show("fabrikam, first service", &first, FABRIKAM, 200).await?;
        show("fabrikam, second service", &second, FABRIKAM, 503).await?;
    }
    Ok(())
}

fn contoso() -> Subscription {
    Subscription::new("contoso")
        .with_scope(Scope::Product("starter".into()))
        .with_primary_key(CONTOSO)
}

fn catalog() -> Result<Catalog, AnyError> {
    let fabrikam = Subscription::new("fabrikam")
        .with_scope(Scope::AllApis)
        .with_primary_key(FABRIKAM);
    Ok(Catalog::builder()
        .api(Api::new("echo", "/echo"))
        .product(Product::new("starter").with_apis(["echo"]))
        .subscription(contoso())
        .subscription(fabrikam)
        .build()?)
}

type Cached = CachedStore<RedisStore>;

async fn service(url: &str) -> Result<Cached, AnyError> {
    let store = RedisStore::builder(options(url)).open().await?;
    Ok(store.cached_with(|cache| cache.timeout(PATIENCE))?)
}

fn options(url: &str) -> RedisOptions {
    RedisOptions::new(url)
        .with_prefix("tsk-example")
        .with_timeout(PATIENCE)
}

/// What a request with that key gets.
async fn status<S: SubscriptionStore + Clone>(store: &S, key: &str) -> Result<u16, AnyError> {
    let inner = service_fn(async |_: Request<Empty<Bytes>>| {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let request = Request::get("/echo/1")
        .header("Ocp-Apim-Subscription-Key", key)
        .body(Empty::new())?;
    let service = SubscriptionKeyLayer::new(store.clone()).layer(inner);
    Ok(service.oneshot(request).await?.status().as_u16())
}

async fn show(who: &str, store: &Cached, key: &str, expected: u16) -> Result<(), AnyError> {
    let status = status(store, key).await?;
    println!("  {who}: {status}");
    if status != expected {
        return Err(format!("{who}: {expected} was expected").into());
    }
    Ok(())
}

/// A push takes a moment to arrive.
async fn become_refused(store: &Cached) -> Result<(), AnyError> {
    let begun = Instant::now();
    while status(store, CONTOSO).await? == 200 {
        if begun.elapsed() > PATIENCE {
            return Err("the suspension was never felt".into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("  felt after {:.1?}", begun.elapsed());
    Ok(())
}

/// A private Redis without persistence, which ends with the example.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Result<Self, AnyError> {
        // A free port may be taken by another a moment later.
        for _ in 0..10 {
            let mut server = Self::spawn()?;
            if server.is_ready() {
                return Ok(server);
            }
        }
        Err("redis-server does not start".into())
    }

    fn spawn() -> Result<Self, AnyError> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("redis-server cannot be run ({error}): install it, or give --redis URL")
            })?;
        let url = format!("redis://127.0.0.1:{port}");
        Ok(Self { child, url })
    }

    /// Reads what it says until it listens, or ends.
    fn is_ready(&mut self) -> bool {
        let Some(output) = self.child.stdout.take() else {
            return false;
        };
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.any(|line| line.contains("Ready to accept connections"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
